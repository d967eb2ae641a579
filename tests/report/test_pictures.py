"""Overlays on arrays small enough to check by eye."""

import cv2
import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.report import pictures
from kerasseg.report.pictures import INVENTED, MISSED, PREDICTED, TRUTH


@pytest.fixture
def as_they_are(monkeypatch):
    """Keep small pictures at their own size."""
    monkeypatch.setattr(pictures, "LONGEST_SIDE", 1)


def test_the_outline_is_the_inner_edge():
    mask = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]])
    edge = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(pictures.outline(mask), edge.astype(bool))


def test_touching_classes_are_told_apart():
    mask = np.tile(np.repeat([1, 2], 4), (5, 1))
    assert pictures.outline(mask)[2].tolist() == [False, False, False, False, True, False, False, False]


def squares():
    """Truth left, prediction right, overlapping in the middle: 9 x 14."""
    truth, predicted = np.zeros((2, 9, 14), np.uint8)
    truth[1:8, 1:9] = 1
    predicted[1:8, 5:13] = 1
    return truth, predicted


@pytest.mark.usefixtures("as_they_are")
def test_right_areas_are_left_alone_and_wrong_ones_tinted():
    truth, predicted = squares()
    picture = pictures.overlay(np.zeros((9, 14)), truth, predicted)
    tint = {
        name: tuple(round(pictures.TINT * c) for c in colour)
        for name, colour in {"missed": MISSED, "invented": INVENTED}.items()
    }
    assert [tuple(map(int, picture[4, x])) for x in (0, 1, 2, 5, 6, 8, 10, 12)] == [
        (0, 0, 0),
        TRUTH,
        tint["missed"],
        PREDICTED,
        (0, 0, 0),
        TRUTH,
        tint["invented"],
        PREDICTED,
    ]


@pytest.mark.usefixtures("as_they_are")
def test_ignored_pixels_are_neither_tinted_nor_outlined():
    truth, predicted = np.full((5, 5), 255, np.uint8), np.zeros((5, 5), np.uint8)
    assert not pictures.overlay(np.zeros((5, 5)), truth, predicted).any()


def test_small_images_are_enlarged_by_a_whole_number():
    mask = np.zeros((100, 150), np.uint8)
    assert pictures.overlay(mask, mask, mask).shape == (400, 600, 3)
    assert pictures.annotated(np.zeros((700, 800)), np.zeros((700, 800), np.uint8)).shape == (700, 800, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
def test_every_kind_of_image_fills_the_range(dtype, channels):
    image = np.linspace(10, 200, 20 * 30 * (channels or (1,))[0]).reshape(20, 30, *channels).astype(dtype)
    shown = pictures.display(image)
    assert shown.shape == (20, 30, 3)
    assert (shown.min(), shown.max()) == (0, 255)


def test_a_constant_image_can_be_shown():
    assert not pictures.display(np.full((4, 4), 7, np.uint16)).any()


def test_sizes_that_differ_are_refused():
    mask = np.zeros((4, 5), np.uint8)
    with pytest.raises(UserError, match=r"differ in size: \(4, 4\), \(4, 5\), \(4, 5\)"):
        pictures.overlay(np.zeros((4, 4)), mask, mask)


def test_outlines_are_thicker_in_larger_images():
    mask = np.zeros((30, 1200), np.uint8)
    mask[5:25, 10:50] = 1
    assert pictures.outline(mask)[15, 8:15].tolist() == [False, False, True, True, True, False, False]


def test_a_compressed_picture_is_shrunk_and_keeps_its_colours():
    picture = np.full((300, 400, 3), PREDICTED, np.uint8)
    content = np.frombuffer(pictures.compressed(picture, widest=200), np.uint8)
    found = cv2.imdecode(content, cv2.IMREAD_COLOR_RGB)
    assert found.shape == (150, 200, 3)
    np.testing.assert_allclose(found[75, 100], PREDICTED, atol=3)


def test_a_picture_that_is_small_enough_keeps_its_size():
    content = np.frombuffer(pictures.compressed(np.zeros((30, 40, 3), np.uint8), widest=200), np.uint8)
    assert cv2.imdecode(content, cv2.IMREAD_COLOR_RGB).shape == (30, 40, 3)
