"""Images and masks: in two folders by the same names, or in one folder and told apart by a suffix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations import masks as mask_files
from kerasseg.annotations.values import Meaning
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.layouts import subfolder
from kerasseg.data.sources.listing import annotated, existing, folder_of, listed, pairs
from kerasseg.errors import Mistakes, UserError, unknown
from kerasseg.images.stores.store import Region
from kerasseg.images.stores.volume import Slide


def images_masks(
    root: Path,
    classes: list[str],
    *,
    images: str = "images",
    masks: str = "masks",
    suffix: str = "",
    values: Mapping[str, int] | None = None,
    colours: Mapping[str, Sequence[int]] | None = None,
) -> list[Sample]:
    """List images with masks of class ids, of 0 and 255, of a palette, or of colours.

    What the numbers mean is found once for all masks: :mod:`kerasseg.annotations.values`.

    Parameters
    ----------
    root : Path
        Folder of the data.
    classes : list of str
        Names of the classes 1, 2, ...
    images, masks : str, default "images" and "masks"
        Folders in `root`; the same for both, as in ``"."``, needs a suffix.
    suffix : str, default ""
        What a mask's name has after its image's: ``_mask`` where ``a.tif`` has ``a_mask.png``.
    values : mapping of str to int, optional
        The number of each class by its name, and of ``ignore``, where masks do not hold class ids.
    colours : mapping of str to (int, int, int), optional
        Red, green and blue of each class by its name, where masks hold colours; by default those in CVAT's
        ``labelmap.txt``, where there is one in `root`.

    Returns
    -------
    list of Sample

    Raises
    ------
    MissingData
        If there is no `root`.
    UserError
        If anything is wrong with any file; all of it at once.
    """
    root = existing(root)
    mistakes = Mistakes()
    image_folder = subfolder(root, images, "images_masks", "images")
    mask_folder = subfolder(root, masks, "images_masks", "masks")
    matched = pairs(image_folder, mask_folder, suffix, mistakes)
    colours = colours or _labelmap(root, classes)
    read = partial(mask_files.read_colours, classes=classes, colours=colours)
    if colours is None:
        meaning = Meaning({})
        with mistakes.noted():
            paths = [mask for _, mask in matched.values()]
            meaning = mask_files.meaning_of(paths, classes, values, "data.source.images_masks.values")
        read = partial(mask_files.read_mask, meaning=meaning)
    samples = []
    for name, (image, mask) in matched.items():
        with mistakes.noted():
            attributes, annotate = folder_of(image, root), partial(_annotate, read, mask)
            image, size = annotated(image, mask)
            parts = {"by_region": isinstance(image, Slide)}
            samples.append(Sample(name, image, size, annotate, attributes, **parts))
    mistakes.check()
    return listed(samples, root, "images_masks", f"images in {images} and their masks in {masks}")


def _labelmap(root: Path, classes: Sequence[str]) -> dict[str, tuple[int, int, int]] | None:
    """Take the classes' colours from CVAT's file; other classes' colours stay strange, and so are refused.

    Raises
    ------
    UserError
        If a class has none.
    """
    path = root / mask_files.LABEL_MAP
    if not path.is_file():
        return None
    colours = mask_files.read_label_map(path)
    if strangers := [name for name in classes if name not in colours]:
        raise UserError(*(f"{path}: {unknown('class', name, colours)} (data.classes)" for name in strangers))
    return {name: colours[name] for name in ("background", *classes) if name in colours}


def _annotate(read: Callable[..., np.ndarray], mask: Path, region: Region | None = None) -> Annotation:
    return Annotation(read(mask, region=region))
