"""What people labelled in a labelling folder: the tiles that they accepted or edited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kerasseg.annotations import labelme
from kerasseg.data.sample import Sample
from kerasseg.data.sources.listing import drawn_sample, existing
from kerasseg.errors import Mistakes, UserError
from kerasseg.labelling import folder, queue
from kerasseg.labelling.entries import Entry


def labelled_tiles(root: Path, classes: list[str]) -> list[Sample]:
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
    root = existing(root)
    entries = queue.read(root)
    labelled = queue.labelled(entries)
    if not labelled:
        waiting = len(queue.waiting(entries))
        raise UserError(
            f"{root}: no tile is labelled yet; {waiting} of {len(entries)} tiles in the queue wait. "
            f"Type kerasseg label {'review' if waiting else 'select'} RECIPE"
        )
    samples, mistakes = [], Mistakes()
    for entry in labelled:
        with mistakes.noted():
            samples.append(_sample(root, entry, classes))
    mistakes.check()
    return samples


def _sample(root: Path, entry: Entry, classes: list[str]) -> Sample:
    path = folder.drawing_path(root, entry.tile)
    drawing = replace(labelme.read(path), image_data=None)  # samples hold no pixels
    image = folder.existing_tile(root, entry.tile)
    sample = drawn_sample(root, root / folder.TILES, image, drawing, path, classes)
    attributes = {"part": entry.part, "cluster": str(entry.cluster), "round": str(entry.round)}
    return replace(sample, attributes={**sample.attributes, **attributes, "proposer": entry.proposer})
