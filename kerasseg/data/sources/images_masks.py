"""Images and masks: in two folders by the same names, or in one folder and told apart by a suffix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from kerasseg.annotations import cvat
from kerasseg.annotations import masks as mask_files
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.layouts import subfolder
from kerasseg.data.sources.listing import annotated_size, existing, folder_of, listed, pairs
from kerasseg.errors import Mistakes, UserError, unknown


def images_masks(
    root: Path,
    classes: list[str],
    *,
    images: str = "images",
    masks: str = "masks",
    suffix: str = "",
    colours: Mapping[str, Sequence[int]] | None = None,
) -> list[Sample]:
    """List images with masks of class ids, of 0 and 255, of a palette, or of colours.

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
    root, mistakes, samples = existing(root), Mistakes(), []
    shown = subfolder(root, images, "images_masks", "images")
    drawn = subfolder(root, masks, "images_masks", "masks")
    colours = colours or _labelmap(root, classes)
    for name, (image, mask) in pairs(shown, drawn, suffix, mistakes).items():
        with mistakes.noted():
            size = annotated_size(image, mask)
            annotate = partial(_annotate, mask, classes, colours)
            samples.append(Sample(name, image, size, annotate, folder_of(image, root)))
    mistakes.check()
    return listed(samples, root, "images_masks", f"images in {images} and their masks in {masks}")


def _labelmap(root: Path, classes: Sequence[str]) -> dict[str, tuple[int, int, int]] | None:
    """Take the classes' colours from CVAT's file; other classes' colours stay strange, and so are refused.

    Raises
    ------
    UserError
        If a class has none.
    """
    path = root / cvat.NAME
    if not path.is_file():
        return None
    colours = cvat.read_colours(path)
    if strangers := [name for name in classes if name not in colours]:
        raise UserError(*(f"{path}: {unknown('class', name, colours)} (data.classes)" for name in strangers))
    return {name: colours[name] for name in ("background", *classes) if name in colours}


def _annotate(mask: Path, classes: list[str], colours: Mapping[str, Sequence[int]] | None) -> Annotation:
    return Annotation(mask_files.read_mask(mask, classes, colours))
