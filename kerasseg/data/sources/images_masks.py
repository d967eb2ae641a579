"""Images and masks: in two folders by the same names, or in one folder and told apart by a suffix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from kerasseg.annotations import masks as mask_files
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.listing import annotated_size, existing, folder_of, listed, pairs
from kerasseg.errors import Mistakes


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
        Red, green and blue of each class by its name, where masks hold colours.

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
    for name, (image, mask) in pairs(root / images, root / masks, suffix, mistakes).items():
        with mistakes.noted():
            size = annotated_size(image, mask)
            annotate = partial(_annotate, mask, classes, colours)
            samples.append(Sample(name, image, size, annotate, folder_of(image, root)))
    mistakes.check()
    return listed(samples, root, f"images in {images} and their masks in {masks}")


def _annotate(mask: Path, classes: list[str], colours: Mapping[str, Sequence[int]] | None) -> Annotation:
    return Annotation(mask_files.read_mask(mask, classes, colours))
