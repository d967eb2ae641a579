"""Proposals by Segment Anything: what it finds on a tile, as outlines for a person to accept or correct."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kerasseg.annotations.shapes import Shape
from kerasseg.annotations.trace import TOLERANCE, outline, pixels_shape
from kerasseg.labelling.proposals import Proposal, Proposer
from kerasseg.labelling.segment_anything.automatic import SamMask, SamSettings, automatic_masks
from kerasseg.labelling.segment_anything.kerashub import Network


def by_segment_anything(network: Network, label: str, settings: SamSettings) -> Proposer:
    """Let Segment Anything propose objects of one class, for it tells no classes apart.

    The score is the mean of the IoU that the network predicts, the uncertainty 1 minus the mean stability;
    where it finds nothing it has nothing to say of either.

    Parameters
    ----------
    network : Network
    label : str
        The recipe's class.
    settings : SamSettings
        The recipe's. Objects of fewer pixels than `smallest`, and those that cover more than the share
        `largest` of the tile, are left out.
    """

    def propose(image: np.ndarray, name: str) -> Proposal:
        largest = settings.largest * image.shape[0] * image.shape[1]
        masks = [
            mask
            for mask in automatic_masks(image, network, settings)
            if settings.smallest <= mask.area <= largest
        ]
        if not masks:
            return Proposal([], None, None)
        score = np.mean([mask.predicted_iou for mask in masks])
        stability = np.mean([mask.stability_score for mask in masks])
        return Proposal(shapes(masks, label), float(score), float(1 - stability))

    return propose


def shapes(masks: Iterable[SamMask], label: str, tolerance: float = TOLERANCE) -> list[Shape]:
    """Outline objects, larger ones first, so that smaller ones, which may be their parts, lie on top.

    Parameters
    ----------
    masks : iterable of SamMask
        The objects of one image.
    label : str
        The label of all of them.
    tolerance : float
        Pixels by which an outline may move.

    Returns
    -------
    list of Shape
        Polygons, those of one object under one ``group_id``, and ``mask`` shapes where there are holes.
    """
    larger_first = sorted(masks, key=lambda mask: -mask.area)
    drawn = (pixels_shape(*np.divmod(mask.pixels, mask.size[1]), label) for mask in larger_first)
    return outline(drawn, tolerance)
