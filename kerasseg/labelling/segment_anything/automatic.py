"""Automatic masks: ask Segment Anything at a grid of points, and keep what it is sure of, each object once.

The steps, parameters and defaults are those of `SamAutomaticMaskGenerator` (Apache-2.0,
facebookresearch/segment-anything, `automatic_mask_generator.py`; Kirillov et al. 2023,
doi:10.1109/ICCV51070.2023.00371, appendix B): predicted IoU, stability, edges of crops, boxes within a crop,
boxes between crops, small regions. What it does to a batch of masks at once is done here mask by mask, and
only to those that the network is sure of, so that memory holds one large mask at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from kerasseg.errors import UserError
from kerasseg.labelling.segment_anything.boxes import suppress
from kerasseg.labelling.segment_anything.found import Found, box_of, runs
from kerasseg.labelling.segment_anything.grids import Crop, crops, near_edge, points_in
from kerasseg.labelling.segment_anything.kerashub import Network
from kerasseg.labelling.segment_anything.regions import without_small_regions

MASK_THRESHOLD = 0.0  # logits above it are the object


class Limits(NamedTuple):
    """How good a mask has to be: see `pred_iou_thresh` and the two after it in :func:`automatic_masks`."""

    predicted_iou: float
    stability: float
    offset: float


def automatic_masks(
    image: np.ndarray,
    network: Network,
    *,
    points_per_side: int = 32,
    points_per_batch: int = 64,
    pred_iou_thresh: float = 0.88,
    stability_score_thresh: float = 0.95,
    stability_score_offset: float = 1.0,
    box_nms_thresh: float = 0.7,
    crop_n_layers: int = 0,
    crop_nms_thresh: float = 0.7,
    crop_overlap_ratio: float = 512 / 1500,
    crop_n_points_downscale_factor: int = 1,
    min_mask_region_area: int = 0,
) -> list[Found]:
    """Find all objects of an image.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X, C)
        As `network` takes it.
    network : Network
        It embeds each crop once.
    points_per_side : int
        Points along each side of the grid.
    points_per_batch : int
        Points that the network is asked at once.
    pred_iou_thresh : float
        In [0, 1]; masks stay of which the network predicts a larger intersection over union with the truth.
    stability_score_thresh : float
        In [0, 1]; masks stay whose stability is at least this.
    stability_score_offset : float
        By how much the logits' threshold is moved to measure stability.
    box_nms_thresh : float
        Intersection over union of their boxes above which two masks of a crop are one object.
    crop_n_layers : int
        Layers of crops, of 2 x 2, 4 x 4, ..., that the network sees in addition to the whole image.
    crop_nms_thresh : float
        As `box_nms_thresh`, for masks of different crops; the one of the smaller crop stays.
    crop_overlap_ratio : float
        By which part of the image's shorter side the crops of the first layer overlap.
    crop_n_points_downscale_factor : int
        By which a layer has fewer points along a side than the layer before.
    min_mask_region_area : int
        Holes and islands of fewer pixels are filled and removed; 0 leaves them.

    Returns
    -------
    list of Found
        The best first: by predicted IoU, or by the size of crops where there are several. A mask without a
        single pixel is never among them, which the original would keep at thresholds of 0.

    Raises
    ------
    UserError
        If not a single point is left in a layer of crops.
    """
    if points_per_side // crop_n_points_downscale_factor**crop_n_layers < 1:
        raise UserError(
            f"points_per_side {points_per_side} leaves no point in layer {crop_n_layers} of crops, which has "
            f"{crop_n_points_downscale_factor}^{crop_n_layers} times fewer along a side; lower crop_n_layers "
            "or crop_n_points_downscale_factor"
        )
    limits = Limits(pred_iou_thresh, stability_score_thresh, stability_score_offset)
    cut = crops(image.shape[:2], crop_n_layers, crop_overlap_ratio)
    found = []
    for crop in cut:
        points = points_in(crop, points_per_side, crop_n_points_downscale_factor)
        seen = list(_in_crop(image, crop, network, points, points_per_batch, limits))
        found += _best(seen, [one.predicted_iou for one in seen], box_nms_thresh)
    if len(cut) > 1:
        found = _best(found, [1 / (one.crop_box[2] * one.crop_box[3]) for one in found], crop_nms_thresh)
    if min_mask_region_area > 0:
        found = _tidied(found, min_mask_region_area, max(box_nms_thresh, crop_nms_thresh))
    return found


def stability_score(logits: np.ndarray, offset: float, threshold: float = MASK_THRESHOLD) -> float:
    """Measure how little a mask depends on its threshold: IoU of the masks by a higher and a lower one.

    Parameters
    ----------
    logits : numpy.ndarray, shape (Y, X), float32
    offset : float
        How much higher and lower.
    threshold : float

    Returns
    -------
    float
        In [0, 1]; 0 for a mask that is empty even by the lower threshold.
    """
    core = np.count_nonzero(logits > threshold + offset)
    return float(core / max(np.count_nonzero(logits > threshold - offset), 1))


def _in_crop(
    image: np.ndarray, crop: Crop, network: Network, points: np.ndarray, at_once: int, limits: Limits
) -> Iterator[Found]:
    """Ask at all points of a crop; objects may be found many times."""
    x0, y0, x1, y1 = crop.box
    embedding = network.embed(image[y0:y1, x0:x1])
    for first in range(0, len(points), at_once):
        batch = points[first : first + at_once]
        logits, predicted = network.masks(embedding, batch)
        for at, answer in np.argwhere(_sure(predicted, limits.predicted_iou)).tolist():
            enlarged = network.enlarge(logits[at, answer], crop.size)
            stability = stability_score(enlarged, limits.offset)
            mask = enlarged > MASK_THRESHOLD
            if stability < limits.stability or not mask.any():
                continue
            one = _record(mask, crop, image.shape[:2], float(predicted[at, answer]), batch[at], stability)
            if not near_edge(one.box, crop, image.shape[:2]):
                yield one


def _sure(predicted: np.ndarray, threshold: float) -> np.ndarray:
    """Tell which masks the network is sure of: at 0 of all, though it may predict less."""
    return predicted > threshold if threshold > 0 else np.ones(predicted.shape, bool)


def _record(
    mask: np.ndarray,
    crop: Crop,
    size: tuple[int, int],
    predicted_iou: float,
    point: np.ndarray,
    stability: float,
) -> Found:
    """Write down an object that was found in a crop, in pixels of the image."""
    rows, columns = np.nonzero(mask)
    x0, y0, x1, y1 = crop.box
    return Found(
        segmentation=runs(rows + y0, columns + x0, size),
        size=size,
        area=rows.size,
        bbox=box_of(rows + y0, columns + x0),
        predicted_iou=predicted_iou,
        point_coords=(float(point[0]) + x0, float(point[1]) + y0),
        stability_score=stability,
        crop_box=(x0, y0, x1 - x0, y1 - y0),
    )


def _best(found: list[Found], scores: Sequence[float], threshold: float) -> list[Found]:
    """Keep of those that are one object by their boxes the one of the highest score."""
    return [found[at] for at in suppress(np.array([one.box for one in found]), scores, threshold)]


def _tidied(found: list[Found], smallest: int, threshold: float) -> list[Found]:
    """Fill small holes and remove small islands; of what is one object then, the one left as it was stays."""
    tidy = [_without_small_regions(one, smallest) for one in found]
    unchanged = [float(new is old) for new, old in zip(tidy, found, strict=True)]
    return _best(tidy, unchanged, threshold)


def _without_small_regions(one: Found, smallest: int) -> Found:
    mask = one.mask
    tidy = without_small_regions(mask, smallest)
    if tidy is mask:
        return one
    rows, columns = np.nonzero(tidy)
    box = box_of(rows, columns)
    return replace(one, segmentation=runs(rows, columns, one.size), area=rows.size, bbox=box)
