"""Objects told apart: discs that touch, boxes that are not cubes, boundaries, and real nuclei."""

import numpy as np
import pytest
import tifffile

from kerasseg import postprocess
from kerasseg.errors import UserError
from kerasseg.metrics import instance


def balls(shape, centres, radius, spacing=None):
    """Draw a mask of discs or balls; positions and radius in the units of the spacing."""
    scale = np.array(spacing or (1,) * len(shape))
    pixels = np.moveaxis(np.indices(shape), 0, -1) * scale
    near = [np.linalg.norm(pixels - centre, axis=-1) <= radius for centre in centres]
    return np.any(near, axis=0).astype(np.uint8)


def test_two_discs_that_touch_are_two_objects():
    mask = balls((24, 40), [(12, 12), (12, 27)], 8)
    assert postprocess.labels(mask).max() == 1
    labels = postprocess.watershed(mask, distance=6)
    assert labels.max() == 2
    assert (labels[12, 12], labels[12, 27]) == (1, 2)
    assert ((labels > 0) == (mask > 0)).all()


def test_summits_within_the_distance_are_one_object():
    mask = balls((24, 40), [(12, 12), (12, 27)], 8)
    assert postprocess.watershed(mask, distance=16).max() == 1


def test_a_plateau_is_one_object():
    mask = np.zeros((9, 40), np.uint8)
    mask[2:7, 2:38] = 1
    assert postprocess.watershed(mask, distance=4).max() == 1


def test_classes_are_split_each_by_itself():
    mask = np.array([[1] * 9 + [2] * 9] * 9, np.uint8)
    assert postprocess.watershed(mask, distance=4).tolist() == [[1] * 9 + [2] * 9] * 9


def test_planes_far_apart_need_the_spacing():
    centres, spacing = [(20, 12, 12), (20, 12, 27)], (5, 1, 1)
    mask = balls((9, 24, 40), centres, 8, spacing)
    assert postprocess.watershed(mask, distance=6, spacing=spacing).max() == 2
    assert postprocess.watershed(mask, distance=6).max() == 1  # three planes high: nowhere narrow


def test_what_lies_elsewhere_changes_nothing():
    mask = balls((24, 90), [(12, 12), (12, 27), (14, 70)], 8)
    alone = mask.copy()
    alone[:, 45:] = 0
    both, one = (postprocess.watershed(each, distance=6) for each in (mask, alone))
    np.testing.assert_array_equal(np.where(both <= 2, both, 0), one)


def test_pieces_are_numbered_by_their_first_pixels_and_small_ones_go():
    mask = np.zeros((30, 40), np.uint8)
    mask[1:3, 1:3] = 1
    mask |= balls((30, 40), [(14, 12), (12, 27)], 8)
    labels = postprocess.watershed(mask, distance=6)
    firsts = [np.flatnonzero(labels == number)[0] for number in (1, 2, 3)]
    assert firsts == sorted(firsts)
    assert labels[1, 1] == 1
    assert postprocess.watershed(mask, distance=6, smallest=5)[12, 27] == 1


def test_holes_do_not_split():
    mask = balls((24, 24), [(12, 12)], 8)
    mask[8:16:4, 8:16:4] = 0
    assert postprocess.watershed(mask, distance=2).max() > 1
    assert postprocess.watershed(mask, distance=2, fill=True).max() == 1


def test_as_many_spacings_as_axes_are_needed():
    with pytest.raises(UserError, match=r"2 axes was given 3 spacings: \(5, 1, 1\)"):
        postprocess.watershed(np.ones((4, 4), np.uint8), spacing=(5, 1, 1))


def test_objects_grow_to_the_middle_of_their_boundary():
    mask = np.array([[1, 1, 2, 2, 1], [1, 1, 2, 2, 1], [0, 0, 0, 0, 0], [0, 2, 2, 0, 255]], np.uint8)
    assert postprocess.boundary(mask).tolist() == [
        [1, 1, 1, 2, 2],
        [1, 1, 1, 2, 2],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],  # a boundary of nothing
    ]


def test_grown_objects_are_measured_and_filled():
    mask = np.array([[2, 2, 2, 0], [2, 1, 2, 0], [2, 2, 0, 0], [2, 2, 2, 1]], np.uint8)
    assert np.bincount(postprocess.boundary(mask).ravel()).tolist() == [4, 10, 2]
    assert np.bincount(postprocess.boundary(mask, smallest=3).ravel()).tolist() == [6, 10]
    ring = np.array([[3, 3, 3], [3, 0, 3], [3, 3, 3]], np.uint8)
    assert postprocess.boundary(ring, fill=True).all()


