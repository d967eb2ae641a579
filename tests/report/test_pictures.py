"""Overlays on arrays small enough to check by eye."""

import cv2
import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.report import pictures
from kerasseg.report.pictures import GAP, INVENTED, MISSED, PREDICTED, TRUTH


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


def box(shape, *sides):
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(*side) for side in sides)] = 1
    return mask


def test_the_richest_plane_of_each_axis_is_shown():
    mask = np.zeros((3, 4, 5), np.uint8)
    mask[2, 1, 1:4], mask[2, 3, 3], mask[0] = 1, 2, 255
    assert pictures.richest_planes(mask) == (2, 1, 3)
    assert pictures.richest_planes(np.zeros((3, 4, 5), np.uint8)) == (1, 2, 2)


def test_views_lie_as_they_are_mounted():
    volume = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    xy, yz, xz = pictures.slices(volume, (1, 2, 3))
    assert xy.tolist() == volume[1].tolist()
    assert yz.tolist() == [[volume[z, y, 3] for z in range(2)] for y in range(3)]
    assert xz.tolist() == [[volume[z, 2, x] for x in range(4)] for z in range(2)]
    assert [view.tolist() for view in pictures.projections(volume)] == [
        volume.max(0).tolist(),
        volume.max(2).T.tolist(),
        volume.max(1).tolist(),
    ]


def test_a_micrometre_is_equally_long_everywhere():
    mask = np.zeros((4, 6, 8), np.uint8)
    views = pictures.to_scale(pictures.projections(mask), (1.5, 0.5, 1.0))
    assert [view.shape for view in views] == [(6, 16), (6, 12), (12, 16)]
    assert [view.shape for view in pictures.to_scale(pictures.projections(mask), None)] == [
        (6, 8),
        (6, 4),
        (4, 8),
    ]


@pytest.mark.usefixtures("as_they_are")
def test_slices_stand_left_of_projections():
    truth, predicted = box((9, 10, 12), (2, 7), (2, 7), (2, 7)), box((9, 10, 12), (2, 7), (2, 7), (5, 10))
    image = np.zeros((9, 10, 12, 2), np.uint8)
    picture = pictures.overlay(image, truth, predicted)
    assert picture.shape == (10 + GAP + 9, 2 * (12 + GAP + 9) + GAP, 3)
    xy = picture[:10, :12]
    assert tuple(xy[4, 2]) == TRUTH
    assert tuple(xy[4, 9]) == PREDICTED
    assert tuple(xy[4, 3]) == tuple(round(pictures.TINT * c) for c in MISSED)
    assert tuple(xy[4, 8]) == tuple(round(pictures.TINT * c) for c in INVENTED)
    assert (picture[11:, 12 + GAP : 12 + GAP + 9] == 255).all()  # the corner that no view fills
    projection = picture[:10, 12 + GAP + 9 + GAP :][:, :12]
    np.testing.assert_array_equal(projection, xy)  # of boxes a projection is a slice


@pytest.mark.usefixtures("as_they_are")
def test_classes_that_do_not_exclude_each_other_stand_one_below_the_other():
    image = np.zeros((3, 8, 9, 1), np.uint8)
    mask = np.stack([box((3, 8, 9), (0, 3), (2, 6), (2, 6)), np.zeros((3, 8, 9), np.uint8)], axis=-1)
    picture = pictures.annotated(image, mask)
    one = pictures.annotated(image, mask[..., 0])
    assert picture.shape == (2 * len(one) + GAP, *one.shape[1:])
    np.testing.assert_array_equal(picture[: len(one)], one)
    assert not (picture[len(one) :] == TRUTH).all(axis=-1).any()


@pytest.mark.usefixtures("as_they_are")
def test_what_is_ignored_hides_nothing_in_a_projection():
    truth = np.full((3, 6, 6), 255, np.uint8)
    truth[0] = box((6, 6), (1, 5), (1, 5))
    projection = pictures.annotated(np.zeros((3, 6, 6, 1)), truth)[:6, 6 + GAP + 3 + GAP :][:, :6]
    assert (projection == TRUTH).all(axis=-1).sum() == 12  # the outline of a square of four


def test_two_channels_are_magenta_and_green():
    image = np.zeros((1, 3, 2), np.uint16)
    image[0, 0, 0], image[0, 1, 1], image[0, 2] = 900, 7, (900, 7)
    assert pictures.display(image)[0].tolist() == [[255, 0, 255], [0, 255, 0], [255, 255, 255]]


def test_a_volume_and_a_mask_of_another_depth_are_refused():
    with pytest.raises(UserError, match=r"differ in size: \(2, 4, 4\), \(3, 4, 4\)"):
        pictures.annotated(np.zeros((2, 4, 4, 1)), np.zeros((3, 4, 4), np.uint8))


def test_objects_are_outlined_and_named_where_there_is_room(as_they_are):
    labels = np.zeros((40, 60, 1), np.int32)
    labels[5:35, 5:35], labels[20:23, 50:53] = 7, 1234
    picture = pictures.with_objects(np.zeros((40, 60, 1), np.uint8), labels)
    amber, white = (picture == PREDICTED).all(axis=-1), (picture > 200).all(axis=-1)
    assert amber[5, 5:35].all()
    assert amber[20:23, 50:53].sum() == 8
    assert not amber[:, 40:48].any()
    assert white[15:25, 15:25].any()
    assert not white[:, 40:].any()  # four digits are wider than three pixels


def test_channels_of_labels_stand_one_below_the_other(as_they_are):
    labels = np.zeros((10, 10, 2), np.int32)
    labels[2:5, 2:5, 1] = 1
    picture = pictures.with_objects(np.zeros((10, 10, 1), np.uint8), labels)
    amber = (picture == PREDICTED).all(axis=-1)
    assert not amber[: 10 + GAP].any()
    assert amber[10 + GAP :].any()
