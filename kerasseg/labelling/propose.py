"""Shapes that a program proposes, so that a person need only accept, mend or reject them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.annotations.trace import trace_labels
from kerasseg.console import say, track
from kerasseg.errors import Mistakes, UserError
from kerasseg.images import files
from kerasseg.labelling import folder, view
from kerasseg.labelling.queue import marked, states
from kerasseg.labelling.queue.file import change_entry, read
from kerasseg.labelling.queue.marked import Marked
from kerasseg.labelling.queue.table import Entry
from kerasseg.segmenter import Segmenter


@dataclass(frozen=True)
class Proposal:
    """What a program sees on a tile.

    Attributes
    ----------
    shapes : list of Shape
    score : float or None
        How good it thinks they are, the more the better; None where it has nothing to say.
    uncertainty : float or None
        How unsure it is of the tile, by which people look at the most unsure first.
    """

    shapes: list[Shape]
    score: float | None
    uncertainty: float | None


Proposer = Callable[[np.ndarray, str], Proposal]
"""From a tile (Y, X, C) as it is stored, and its name, to a proposal."""


PROPOSED, THERE, LEFT = OUTCOMES = ("proposed", "there already", "left as people drew or rejected them")


class _Left(Exception):
    """There is a person's work, which stays."""


def propose(root: Path, names: Sequence[str], proposer: Proposer, *, by: str, model: str) -> list[str]:
    """Propose shapes for tiles of the queue; what a person labelled or drew is left as it is.

    A tile has its view and its labelme file when its line in the queue says ``proposed``; so what was killed
    can be repeated, and goes on.

    Parameters
    ----------
    root : Path
        The labelling folder.
    names : sequence of str
        Tiles of the queue.
    proposer : callable
        From a tile and its name to a `Proposal`.
    by : str
        What the proposer is called, such as ``sam``.
    model : str
        Its version, by which a repetition recognises what it did already.

    Returns
    -------
    list of str
        Tiles for which shapes were proposed now.

    Raises
    ------
    UserError
        If a tile is not in the queue, before anything is done; if tiles or labelme files cannot be read,
        after all others were done.
    """
    entries, images = _entries(root, names), folder.tile_images(root)
    mistakes, outcomes = Mistakes(), {}
    for name in track(names, f"proposing by {by}"):
        with mistakes.noted():
            image = folder.tile_image(images, root, name)
            outcomes[name] = _propose_one(root, entries[name], image, proposer, by, model)
    counts = Counter(outcomes.values())
    say(f"{root}: " + ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES))
    mistakes.check()
    return [name for name, outcome in outcomes.items() if outcome == PROPOSED]


def unproposed(root: Path, names: Sequence[str]) -> list[str]:
    """Put tiles before a person as they are, with nothing on them; what is there already is left.

    Parameters
    ----------
    root : Path
        The labelling folder.
    names : sequence of str
        Tiles of the queue, which stay ``selected``.

    Returns
    -------
    list of str
        Those that had no labelme file.

    Raises
    ------
    UserError
        As :func:`propose`.
    """
    _entries(root, names)
    images, mistakes, done = folder.tile_images(root), Mistakes(), []
    for name in track(names, "preparing tiles"):
        with mistakes.noted():
            image, path = folder.tile_image(images, root, name), folder.drawing_path(root, name)
            view.put(root, name, image)
            if not path.is_file():
                marked.propose(path, Drawing(f"{name}.png", files.header(image).size, []), "", "")
                done.append(name)
    mistakes.check()
    return done


