"""Automatic masks: ask Segment Anything at a grid of points, and keep what it is sure of, each object once.

The steps and parameters are those of `SamAutomaticMaskGenerator` (Apache-2.0,
facebookresearch/segment-anything, `automatic_mask_generator.py`; Kirillov et al. 2023,
doi:10.1109/ICCV51070.2023.00371, appendix B): predicted IoU, stability, edges of crops, boxes within a crop,
boxes between crops, small regions. What it does to a batch of masks at once is done here mask by mask, and
only to those that the network is sure of, so that memory holds one large mask at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from kerasseg.annotations import rle
from kerasseg.errors import UserError
from kerasseg.labelling.segment_anything.geometry import (
    Crop,
    crops,
    is_near_edge,
    points_in,
    suppress,
    without_small_regions,
)
from kerasseg.labelling.segment_anything.kerashub import Network

MASK_THRESHOLD = 0.0  # logits above it are the object

Box = tuple[int, int, int, int]


class SamSettings(Protocol):
    """The recipe's settings; `kerasseg.recipe.labelling.SegmentAnything` says what each means."""

    smallest: int
    largest: float
    points_per_side: int
    points_per_batch: int
    pred_iou_thresh: float
    stability_score_thresh: float
    stability_score_offset: float
    box_nms_thresh: float
    crop_n_layers: int
    crop_nms_thresh: float
    crop_overlap_ratio: float
    crop_n_points_downscale_factor: int
    min_mask_region_area: int


@dataclass(frozen=True)
class SamMask:
    """One object, its mask as run lengths.

    The fields are those of the original's records, which by default hold masks as whole images; runs cost no
    more than the outlines, so that a thousand objects of a large image fit into memory.

    Attributes
    ----------
    segmentation : tuple of int
        Runs of `kerasseg.annotations.rle`: start, length, start, length, ... row by row, from 1.
    size : tuple of int
        Height and width of the image.
    area : int
        Pixels of the mask.
    bbox : tuple of int
        x, y, width and height from the centre of the first to the centre of the last pixel: as in the
        original, width and height are one less than the number of pixels.
    predicted_iou : float
        How good the network says the mask is: its intersection over union with the true one.
    point_coords : tuple of float
        The point (x, y) for which the network gave the mask.
    stability_score : float
        How little the mask depends on the threshold of the network's answer, in [0, 1].
    crop_box : tuple of int
        x, y, width and height of the part of the image at which the network looked.
    """

    segmentation: tuple[int, ...]
    size: tuple[int, int]
    area: int
    bbox: Box
    predicted_iou: float
    point_coords: tuple[float, float]
    stability_score: float
    crop_box: Box

    @property
    def pixels(self) -> np.ndarray:
        """Where its pixels lie in the image's values row by row: (N,) int64."""
        return rle.pixels(self.segmentation, self.size)

    @property
    def mask(self) -> np.ndarray:
        """The mask: (Y, X) bool."""
        return rle.decode(self.segmentation, self.size)

    @property
    def box(self) -> Box:
        """First and last pixel: x0, y0, x1, y1."""
        x, y, width, height = self.bbox
        return x, y, x + width, y + height


def automatic_masks(image: np.ndarray, network: Network, settings: SamSettings) -> list[SamMask]:
    """Find all objects of an image.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X, C)
        As `network` takes it.
    network : Network
        It embeds each crop once.
    settings : SamSettings
        The numbers of the mask generator; `smallest` and `largest` are not looked at.

    Returns
    -------
    list of SamMask
        The best first: by predicted IoU, or by the size of crops where there are several. A mask without a
        single pixel is never among them, which the original would keep at thresholds of 0.

    Raises
    ------
    UserError
        If not a single point is left in a layer of crops.
    """
    fewer = settings.crop_n_points_downscale_factor**settings.crop_n_layers
    if settings.points_per_side // fewer < 1:
        raise UserError(
            f"points_per_side {settings.points_per_side} leaves no point in layer {settings.crop_n_layers} "
            f"of crops, which has {fewer} times fewer along a side; lower crop_n_layers or "
            "crop_n_points_downscale_factor"
        )
    boxes = crops(image.shape[:2], settings.crop_n_layers, settings.crop_overlap_ratio)
    masks = []
    for crop in boxes:
        candidates = list(_candidates(image, crop, network, settings))
        masks += _best(candidates, [mask.predicted_iou for mask in candidates], settings.box_nms_thresh)
    if len(boxes) > 1:
        smaller_first = [1 / (mask.crop_box[2] * mask.crop_box[3]) for mask in masks]
        masks = _best(masks, smaller_first, settings.crop_nms_thresh)
    if settings.min_mask_region_area > 0:
        tidy = [_without_small_regions(mask, settings.min_mask_region_area) for mask in masks]
        unchanged = [float(new is old) for new, old in zip(tidy, masks, strict=True)]
        masks = _best(tidy, unchanged, max(settings.box_nms_thresh, settings.crop_nms_thresh))
    return masks


