"""Which of the objects that were found are wanted."""

from __future__ import annotations

from collections.abc import Iterable

from kerasseg.labelling.segment_anything.found import Found


def chosen(
    found: Iterable[Found],
    *,
    smallest: int = 0,
    largest: float = 1.0,
    stability: float = 0.0,
    predicted_iou: float = 0.0,
) -> list[Found]:
    """Leave out what is too small, too large, or not good enough.

    Parameters
    ----------
    found : iterable of Found
        Of one image or tile.
    smallest : int
        Pixels that an object has at least.
    largest : float
        Share of the image that an object covers at most: what covers nearly all is background.
    stability, predicted_iou : float
        That an object has at least.
    """
    return [
        one
        for one in found
        if smallest <= one.area <= largest * one.size[0] * one.size[1]
        and one.stability_score >= stability
        and one.predicted_iou >= predicted_iou
    ]


def larger_first(found: Iterable[Found]) -> list[Found]:
    """Order objects so that smaller ones, which may be parts of larger ones, lie on top."""
    return sorted(found, key=lambda one: -one.area)
