"""The part of an image that is learnt from, or that the model sees as a channel beside the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.data.sample import Annotation, Sample
from kerasseg.errors import UserError
from kerasseg.images.folders import file_name
from kerasseg.images.masks import IGNORE
from kerasseg.images.stores.store import open_store

SUFFIXES = (".mask.png", ".mask.ome.tif")  # of images and of volumes, as predictions are named


def within(sample: Sample, masks: Path, id: int) -> Sample:
    """Ignore what lies outside a region.

    Parameters
    ----------
    sample : Sample
    masks : Path
        Folder that has a mask of the sample's size and name, such as ``<name>.mask.png``; that of a volume is
        ``<name>.mask.ome.tif``.
    id : int
        The number of the region in it.

    Returns
    -------
    Sample
        Its annotation raises UserError if there is no such mask, or it is of another size.
    """
    return replace(sample, annotate=partial(_limited, sample, masks, id), by_region=False)


def seeing(sample: Sample, regions: Sequence[tuple[Path, int]]) -> Sample:
    """Let the model see regions, a channel each.

    Parameters
    ----------
    sample : Sample
    regions : sequence of (Path, int)
        Folders of masks and numbers in them, as in `within`.

    Returns
    -------
    Sample
    """
    channels = tuple(partial(_is_within, sample, *region) for region in regions)
    return replace(sample, channels=channels, by_region=False)


def _is_within(sample: Sample, masks: Path, region: int) -> np.ndarray:
    return _read(sample, masks) == region


def _limited(sample: Sample, masks: Path, region: int) -> Annotation:
    annotation = sample.annotate()
    mask = annotation.mask.copy()
    mask[_read(sample, masks) != region] = IGNORE
    return replace(annotation, mask=mask)


def mask_of(sample: Sample, masks: Path) -> Path | None:
    """Find a sample's mask in a folder of masks; None where there is none."""
    named = [masks / f"{file_name(sample.name)}{suffix}" for suffix in SUFFIXES]
    return next((path for path in named if path.exists()), None)


def _read(sample: Sample, masks: Path) -> np.ndarray:
    path = mask_of(sample, masks)
    if path is None:
        expected = f"{masks / file_name(sample.name)}{SUFFIXES[0]} or {SUFFIXES[1]}"
        raise UserError(f"{sample.image}: there is no mask of its region, {expected}")
    with open_store(path, values=True) as store:
        mask = store.read((slice(None),) * len(sample.size)) if store.shape[:-1] == sample.size else None
    if mask is None or mask.shape[-1] != 1:
        size = " x ".join(map(str, sample.size))
        raise UserError(f"{path}: expected one number for each pixel of {sample.image}, which is {size}")
    return mask[..., 0]
