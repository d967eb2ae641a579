"""What people labelled in a labelling folder: the tiles that they accepted or edited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kerasseg.annotations import labelme as labelme_files
from kerasseg.data.sample import Sample
from kerasseg.data.sources.listing import existing
from kerasseg.data.sources.shapes import drawn_sample
from kerasseg.errors import Mistakes, UserError
from kerasseg.labelling import folder
from kerasseg.labelling.queue import queue as review
from kerasseg.labelling.queue.table import Entry


def queue(root: Path, classes: list[str]) -> list[Sample]:
    """List the tiles that were accepted or edited.

    Parameters
    ----------
    root : Path
        The labelling folder.
    classes : list of str
        Names of the classes 1, 2, ...: the labels of the shapes.

    Returns
    -------
    list of Sample
        Images are the tiles as they were cut, with the attributes ``part``, ``cluster``, ``round`` and
        ``proposer`` of the queue. A tile without shapes has nothing on it.

    Raises
    ------
    MissingData
        If there is no `root`.
    UserError
        If no tile is labelled, or anything is wrong with any file; all of it at once.
    """
    root, mistakes, samples = existing(root), Mistakes(), []
    images = folder.tile_images(root)
    for entry in _labelled(root):
        with mistakes.noted():
            samples.append(_sample(root, entry, images, classes))
    mistakes.check()
    return samples


def _labelled(root: Path) -> list[Entry]:
    entries = review.read(root)
    labelled = review.labelled(entries)
    if not labelled:
        waiting = len(review.waiting(entries))
        verb = "review" if waiting else "select"
        raise UserError(
            f"{root}: no tile is labelled yet; {waiting} of {len(entries)} tiles in the queue wait. "
            f"Type kerasseg label {verb} RECIPE"
        )
    return labelled


def _sample(root: Path, entry: Entry, images: dict[str, Path], classes: list[str]) -> Sample:
    path = folder.drawing_path(root, entry.tile)
    drawing = replace(labelme_files.read(path), image_data=None)  # samples hold no pixels
    image = folder.tile_image(images, root, entry.tile)
    sample = drawn_sample(root, root / "tiles", image, drawing, path, classes)
    told = {"part": entry.part, "cluster": str(entry.cluster), "round": str(entry.round)}
    return replace(sample, attributes={**sample.attributes, **told, "proposer": entry.proposer})
