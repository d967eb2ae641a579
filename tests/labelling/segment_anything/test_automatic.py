"""The whole generator, by a stand-in that knows its discs."""

import numpy as np
import pytest
from discs import Discs, disc, picture

from kerasseg.annotations import rle
from kerasseg.errors import UserError
from kerasseg.labelling.segment_anything import automatic
from kerasseg.labelling.segment_anything.automatic import bounding_box, runs, stability_score
from kerasseg.recipe.labelling import SegmentAnything

SIZE = (64, 96)
KNOWN = [(14, 14, 8), (40, 30, 12), (30, 70, 5)]
IMAGE = picture(SIZE, KNOWN)


def automatic_masks(image, network, **settings):
    return automatic.automatic_masks(image, network, SegmentAnything(**settings))


def found_masks(found):
    return {one.mask.tobytes() for one in found}


def test_each_disc_is_found_once_and_exactly():
    found = automatic_masks(IMAGE, Discs(), points_per_side=16)
    assert len(found) == 3
    assert found_masks(found) == {disc(SIZE, *each).tobytes() for each in KNOWN}


def test_a_record_has_the_fields_of_the_original():
    found = automatic_masks(picture(SIZE, [(14, 20, 8)]), Discs(), points_per_side=8)
    (one,) = found
    mask = disc(SIZE, 14, 20, 8)
    assert one.segmentation == tuple(rle.encode_labels(mask.astype(int))[1])
    assert one.area == mask.sum()
    assert one.bbox == (12, 6, 16, 16)  # from pixel 12 to pixel 28
    assert one.predicted_iou == pytest.approx(0.95)
    assert one.point_coords == (18, 12)  # the first of the grid in the disc: steps of 12 and 8 from 6 and 4
    assert one.stability_score == 1
    assert one.crop_box == (0, 0, 96, 64)
    assert one.size == SIZE


def test_the_best_comes_first():
    found = automatic_masks(IMAGE, Discs({1: 0.9, 2: 0.99, 3: 0.93}), points_per_side=16)
    assert [round(one.predicted_iou, 2) for one in found] == [0.99, 0.93, 0.9]


@pytest.mark.parametrize(("threshold", "count"), [(0.88, 2), (0.93, 1), (0.0, 3)])
def test_masks_stay_that_are_predicted_to_be_better(threshold, count):
    network = Discs({1: 0.95, 2: 0.89, 3: 0.1})
    one_answer = network.masks
    network.masks = lambda *given: tuple(part[:, :1] for part in one_answer(*given))
    assert len(automatic_masks(IMAGE, network, points_per_side=16, pred_iou_thresh=threshold)) == count


def test_stability_is_iou_of_the_masks_by_two_thresholds():
    logits = np.array([[-3, -1, -0.5, 0.5], [1, 1.5, 2, 3]], np.float32)
    assert stability_score(logits, 1.0) == 3 / 6  # above 1: 3; above -1: 6
    assert stability_score(logits, 0.0) == 1
    assert stability_score(np.full((2, 2), -5, np.float32), 1.0) == 0


class Wavering(Discs):
    """Is less sure of what lies right of column 14."""

    def enlarge(self, logits, size):
        return np.where(np.arange(size[1]) < 14, logits, logits / 20)


@pytest.mark.parametrize(("threshold", "count"), [(0.95, 0), (0.01, 1)])
def test_masks_stay_that_are_stable(threshold, count):
    image = picture(SIZE, [(14, 14, 8)])
    found = automatic_masks(image, Wavering(), points_per_side=16, stability_score_thresh=threshold)
    assert len(found) == count


def test_the_network_sees_each_crop_once():
    network = Discs()
    automatic_masks(IMAGE, network, points_per_side=4, points_per_batch=3, crop_n_layers=1)
    assert network.embedded[0] == (64, 96, 1)
    assert len(network.embedded) == 5


def test_crops_find_what_the_grid_of_the_whole_misses_and_prefer_their_own():
    image = picture((200, 200), [(60, 60, 3), (150, 150, 15)])
    whole = automatic_masks(image, Discs(), points_per_side=10)
    found = automatic_masks(image, Discs(), points_per_side=10, crop_n_layers=2)
    assert len(whole) == 1
    assert found_masks(found) == {disc((200, 200), *each).tobytes() for each in [(60, 60, 3), (150, 150, 15)]}
    assert max(one.crop_box[2] for one in found) < 200


def test_small_regions_go_and_what_is_the_same_then_is_one():
    image = picture(SIZE, [(30, 30, 12)])
    image[30, 30], image[60, 90] = 0, 1
    as_it_is = automatic_masks(image, Discs(), points_per_side=16)
    tidy = automatic_masks(image, Discs(), points_per_side=16, min_mask_region_area=5)
    assert as_it_is[0].bbox == (18, 18, 72, 42)
    assert [one.mask.tobytes() for one in tidy] == [disc(SIZE, 30, 30, 12).tobytes()]
    assert tidy[0].bbox == (18, 18, 24, 24)
    assert tidy[0].area == disc(SIZE, 30, 30, 12).sum()


def test_an_empty_image_has_no_objects():
    nothing = np.zeros((*SIZE, 1), np.uint8)
    lenient = {"pred_iou_thresh": 0, "stability_score_thresh": 0, "min_mask_region_area": 3}
    assert automatic_masks(nothing, Discs(), points_per_side=4, crop_n_layers=1, **lenient) == []


def test_layers_without_points_are_refused():
    with pytest.raises(UserError, match="no point in layer 3"):
        automatic_masks(IMAGE, Discs(), points_per_side=4, crop_n_layers=3, crop_n_points_downscale_factor=2)


def test_runs_are_those_of_the_mask():
    for seed in range(20):
        mask = np.random.default_rng(seed).random((5, 7)) < 0.5
        assert list(runs(*np.nonzero(mask), mask.shape)) == rle.encode_labels(mask.astype(int))[1]


def test_a_box_goes_from_the_first_to_the_last_pixel():
    assert bounding_box(np.array([2, 3, 3]), np.array([5, 4, 6])) == (4, 2, 2, 1)