def by_model(segmenter: Segmenter) -> Proposer:
    """Let a model of exclusive classes propose the objects that it finds.

    The score is the mean probability of the pixels found, each that of its class. The uncertainty is the mean
    over all pixels of 1 - abs(2 p - 1) for sigmoids, over all classes too, and for softmax of 1 - (p1 - p2),
    the margin between the two likeliest classes (Scheffer et al. 2001, doi:10.1007/3-540-44816-0_31): for two
    classes both are one. It is 0 where the model is sure of each pixel, and 1 where it knows nothing.
    """
    spec = segmenter.spec

    def proposer(image: np.ndarray, name: str) -> Proposal:
        probabilities = segmenter.predict(image, name)
        mask = spec.decide(probabilities)
        labels = spec.label(mask)
        shapes = trace_labels(labels, lambda label: spec.classes[_most(mask[labels == label]) - 1])
        class_ids = np.where(labels > 0, mask, 0)
        return Proposal(
            shapes,
            _score(spec.foreground(probabilities), class_ids),
            uncertainty(probabilities, spec.activation),
        )

    return proposer


def uncertainty(probabilities: np.ndarray, activation: str) -> float:
    """Measure how unsure a model is of an image, from 0 to 1; see :func:`by_model`."""
    if activation == "softmax":
        least, most = np.moveaxis(np.sort(probabilities, axis=-1)[..., -2:], -1, 0)
        return float(1 - np.mean(most - least))
    return float(1 - np.mean(np.abs(2 * probabilities - 1)))


def _score(probabilities: np.ndarray, class_ids: np.ndarray) -> float | None:
    """Average the probabilities of the classes found; None where nothing was."""
    rows, columns = np.nonzero(class_ids)
    chosen = probabilities[rows, columns, class_ids[rows, columns].astype(int) - 1]
    return float(chosen.mean()) if chosen.size else None


def _most(values: np.ndarray) -> int:
    """Find the class of most pixels; filled holes and grown edges are of none."""
    return int(np.bincount(values[values > 0]).argmax())


def _propose_one(root: Path, entry: Entry, image: Path, proposer: Proposer, by: str, model: str) -> str:
    path = folder.drawing_path(root, entry.tile)
    before = marked.read(path) if path.is_file() else None
    if entry.state == "proposed" and _is_by(before, by, model) and not before.is_changed:
        return THERE
    if _is_a_persons(entry, before) or (entry.state == "rejected" and _is_by(before, by, model)):
        return LEFT
    pixels = files.read(image)
    proposal = proposer(pixels, entry.tile)
    view.put(root, entry.tile, image)
    drawing = Drawing(f"{entry.tile}.png", pixels.shape[:2], proposal.shapes)
    if not _written(root, path, drawing, entry, by, model):
        return LEFT
    change_entry(root, entry.tile, lambda e: states.proposed(e, by, proposal.uncertainty, proposal.score))
    return PROPOSED


def _written(root: Path, path: Path, drawing: Drawing, before: Entry, by: str, model: str) -> bool:
    """Write a proposal, unless a person drew or decided while it was made."""

    def write(temporary: Path) -> None:
        there = marked.read(path) if path.is_file() else None
        if _is_a_persons(_entries(root, [before.tile])[before.tile], there):
            raise _Left
        kept = {"flags": there.drawing.flags, "other": there.drawing.other} if there else {}
        marked.propose(temporary, replace(drawing, **kept), by, model)

    try:
        folder.rewrite(path, write)
    except _Left:
        return False
    return True


def _is_a_persons(entry: Entry, found: Marked | None) -> bool:
    return entry.state not in states.MAY_BE_PROPOSED or (found is not None and found.is_changed)


def _is_by(found: Marked | None, by: str, model: str) -> bool:
    return (
        found is not None
        and found.mark is not None
        and (found.mark.proposer, found.mark.model) == (by, model)
    )


def _entries(root: Path, names: Sequence[str]) -> dict[str, Entry]:
    entries = {entry.tile: entry for entry in read(root)}
    strangers = [name for name in names if name not in entries]
    if strangers:
        path = folder.queue_path(root)
        raise UserError(
            *(f"{path}: tile {name!r} is not in the queue; select it first" for name in strangers)
        )
    return entries