@pytest.mark.parametrize(
    ("name", "how"),
    [("mask2d", {}), ("mask3d", {"distance": 5.0, "spacing": (2.0, 1.0, 1.0)})],
)
def test_real_nuclei_that_touch_are_told_apart(shared_data, name, how):
    truth = tifffile.imread(shared_data / "nuclei_stardist" / f"{name}.tif").astype(np.int32)
    mask = (truth > 0).astype(np.uint8)
    whole, split = (
        instance.image_scores(instance.count(instance.overlap(truth, labels)))
        for labels in (postprocess.labels(mask), postprocess.watershed(mask, **how))
    )
    assert whole["rq"] < 0.9
    assert split["rq"] > 0.95
    assert split["merges"] < whole["merges"] / 1.3


def test_a_landscape_is_how_deep_a_pixel_lies_in_its_object():
    labels = np.array(
        [[1, 1, 1, 1, 1, 7], [1, 1, 1, 1, 1, 7], [1, 1, 1, 1, 1, 7], [0, 0, 0, 0, 0, 7]], np.int32
    )
    assert postprocess.landscape(labels).tolist() == [
        [127, 127, 127, 127, 127, 254],
        [127, 254, 254, 254, 127, 254],
        [127, 127, 127, 127, 127, 254],
        [0, 0, 0, 0, 0, 254],
    ]


def test_a_landscape_of_planes_far_apart_needs_the_spacing():
    labels = np.ones((3, 9, 9), np.int32)
    assert postprocess.landscape(labels)[1, 1, 4] == 254
    assert postprocess.landscape(labels, (5, 1, 1))[1, 1, 4] == round(254 * 2 / 5)


def bar(valley):
    """A bar of one width, which its shape does not divide, and a landscape with a valley in its middle."""
    mask = np.zeros((9, 41), np.uint8)
    mask[1:8, 1:40] = 1
    landscape = np.full(mask.shape, 200, np.uint8)
    landscape[:, 19:22] = valley
    return mask, landscape


@pytest.mark.parametrize(("valley", "objects"), [(200, 1), (180, 1), (120, 2), (0, 2)])
def test_a_valley_as_deep_as_asked_divides_what_its_shape_does_not(valley, objects):
    mask, landscape = bar(valley)
    assert postprocess.watershed(mask).max() == 1
    labels = postprocess.deep_watershed(mask, landscape, depth=0.15)
    assert labels.max() == objects
    assert ((labels > 0) == (mask > 0)).all()
    assert (labels[4, 5], labels[4, 35]) == (1, objects)


def test_what_has_no_middle_is_no_object():
    mask, landscape = bar(0)
    landscape[:, 22:] = 0.4 * 254 - 1
    labels = postprocess.deep_watershed(mask, landscape)
    assert (labels[4, 5], labels[4, 35]) == (1, 0)
    assert postprocess.deep_watershed(mask, landscape, summit=0.2).max() == 2
    assert not postprocess.deep_watershed(mask, landscape, summit=0.9).any()


@pytest.mark.parametrize("radius", [4, 8, 40])
def test_discs_that_touch_are_two_objects_whatever_their_size(radius):
    row, columns = 1.5 * radius, (1.5 * radius, 3.4 * radius)
    mask = balls((3 * radius, 5 * radius), [(row, column) for column in columns], radius)
    assert postprocess.deep_watershed(mask, mask * 200).max() == 2


def test_what_a_landscape_says_of_other_objects_changes_nothing():
    mask, landscape = bar(0)
    other = np.where(mask, landscape, 254).astype(np.uint8)
    both = [postprocess.deep_watershed(mask, each) for each in (landscape, other)]
    np.testing.assert_array_equal(*both)


def test_a_landscape_tells_real_nuclei_apart_that_a_mask_does_not(shared_data):
    labels = tifffile.imread(shared_data / "nuclei_stardist" / "mask2d.tif").astype(np.int32)
    mask, landscape = (labels > 0).astype(np.uint8), postprocess.landscape(labels)
    found = postprocess.watershed(mask), postprocess.deep_watershed(mask, landscape)
    by_mask, by_landscape = (instance.count(instance.overlap(labels, each)).tp[0] for each in found)
    assert by_mask < by_landscape >= 0.99 * len(np.unique(labels[labels > 0]))


def test_a_landscape_of_a_volume_needs_a_spacing_of_three_axes():
    mask = np.ones((4, 4, 4), np.uint8)
    with pytest.raises(UserError, match=r"3 axes was given 2 spacings: \(1, 1\)"):
        postprocess.deep_watershed(mask, mask, spacing=(1, 1))
