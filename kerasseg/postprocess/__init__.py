"""Probabilities to mask, mask to labels. Every function takes images and volumes alike."""

from kerasseg.postprocess.classes import ACTIVATIONS, layers, mask, numbered
from kerasseg.postprocess.components import fill_holes, labels, remove_small
from kerasseg.postprocess.splitting import boundary, watershed

INSTANCES = {"components": labels, "watershed": watershed, "boundary": boundary}

__all__ = [
    "ACTIVATIONS",
    "INSTANCES",
    "boundary",
    "fill_holes",
    "labels",
    "layers",
    "mask",
    "numbered",
    "remove_small",
    "watershed",
]
