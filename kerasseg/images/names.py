"""Names of images by their files: unique, also where a file system does not tell A from a."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from kerasseg.errors import UserError


def stem(path: Path) -> str:
    """Return a file's name without suffix, which may have two parts: ``a`` of ``a.ome.tif``, ``a.nii.gz``."""
    return path.stem.removesuffix(".ome").removesuffix(".nii")


def file_name(name: str) -> str:
    """Turn a sample's name into that of a file without suffix: its folders become a part of it."""
    return name.replace("/", "__")


def unique(paths: Iterable[Path], folder: Path) -> dict[Path, Path]:
    """Name files by their paths in a folder without suffix; where these meet, the suffix stays.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders in `folder`.
    folder : Path
        From which they are named.

    Returns
    -------
    dict of Path to Path
        ``a`` of ``a.png``; but ``a.png`` and ``a.tif`` where there are both.

    Raises
    ------
    UserError
        If two names are still one, as those of ``a.png`` and ``A.png`` are on many file systems.
    """
    inside = {path: path.relative_to(folder) for path in paths}
    short = {path: name.with_name(stem(path)) for path, name in inside.items()}
    taken = Counter(_folded(name.as_posix()) for name in short.values())
    names = {
        path: name if taken[_folded(name.as_posix())] == 1 else inside[path] for path, name in short.items()
    }
    if problems := list(clashes((name.as_posix(), path) for path, name in names.items())):
        raise UserError(*problems)
    return names


def clashes(named: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Say which names cannot stand beside each other, as some file systems would take them for one.

    Parameters
    ----------
    named : iterable of (str, object)
        Names, and the files that they are of, for the messages.

    Yields
    ------
    str
        A message for each that has the name of one before it.
    """
    first: dict[str, tuple[str, object]] = {}
    for name, thing in named:
        key = _folded(name)
        if key in first:
            other, known = first[key]
            alike = "the same name" if name == other else f"a name that many file systems take for {name!r}"
            yield f"{thing}: {known} has {alike}; rename or remove one of them"
        first.setdefault(key, (name, thing))


def _folded(name: str) -> str:
    """Bring names to one form that differ by capitals, or by how accents are composed."""
    return unicodedata.normalize("NFC", name).casefold()
