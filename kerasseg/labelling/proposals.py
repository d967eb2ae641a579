"""Shapes that a program proposes, so that a person need only accept, mend or reject them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.annotations.trace import trace_labels
from kerasseg.console import say, track
from kerasseg.errors import Mistakes
from kerasseg.images import files
from kerasseg.labelling import folder, provenance, queue
from kerasseg.labelling.entries import MAY_BE_PROPOSED, Entry
from kerasseg.labelling.labelme_app import put_view
from kerasseg.postprocess.numbering import object_classes
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


def propose(root: Path, names: Sequence[str], proposer: Proposer, *, by: str, model: str) -> list[str]:
    """Propose shapes for tiles of the queue; what a person labelled or drew is left as it is.

    A tile has its view and its labelme file when its line in the queue says ``proposed``; so what was killed
    can be repeated, and goes on.

    Parameters
    ----------
    root : Path
    names : sequence of str
        Tiles of the queue.
    proposer : Proposer
    by : str
        The name of the proposer, such as ``model``.
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
    entries = {entry.tile: entry for entry in queue.read(root)}
    queue.check_queued(root, names, entries)
    mistakes, outcomes = Mistakes(), {}
    for name in track(names, f"proposing by {by}"):
        with mistakes.noted():
            outcomes[name] = _propose_one(root, entries[name], proposer, by, model)
    counts = Counter(outcomes.values())
    say(f"{root}: " + ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES))
    mistakes.check()
    return [name for name, outcome in outcomes.items() if outcome == PROPOSED]


def unproposed(root: Path, names: Sequence[str]) -> list[str]:
    """Put tiles before a person as they are, with nothing on them; what is there already is left.

    Returns
    -------
    list of str
        Those that had no labelme file. In the queue they stay ``selected``.

    Raises
    ------
    UserError
        As :func:`propose`.
    """
    queue.check_queued(root, names, [entry.tile for entry in queue.read(root)])
    mistakes, done = Mistakes(), []
    for name in track(names, "preparing tiles"):
        with mistakes.noted():
            put_view(root, name)
            path = folder.drawing_path(root, name)
            if not path.is_file():
                size = files.header(folder.existing_tile(root, name)).size
                provenance.propose(path, Drawing(f"{name}.png", size, []), "", "")
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
        labels = spec.label(mask, spec.landscape(probabilities))
        class_ids = object_classes([(labels, mask)], int(labels.max(initial=0)), len(spec.classes))
        shapes = trace_labels(labels, lambda label: spec.classes[class_ids[label] - 1])
        return Proposal(
            shapes,
            _score(spec.foreground(probabilities), np.where(labels > 0, mask, 0)),
            uncertainty(probabilities[..., : spec.outputs - spec.objects.by_landscape], spec.activation),
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


def _propose_one(root: Path, entry: Entry, proposer: Proposer, by: str, model: str) -> str:
    image, path = folder.existing_tile(root, entry.tile), folder.drawing_path(root, entry.tile)
    before = provenance.read_if_there(path)
    is_changed = before is not None and before.is_changed
    is_repeated = before is not None and before.is_by(by, model)
    if entry.state == "proposed" and is_repeated and not is_changed:
        return THERE
    if entry.state not in MAY_BE_PROPOSED or is_changed or (entry.state == "rejected" and is_repeated):
        return LEFT
    pixels = files.read(image)
    proposal = proposer(pixels, entry.tile)
    put_view(root, entry.tile)
    drawing = Drawing(f"{entry.tile}.png", pixels.shape[:2], proposal.shapes)
    with queue.locked(root) as entries:  # a person may have drawn or decided while the proposal was made
        queue.check_queued(root, [entry.tile], entries)
        now = entries[entry.tile]
        if now.state not in MAY_BE_PROPOSED or not provenance.propose(path, drawing, by, model):
            return LEFT
        entries[entry.tile] = now.proposed(by, proposal.uncertainty, proposal.score)
    return PROPOSED
