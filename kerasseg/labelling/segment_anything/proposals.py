"""Proposals by Segment Anything: what it finds on a tile, as outlines for a person to accept or mend."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerasseg.annotations.shapes import Shape
from kerasseg.annotations.trace import TOLERANCE, outline, pixels_shape
from kerasseg.labelling.propose import Proposal
from kerasseg.labelling.segment_anything.automatic import automatic_masks
from kerasseg.labelling.segment_anything.choosing import chosen, larger_first
from kerasseg.labelling.segment_anything.found import Found
from kerasseg.labelling.segment_anything.kerashub import Network


def proposer(
    network: Network,
    label: str,
    *,
    smallest: int = 0,
    largest: float = 1.0,
    tolerance: float = TOLERANCE,
    **settings: float,
) -> Callable[[np.ndarray, str], Proposal]:
    """Let Segment Anything propose objects of one class, for it tells no classes apart.

    The score is the mean of the IoU that the network predicts, the uncertainty 1 minus the mean stability;
    where it finds nothing it has nothing to say of either.

    Parameters
    ----------
    network : Network
    label : str
        The recipe's class.
    smallest : int
        Pixels that an object has at least.
    largest : float
        Share of the tile that an object covers at most.
    tolerance : float
        Pixels by which an outline may move; see `kerasseg.annotations.trace`.
    **settings
        Of `kerasseg.labelling.segment_anything.automatic_masks`, which has the thresholds of stability and
        predicted IoU.

    Returns
    -------
    callable
        From a tile (Y, X, C) as it is stored, and its name, to a `Proposal`.
    """

    def propose(image: np.ndarray, name: str) -> Proposal:
        found = chosen(automatic_masks(image, network, **settings), smallest=smallest, largest=largest)
        if not found:
            return Proposal([], None, None)
        score = np.mean([one.predicted_iou for one in found])
        stability = np.mean([one.stability_score for one in found])
        return Proposal(shapes(found, label, tolerance), float(score), float(1 - stability))

    return propose


def shapes(found: list[Found], label: str, tolerance: float = TOLERANCE) -> list[Shape]:
    """Outline objects, larger ones first, so that smaller ones are drawn on top.

    Parameters
    ----------
    found : list of Found
        Of one image.
    label : str
        Of all of them.
    tolerance : float
        Pixels by which an outline may move.

    Returns
    -------
    list of Shape
        Polygons, those of one object under one ``group_id``, and ``mask`` shapes where there are holes.
    """
    return outline((_shape(one, label) for one in larger_first(found)), tolerance)


def _shape(one: Found, label: str) -> Shape:
    return pixels_shape(*np.divmod(one.pixels, one.size[1]), label)
