"""Where the views of a volume lie, how they are stretched, and what is drawn on them."""

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.report import pictures, volumes
from kerasseg.report.pictures import INVENTED, MISSED, PREDICTED, TRUTH

GAP = volumes.GAP


@pytest.fixture
def as_they_are(monkeypatch):
    """Keep small pictures at their own size."""
    monkeypatch.setattr(pictures, "LONGEST_SIDE", 1)


def box(shape, *sides):
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(*side) for side in sides)] = 1
    return mask


def test_the_richest_plane_of_each_axis_is_shown():
    mask = np.zeros((3, 4, 5), np.uint8)
    mask[2, 1, 1:4], mask[2, 3, 3], mask[0] = 1, 2, 255
    assert volumes.place(mask) == (2, 1, 3)
    assert volumes.place(np.zeros((3, 4, 5), np.uint8)) == (1, 2, 2)


def test_views_lie_as_they_are_mounted():
    volume = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    xy, yz, xz = volumes.slices(volume, (1, 2, 3))
    assert xy.tolist() == volume[1].tolist()
    assert yz.tolist() == [[volume[z, y, 3] for z in range(2)] for y in range(3)]
    assert xz.tolist() == [[volume[z, 2, x] for x in range(4)] for z in range(2)]
    assert [view.tolist() for view in volumes.projections(volume)] == [
        volume.max(0).tolist(),
        volume.max(2).T.tolist(),
        volume.max(1).tolist(),
    ]


def test_a_micrometre_is_equally_long_everywhere():
    mask = np.zeros((4, 6, 8), np.uint8)
    views = volumes.to_scale(volumes.projections(mask), (1.5, 0.5, 1.0))
    assert [view.shape for view in views] == [(6, 16), (6, 12), (12, 16)]
    assert [view.shape for view in volumes.to_scale(volumes.projections(mask), None)] == [
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
