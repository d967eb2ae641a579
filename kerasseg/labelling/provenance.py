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
class Provenance:
    """Where the shapes of a tile came from.

    Attributes
    ----------
    proposer : str
        What proposed them, such as ``segment_anything`` or ``model``; empty where nothing did.
    model : str
        The version of the proposer.
    decision : str
        ``accepted``, ``edited`` or ``rejected``; empty as long as nobody decided.
    who, when : str
        The user who decided, and the time in ISO 8601, UTC.
    digest : str
        Digest of the shapes as they were proposed.
    seen : str
        Digest of the shapes as they were decided upon; empty as long as nobody decided.
    """

    proposer: str = ""
    model: str = ""
    decision: str = ""
    who: str = ""
    when: str = ""
    digest: str = ""
    seen: str = ""


@dataclass(frozen=True)
class ProvenancedDrawing:
    """What a tile's labelme file holds.

    Attributes
    ----------
    drawing : Drawing
        The shapes.
    provenance : Provenance or None
        None in a file that was not written here, as labelme's own for an image that had none.
    """

    drawing: Drawing
    provenance: Provenance | None

    @property
    def is_changed(self) -> bool:
        """Whether the shapes differ from those that were proposed, or were drawn where nothing was."""
        if self.provenance is None:
            return bool(self.drawing.shapes)
        return digest(self.drawing.shapes) != self.provenance.digest

    @property
    def is_changed_since_seen(self) -> bool:
        """Whether the shapes changed since somebody decided upon them, or else since they were proposed."""
        if self.provenance is None:
            return True
        return digest(self.drawing.shapes) != (self.provenance.seen or self.provenance.digest)

    @property
    def decision(self) -> tuple[str, str, str]:
        """What was decided, who and when, as `Entry.decision`; empty strings as long as nobody decided."""
        known = self.provenance
        return (known.decision, known.who, known.when) if known else ("", "", "")

    def is_by(self, proposer: str, model: str) -> bool:
        """Tell whether this version of a proposer proposed the shapes."""
        known = self.provenance
        return known is not None and (known.proposer, known.model) == (proposer, model)


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
        ticked = sorted(name for name, is_ticked in shape.flags.items() if is_ticked)
        points = (np.round(shape.points, _DECIMALS) + 0.0).tolist()  # -0.0 becomes 0.0
        mask = None if shape.mask is None else [*shape.mask.shape, np.packbits(shape.mask).tobytes().hex()]
        essence = [shape.label, shape.shape_type, shape.group_id, shape.description, ticked, points, mask]
        hashed.update(json.dumps(essence).encode())
    return hashed.hexdigest()[:16]


def read(path: Path) -> ProvenancedDrawing:
    """Read a tile's labelme file.

    Raises
    ------
    UserError
        If the file is missing or damaged; see `kerasseg.annotations.labelme.read`.
    """
    drawing = labelme.read(path)
    return ProvenancedDrawing(
        drawing, _provenance(drawing.other[KEY], path) if KEY in drawing.other else None
    )


def read_if_there(path: Path) -> ProvenancedDrawing | None:
    """Read a tile's labelme file; None where there is none."""
    return read(path) if path.is_file() else None


def write(path: Path, drawing: Drawing, provenance: Provenance) -> None:
    """Write a tile's labelme file; it appears when it is complete."""
    labelme.write(path, replace(drawing, other={**drawing.other, KEY: asdict(provenance)}))


def propose(path: Path, drawing: Drawing, proposer: str, model: str) -> bool:
    """Write proposed shapes, upon which nobody has decided yet, unless a person drew there.

    Flags and keys of other programs stay.

    Returns
    -------
    bool
        Whether they were written.

    Raises
    ------
    UserError
        If there is a file that cannot be read.
    """
    with folder.shared(path) as file:
        while True:
            before, known = file.content(), read_if_there(path)
            if known and known.is_changed:
                return False
            if known:
                drawing = replace(drawing, flags=known.drawing.flags, other=known.drawing.other)
            write(file.draft, drawing, Provenance(proposer, model, digest=digest(drawing.shapes)))
            if file.replace(before):
                return True


def decide(path: Path, decision: str, who: str, when: str) -> None:
    """Write down what was decided upon the shapes as they are now; what labelme saves meanwhile is kept.

    Parameters
    ----------
    path : Path
    decision, who, when : str
        See `Provenance`; an empty decision takes one back.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    with folder.shared(path) as file:
        while True:
            before, known = file.content(), read(path)
            seen = digest(known.drawing.shapes) if decision else ""
            provenance = known.provenance or Provenance(digest=digest([]))
            decided = replace(provenance, decision=decision, who=who, when=when, seen=seen)
            write(file.draft, known.drawing, decided)
            if file.replace(before):
                return


def _provenance(value: Any, path: Path) -> Provenance:
    names = [field.name for field in fields(Provenance)]
    if not isinstance(value, dict) or not all(isinstance(value.get(name, ""), str) for name in names):
        raise UserError(
            f"{path}: {KEY} is {value!r}; expected an object of strings: {', '.join(names)}. Mend it, or "
            "delete the key"
        )
    return Provenance(**{name: value[name] for name in names if name in value})