def stability_score(logits: np.ndarray, offset: float) -> float:
    """Measure how little a mask depends on its threshold: the IoU of the masks by a higher and a lower one.

    Parameters
    ----------
    logits : numpy.ndarray, shape (Y, X), float32
    offset : float
        By how much the thresholds are higher and lower.

    Returns
    -------
    float
        In [0, 1]; 0 for a mask that is empty even by the lower one.
    """
    core = np.count_nonzero(logits > MASK_THRESHOLD + offset)
    return float(core / max(np.count_nonzero(logits > MASK_THRESHOLD - offset), 1))


def _candidates(image: np.ndarray, crop: Crop, network: Network, settings: SamSettings) -> Iterator[SamMask]:
    """Ask at all points of a crop for good masks; objects may be found many times."""
    x0, y0, x1, y1 = crop.box
    size = image.shape[:2]
    embedding = network.embed(image[y0:y1, x0:x1])
    points = points_in(crop, settings.points_per_side, settings.crop_n_points_downscale_factor)
    for first in range(0, len(points), settings.points_per_batch):
        batch = points[first : first + settings.points_per_batch]
        logits, predicted = network.masks(embedding, batch)
        # at a threshold of 0 all are good, though the network may predict less
        good = (predicted > settings.pred_iou_thresh) | (settings.pred_iou_thresh <= 0)
        for point, answer in np.argwhere(good).tolist():
            enlarged = network.enlarge(logits[point, answer], crop.size)
            stability = stability_score(enlarged, settings.stability_score_offset)
            if stability < settings.stability_score_thresh:
                continue
            rows, columns = np.nonzero(enlarged > MASK_THRESHOLD)
            if not rows.size:
                continue
            mask = SamMask(
                segmentation=runs(rows + y0, columns + x0, size),
                size=size,
                area=rows.size,
                bbox=bounding_box(rows + y0, columns + x0),
                predicted_iou=float(predicted[point, answer]),
                point_coords=(float(batch[point, 0]) + x0, float(batch[point, 1]) + y0),
                stability_score=stability,
                crop_box=(x0, y0, x1 - x0, y1 - y0),
            )
            if not is_near_edge(mask.box, crop, size):
                yield mask


def _best(masks: list[SamMask], scores: Sequence[float], threshold: float) -> list[SamMask]:
    """Keep of those that are one object by their boxes the one of the highest score."""
    return [masks[place] for place in suppress(np.array([mask.box for mask in masks]), scores, threshold)]


def _without_small_regions(mask: SamMask, smallest: int) -> SamMask:
    """Fill small holes and remove small islands; the very mask where there are none."""
    pixels = mask.mask
    tidy = without_small_regions(pixels, smallest)
    if tidy is pixels:
        return mask
    rows, columns = np.nonzero(tidy)
    box = bounding_box(rows, columns)
    return replace(mask, segmentation=runs(rows, columns, mask.size), area=rows.size, bbox=box)


def runs(rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> tuple[int, ...]:
    """Write pixels as runs, at the cost of the object and not of the image.

    Parameters
    ----------
    rows, columns : numpy.ndarray, shape (N,), int64
        Where the pixels lie, row by row; at least one.
    size : tuple of int
        Height and width of the image.

    Returns
    -------
    tuple of int
        What `kerasseg.annotations.rle.encode` gives for the mask.
    """
    places = rows * size[1] + columns
    first = np.flatnonzero(np.diff(places, prepend=-2) != 1)
    lengths = np.diff(first, append=places.size)
    return tuple(np.stack([places[first] + 1, lengths], axis=1).ravel().tolist())


def bounding_box(rows: np.ndarray, columns: np.ndarray) -> Box:
    """Find the box around pixels, as in `SamMask`: x, y, width, height."""
    x, y = int(columns.min()), int(rows.min())
    return x, y, int(columns.max()) - x, int(rows.max()) - y
