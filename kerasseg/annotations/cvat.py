"""CVAT's ``labelmap.txt``, which says the colours of classes beside its masks."""

from __future__ import annotations

from pathlib import Path

from kerasseg.errors import UserError

NAME = "labelmap.txt"


def read_colours(path: Path) -> dict[str, tuple[int, int, int]]:
    """Read the colour of each class.

    Parameters
    ----------
    path : Path
        Lines of ``label:red,green,blue:parts:actions``; those that begin with ``#`` are comments.

    Returns
    -------
    dict of str to (int, int, int)
        ``background`` among them.

    Raises
    ------
    UserError
        If a line holds something else.
    """
    colours = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        label, _, rest = line.partition(":")
        levels = rest.partition(":")[0].split(",")
        if len(levels) != 3 or not all(level.strip().isdecimal() and int(level) < 256 for level in levels):
            raise UserError(f"{path}: line {number} is {line!r}; expected label:red,green,blue:parts:actions")
        colours[label.strip()] = tuple(map(int, levels))
    return colours
