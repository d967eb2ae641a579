"""Mask to labels. Every function takes images and volumes alike."""

from kerasseg.postprocess.cleaning import by_size
from kerasseg.postprocess.components import fill_holes, labels, remove_small
from kerasseg.postprocess.splitting import boundary, watershed

INSTANCES = {"components": labels, "watershed": watershed, "boundary": boundary, "by_size": by_size}

__all__ = [
    "INSTANCES",
    "boundary",
    "by_size",
    "fill_holes",
    "labels",
    "remove_small",
    "watershed",
]
