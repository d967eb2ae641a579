"""What annotation files have in common: how folders of them are read and written, and how they are checked.

Images lie beside them, points near the image, and all that is wrong is raised at once.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from kerasseg.annotations.shapes import Drawing, Drawings
from kerasseg.console import track
from kerasseg.errors import Mistakes, UserError
from kerasseg.images import files, folders

Plan = dict[Path, Callable[[], None]]  # what writes each file

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


@dataclass(frozen=True)
class Options:
    """What annotation files alone do not say.

    Attributes
    ----------
    classes : sequence of str
        Names of the classes 1, 2, ...
    values : mapping of str to int, optional
        The number of each class in masks, where these do not hold class ids.
    tolerance : float
        Pixels by which outlines may move.
    crowds : {"ignore", "objects"}
        What COCO's crowds mean.
    """

    classes: Sequence[str] = ()
    values: Mapping[str, int] | None = None
    tolerance: float = 0
    crowds: str = "ignore"


def files_of(source: Path, suffixes: Sequence[str]) -> list[Path]:
    """Take a file as it is, or find those of a folder.

    Raises
    ------
    UserError
        If there is nothing.
    """
    if source.is_file():
        return [source]
    if not source.exists():
        raise UserError(f"{source}: there is no such file or folder")
    paths = files.find(source, suffixes, known=(*files.SUFFIXES, ".json"))
    if not paths:
        raise UserError(f"{source}: the folder holds no {', '.join(suffixes)} file")
    return paths


def only_file(source: Path, suffix: str) -> Path:
    """Take a file, or the only one of a folder.

    Raises
    ------
    UserError
        If the folder holds several, or none.
    """
    if not source.is_dir():
        return source
    paths = [path for path in folders.entries(source) if path.suffix.lower() == suffix]
    if len(paths) != 1:
        raise UserError(
            f"{source}: the folder holds {len(paths) or 'no'} {suffix} files; name the one to convert"
        )
    return paths[0]


def read_each(source: Path, suffixes: Sequence[str], read: Callable[[Path], Drawing]) -> Drawings:
    """Read all files of a folder, or one; images are named from the folder of them all.

    Raises
    ------
    UserError
        With all that is wrong with any file.
    """
    folder = source if source.is_dir() else source.parent
    drawings, mistakes = [], Mistakes()
    for path in track(files_of(source, suffixes), "reading"):
        with mistakes.noted():
            drawing = read(path)
            inside = path.relative_to(folder)
            image_path = (inside.parent / (drawing.image_path or f"{path.stem}.png")).as_posix()
            drawings.append((inside, replace(drawing, image_path=image_path)))
    mistakes.check()
    return by_name(drawings)


def by_name(drawings: Iterable[tuple[Path, Drawing]]) -> Drawings:
    """Name drawings by their paths without suffix, of which no two may be the same."""
    named: Drawings = {}
    for path, drawing in drawings:
        name = path.with_suffix("").as_posix()
        if name in named:
            raise UserError(f"{path}: there are two images {name}, by other suffixes; rename one")
        named[name] = drawing
    return named


def plan_each(drawings: Drawings, target: Path, suffix: str, write: Callable[[Path, Drawing], None]) -> Plan:
    """Plan a file for each drawing."""
    paths = {target / f"{name}{suffix}": drawing for name, drawing in drawings.items()}
    return {path: partial(write, path, drawing) for path, drawing in paths.items()}


def image_beside(stem: Path) -> Path | None:
    """Find the image of a path without suffix."""
    paths = (stem.with_name(stem.name + suffix) for suffix in files.SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


@contextmanager
def collect_errors(*kinds: type[Exception]) -> Iterator[Callable[[str], AbstractContextManager]]:
    """Read entry after entry, and raise what is wrong with any of them at the end.

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
    mistakes = Mistakes()

    @contextmanager
    def reading(name: str) -> Iterator[None]:
        try:
            yield
        except kinds as error:
            mistakes.add(f"{name}: {error}")

    yield reading
    mistakes.check()


def contained(given: Any, path: Path, key: str) -> str | None:
    """Write the path of an image with slashes; one that leaves the folder of its file is taken by its name.

    Parameters
    ----------
    given : str or None
        As the file says it; Windows' backslashes are understood.
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
        If they are not whole numbers, less than 1, or more pixels than are read.
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
