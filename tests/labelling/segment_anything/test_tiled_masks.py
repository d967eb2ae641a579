"""Tiles of a large image: each object once, and whole where any tile sees it whole."""

import hypothesis.strategies as st
import numpy as np
import pytest
from discs import Discs, disc, picture
from hypothesis import given, settings

from kerasseg.errors import UserError
from kerasseg.labelling.segment_anything import automatic_masks, tiled_masks
from kerasseg.labelling.segment_anything.once import mask_iou

SIZE = (80, 100)
TILES = {"tile": 64, "overlap": 16, "points_per_side": 16}  # 2 x 3 tiles, which share 32 pixels or more


def tiled(image, network=None, **changed):
    return tiled_masks(image.__getitem__, image.shape[:2], network or Discs(), **(TILES | changed))


def masks(found):
    return sorted(one.mask.tobytes() for one in found)


@st.composite
def discs_apart(draw):
    """Draw discs that lie apart, within the image, and of no more than 13 pixels across."""
    centres = st.tuples(st.integers(7, SIZE[0] - 8), st.integers(7, SIZE[1] - 8), st.integers(3, 6))
    apart = []
    for y, x, radius in draw(st.lists(centres, min_size=1, max_size=12)):
        if all(np.hypot(y - b, x - a) > radius + r + 2 for b, a, r in apart):
            apart.append((y, x, radius))
    return apart


@settings(max_examples=6, deadline=None)
@given(discs_apart())
def test_tiles_find_what_the_whole_does(known):
    image = picture(SIZE, known)
    whole = automatic_masks(image, Discs(), points_per_side=32)
    assert masks(tiled(image)) == masks(whole) == sorted(disc(SIZE, *each).tobytes() for each in known)


def test_records_are_in_pixels_of_the_image():
    (one,) = tiled(picture(SIZE, [(60, 80, 5)]))
    assert one.bbox == (75, 55, 10, 10)
    assert one.size == SIZE
    assert one.crop_box == (32, 16, 64, 64)
    assert np.hypot(one.point_coords[0] - 80, one.point_coords[1] - 60) <= 6


def test_an_object_that_no_tile_sees_whole_is_joined():
    known = [(40, 50, 36), (6, 8, 4)]
    assert masks(tiled(picture(SIZE, known))) == sorted(disc(SIZE, *each).tobytes() for each in known)


def test_parts_are_joined_through_tiles_that_have_nothing_in_common():
    image = np.zeros((48, 200, 1), np.uint8)
    image[10:20, 5:195], image[25:35, 5:195] = 1, 2
    lower, upper = sorted(tiled(image, tile=48, overlap=12), key=lambda one: one.box[1], reverse=True)
    np.testing.assert_array_equal(upper.mask, image[..., 0] == 1)
    np.testing.assert_array_equal(lower.mask, image[..., 0] == 2)
    assert upper.area == upper.mask.sum() == 1900
    assert upper.bbox == (5, 10, 189, 9)


def test_of_an_object_found_twice_the_surer_stays():
    class Doubtful(Discs):
        """Is less sure of what lies left in its tile."""

        def masks(self, embedding, points):
            logits, predicted = super().masks(embedding, points)
            return logits, np.where(points[:, :1] < 24, np.float32(0.9), predicted)[:, :3] * [1, 0.99, 1]

    (one,) = tiled(picture((48, 72), [(24, 36, 5)]), Doubtful(), tile=48, overlap=12)
    assert one.predicted_iou == pytest.approx(0.95)
    assert one.crop_box == (0, 0, 48, 48)


def test_two_objects_of_one_box_are_two():
    image = np.zeros((48, 72, 1), np.uint8)
    image[20:30, 31:41] = np.where(np.arange(10) <= np.arange(10)[:, None], 1, 2)[..., None]  # triangles
    assert len(tiled(image, tile=48, overlap=12, box_nms_thresh=0.95, pred_iou_thresh=0.92)) == 2


def test_tiles_are_chosen_from_before_they_are_put_together():
    image = picture(SIZE, [(20, 20, 3), (60, 80, 6)])
    found = tiled(image, choose=lambda found: [one for one in found if one.area > 50])
    assert masks(found) == [disc(SIZE, 60, 80, 6).tobytes()]


def test_mask_iou_by_hand():
    first, second = tiled(picture(SIZE, [(20, 20, 3), (60, 80, 6)]))
    assert mask_iou(first, second) == 0
    assert mask_iou(first, first) == 1
    moved = first.placed((0, 1), SIZE)  # 29 pixels in 7 rows, of which each leaves one behind
    assert mask_iou(first, moved) == 22 / 36


def test_the_share_is_one():
    with pytest.raises(UserError, match="same is 70"):
        tiled(picture(SIZE, []), same=70)
