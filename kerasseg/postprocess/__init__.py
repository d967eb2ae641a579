"""Mask to labels. Every function takes images and volumes alike."""

from kerasseg.postprocess.cleaning import by_size
from kerasseg.postprocess.components import fill_holes, labels, remove_small
from kerasseg.postprocess.splitting import boundary, deep_watershed, landscape, watershed

INSTANCES = {
    "components": labels,
    "watershed": watershed,
    "deep_watershed": deep_watershed,
    "boundary": boundary,
    "by_size": by_size,
}

__all__ = [
    "INSTANCES",
    "boundary",
    "by_size",
    "deep_watershed",
    "fill_holes",
    "labels",
    "landscape",
    "remove_small",
    "watershed",
]
