"""What annotation files have in common.

JSON of a sane size, images beside it, points near the image, and mistakes that are told all at once.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images import files

MAX_BYTES = 1 << 28  # an embedded image makes a file large, a mistake makes it larger
FAR = 10  # longer sides of the image by which a point may lie outside, where what is drawn is cut off

# How many points a shape of each type has, at least and at most.
POINTS: dict[str, tuple[int, float]] = {
    "polygon": (3, np.inf),
    "rectangle": (2, 2),
    "oriented_rectangle": (4, 4),
    "circle": (2, 2),
    "line": (2, 2),
    "linestrip": (2, np.inf),
    "point": (1, 1),
    "points": (1, np.inf),
    "mask": (2, 2),
}


def read_json(path: Path) -> Any:
    """Read a JSON file of at most ``MAX_BYTES``.

    Raises
    ------
    UserError
        If the file is missing, too large, or no JSON.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path}: the file has {path.stat().st_size:,} bytes; expected at most {MAX_BYTES:,}")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: this is not JSON ({error}); save it again") from error


@contextmanager
def told_together(*kinds: type[Exception]) -> Iterator[Callable[[str], AbstractContextManager]]:
    """Read entry after entry, and tell what is wrong with any of them at the end.

    Parameters
    ----------
    *kinds : type of Exception
        What is raised where an entry is wrong.

    Yields
    ------
    callable
        From the name of an entry, such as ``"a.json: shape 3"``, to the context in which it is read.

    Raises
    ------
    UserError
        With a message for each entry that is wrong.
    """
    problems = []

    @contextmanager
    def reading(name: str) -> Iterator[None]:
        try:
            yield
        except kinds as error:
            problems.append(f"{name}: {error}")

    yield reading
    if problems:
        raise UserError(*problems)


def write_json_list(path: Path, head: Mapping[str, Any], key: str, entries: Iterable[Any]) -> None:
    """Write a JSON object whose last key holds a list, one entry after another: the list is never in memory.

    Parameters
    ----------
    path : Path
        The file, which appears when it is complete.
    head : mapping
        The keys before.
    key : str
        The last one.
    entries : iterable
        What its list holds, each on a line of its own.
    """
    with files.write_atomically(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        opening = json.dumps({**head, key: []}, ensure_ascii=False)
        file.write(opening.removesuffix("]}"))
        for at, entry in enumerate(entries):
            file.write((",\n" if at else "\n") + json.dumps(entry, ensure_ascii=False))
        file.write("\n]}\n")


def contained(given: Any, path: Path, key: str) -> str | None:
    """Write the path of an image with slashes; one that leaves the folder of its file is taken by its name.

    Parameters
    ----------
    given : str or None
        As the file says it; Windows' backslashes are understood.
    path : Path
        The annotation file.
    key : str
        Where it says so, for the message.

    Returns
    -------
    str or None
        From the folder of the file, inside of it: of an absolute path, or of one that climbs out, the last
        part. None where the file says nothing.

    Raises
    ------
    UserError
        If it is not a path.
    """
    if given is None or given == "":
        return None
    if not isinstance(given, str) or "\0" in given:
        raise UserError(f"{path}: {key} is {given!r}; expected a file name")
    windows = PureWindowsPath(given)
    inside = posixpath.normpath(windows.as_posix())
    if windows.name in ("", ".", ".."):
        raise UserError(f"{path}: {key} is {given!r}; expected a file name")
    leads_outside = windows.anchor or inside.startswith("../")
    return windows.name if leads_outside else inside


def checked_size(height: Any, width: Any, path: Path, keys: str) -> tuple[int, int]:
    """Return height and width, or refuse what cannot be an image's size.

    Raises
    ------
    UserError
        If they are no whole numbers, less than 1, or more pixels than are read.
    """
    whole = all(
        isinstance(side, int | float) and not isinstance(side, bool) and side > 0 and side == side // 1
        for side in (height, width)
    )
    if not whole or height * width > files.MAX_PIXELS:
        raise UserError(
            f"{path}: {keys} are {height!r} and {width!r}; "
            f"expected whole numbers from 1 and at most {files.MAX_PIXELS:,} pixels"
        )
    return int(height), int(width)


def agreed_image(image: Any, size: tuple[int, int] | None, path: Path) -> tuple[str | None, tuple[int, int]]:
    """Find the name and size of an image whose annotations need not say either.

    Parameters
    ----------
    image : mapping or None
        What we wrote of it: ``name``, ``height`` and ``width``; None in files of other programs.
    size : tuple of int or None
        Height and width of the image beside the file, where there is one.
    path : Path
        The annotation file.

    Raises
    ------
    UserError
        If neither is known, or they differ.
    """
    if not isinstance(image, Mapping):
        if size is None:
            raise UserError(
                f"{path}: the file does not say how large its image is; "
                "put the image beside it under the same name"
            )
        return None, size
    said = checked_size(image.get("height"), image.get("width"), path, "image.height and image.width")
    if size not in (None, said):
        raise UserError(f"{path}: the image beside it is {size} (height, width), the file is for {said}")
    return contained(image.get("name"), path, "image.name"), said


def checked_points(given: Any, shape_type: str, size: tuple[int, int]) -> np.ndarray:
    """Return points ``(N, 2)`` as float64, or say what is wrong with them.

    Raises
    ------
    ValueError
        If they are too few or too many for the shape, not finite, or so far away that no image is there.
    """
    try:
        points = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError("points is not a list of [x, y]")
    least, most = POINTS[shape_type]
    if not least <= len(points) <= most:
        expected = f"{least}" if most == least else f"{least} or more"
        raise ValueError(f"a {shape_type} has {expected} points, not {len(points)}")
    if not np.isfinite(points).all():
        raise ValueError("a point is NaN or infinite")
    distant = (np.abs(points) > (FAR + 1) * max(size)).any(axis=1)
    if distant.any():
        x, y = points[np.argmax(distant)]
        raise ValueError(
            f"point ({x:g}, {y:g}) lies far outside the image, {size[1]} wide and {size[0]} high"
        )
    return points
