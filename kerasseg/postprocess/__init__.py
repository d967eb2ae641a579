"""Mask to labels. Every function takes images and volumes alike."""

from kerasseg.postprocess.components import fill_holes, labels, remove_small
from kerasseg.postprocess.splitting import boundary, watershed

INSTANCES = {"components": labels, "watershed": watershed, "boundary": boundary}

__all__ = [
    "INSTANCES",
    "boundary",
    "fill_holes",
    "labels",
    "remove_small",
    "watershed",
]
