"""A tile's labelme file that remembers who proposed its shapes, and what a person decided.

That is kept under a key of its own, ``"kerasseg"``, which labelme does not know and writes back as it was.
Two digests tell whether a person changed the shapes: one of the shapes as they were proposed, and one of the
shapes as they were when somebody last decided upon them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.annotations import labelme
from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.errors import UserError
from kerasseg.labelling import folder

KEY = "kerasseg"
_DECIMALS = 2  # of a pixel: nobody moves a corner by less, and no program's way of writing numbers matters


@dataclass(frozen=True)
class Mark:
    """Where the shapes of a tile came from.

    Attributes
    ----------
    proposer : str
        What proposed them, such as ``sam`` or ``model``; empty where nothing did.
    model : str
        Its version.
    decision : str
        ``accepted``, ``edited`` or ``rejected``; empty as long as nobody decided.
    who, when : str
        The user who decided, and the time in ISO 8601, UTC.
    digest : str
        Of the shapes as they were proposed.
    seen : str
        Of the shapes as they were decided upon; empty as long as nobody decided.
    """

    proposer: str = ""
    model: str = ""
    decision: str = ""
    who: str = ""
    when: str = ""
    digest: str = ""
    seen: str = ""


@dataclass(frozen=True)
class Marked:
    """What a tile's labelme file holds.

    Attributes
    ----------
    drawing : Drawing
        Its shapes.
    mark : Mark or None
        None in a file that was not written here, as labelme's own for an image that had none.
    """

    drawing: Drawing
    mark: Mark | None

    @property
    def is_changed(self) -> bool:
        """Whether the shapes are others than those that were proposed, or drawn where nothing was."""
        return self._differs_from(self.mark.digest) if self.mark else bool(self.drawing.shapes)

    @property
    def is_changed_since_seen(self) -> bool:
        """Whether the shapes changed since somebody decided upon them, or else since they were proposed."""
        return self._differs_from(self.mark.seen or self.mark.digest) if self.mark else True

    def _differs_from(self, known: str) -> bool:
        return digest(self.drawing.shapes) != known


def digest(shapes: Iterable[Shape]) -> str:
    """Tell shapes apart by what a person sees and does.

    Label, type, group, note, ticked flags, points to a hundredth of a pixel, pixels of masks and the order in
    which shapes cover each other count; how a program writes them down does not.

    Returns
    -------
    str
        16 hexadecimal digits of a SHA-256.
    """
    hashed = hashlib.sha256()
    for shape in shapes:
        hashed.update(json.dumps(_essence(shape)).encode())
    return hashed.hexdigest()[:16]


def read(path: Path) -> Marked:
    """Read a tile's labelme file.

    Raises
    ------
    UserError
        If the file is missing or made into nonsense; see `kerasseg.annotations.labelme.read`.
    """
    drawing = labelme.read(path)
    return Marked(drawing, _mark(drawing.other[KEY], path) if KEY in drawing.other else None)


def write(path: Path, drawing: Drawing, mark: Mark) -> None:
    """Write a tile's labelme file; it appears when it is complete."""
    labelme.write(path, replace(drawing, other={**drawing.other, KEY: asdict(mark)}))


def propose(path: Path, drawing: Drawing, proposer: str, model: str) -> None:
    """Write proposed shapes, upon which nobody has decided yet."""
    write(path, drawing, Mark(proposer, model, digest=digest(drawing.shapes)))


def decide(path: Path, decision: str, who: str, when: str) -> None:
    """Write down what was decided upon the shapes as they are now.

    Parameters
    ----------
    path : Path
        The labelme file. What another program saves meanwhile is kept.
    decision : str
        See `Mark`; empty takes a decision back.
    who, when : str
        See `Mark`.

    Raises
    ------
    UserError
        If the file cannot be read.
    """

    def change(temporary: Path) -> None:
        marked = read(path)
        seen = digest(marked.drawing.shapes) if decision else ""
        mark = marked.mark or Mark(digest=digest([]))
        decided = replace(mark, decision=decision, who=who, when=when, seen=seen)
        write(temporary, marked.drawing, decided)

    folder.rewrite(path, change)


def _mark(given: Any, path: Path) -> Mark:
    names = [field.name for field in fields(Mark)]
    if not isinstance(given, dict) or not all(isinstance(given.get(name, ""), str) for name in names):
        raise UserError(
            f"{path}: {KEY} is {given!r}; expected an object of words: {', '.join(names)}. Mend it, or "
            "delete the key"
        )
    return Mark(**{name: given[name] for name in names if name in given})


def _essence(shape: Shape) -> list:
    ticked = sorted(name for name, is_ticked in shape.flags.items() if is_ticked)
    points = (np.round(shape.points, _DECIMALS) + 0.0).tolist()  # -0.0 becomes 0.0
    pixels = None if shape.mask is None else [*shape.mask.shape, np.packbits(shape.mask).tobytes().hex()]
    return [shape.label, shape.shape_type, shape.group_id, shape.description, ticked, points, pixels]
