"""What lies in folders, and how images are named by their files: all listings find files in this way.

Folders that are links are followed, each real folder once, so that links that lead in a circle end. What is
hidden is skipped; what is not looked for is left alone, which is said. Names are unique, also where a file
system does not tell A from a.
"""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from kerasseg.errors import Notice, UserError

SHOWN = 8  # suffixes that a message lists

# Formats of images that are not read, by the suffix that is theirs alone.
FOREIGN = {
    ".vsi": "Olympus VSI",
    ".ims": "Imaris IMS",
    ".dv": "DeltaVision DV",
    ".dcm": "DICOM",
    ".gif": "GIF",
    ".webp": "WebP",
    ".jp2": "JPEG 2000",
}


def entries(folder: Path) -> list[Path]:
    """List what lies in a folder itself, sorted and without what is hidden.

    Raises
    ------
    UserError
        If there is no such folder, or it may not be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        problem = "this is a file; expected a folder" if folder.exists() else "there is no such folder"
        raise UserError(f"{folder}: {problem}")
    try:
        return sorted(path for path in folder.iterdir() if not _is_apart(path.name))
    except OSError as error:
        raise UserError(f"{folder}: this folder cannot be read ({error.strerror or error})") from error


def _is_apart(name: str) -> bool:
    """Tell what is hidden, and the folder that holds the planes of one Olympus OIF."""
    return name.startswith(".") or name.lower().endswith(".oif.files")


def is_store(folder: Path) -> bool:
    """Tell by its name whether a folder is a Zarr, which is one thing and full of small files."""
    return folder.suffix.lower() == ".zarr"


def walk(folder: Path, whole: Callable[[Path], bool] = is_store) -> list[Path]:
    """List all files in a folder and in its folders, sorted and without what is hidden.

    Parameters
    ----------
    whole : callable, optional
        Tells which folders are one thing, as a Zarr is: they are listed and not looked into.

    Returns
    -------
    list of Path
        Files, folders that are whole, and links that lead nowhere. A real folder that links lead to as well
        is listed once, by its own path where that is in `folder`.

    Raises
    ------
    UserError
        If there is no such folder, or one may not be read.
    """
    files, real, linked, walked = [], [Path(folder)], [], set()
    while real or linked:
        here = real.pop() if real else linked.pop(0)
        if (place := os.path.realpath(here)) in walked:
            continue
        walked.add(place)
        for path in entries(here):
            if path.is_dir() and not whole(path):
                (linked if path.is_symlink() else real).append(path)
            else:
                files.append(path)
    return sorted(files)


def find(
    folder: Path,
    suffixes: Collection[str],
    known: Collection[str] = (),
    whole: Callable[[Path], bool] = is_store,
) -> list[Path]:
    """List the files with some suffixes in a folder and in its folders; say what is left alone.

    Parameters
    ----------
    suffixes : collection of str
        Endings to find, in lower case; a file's own may be in any case.
    known : collection of str
        Endings of files that are used otherwise, and so are not left alone.
    whole : callable, optional
        Tells which folders are one thing: see :func:`walk`.

    Warns
    -----
    Notice
        If files are left alone.

    Raises
    ------
    UserError
        As :func:`walk`.
    """
    paths = walk(folder, whole)
    expected = (*suffixes, *known)
    say_left_alone(folder, (path for path in paths if not path.name.lower().endswith(expected)))
    return [path for path in paths if path.name.lower().endswith(tuple(suffixes))]


def say_left_alone(folder: Path, paths: Iterable[Path]) -> None:
    """Count by suffix the files that nobody looks at, and name formats of images among them.

    Warns
    -----
    Notice
        If there are any.
    """

    def kind(path: Path) -> str:
        if path.is_symlink() and not path.exists():
            return f"{path.name}, a link that leads nowhere"
        return "".join(path.suffixes[-2 if path.suffix == ".gz" else -1 :]).lower() or path.name

    suffixes = Counter(map(kind, paths))
    if not suffixes:
        return
    count = sum(suffixes.values())
    shown = [
        f"{number} {suffix}" if 1 < number < count else suffix
        for suffix, number in suffixes.most_common(SHOWN)
    ]
    shown += ["..."] if len(suffixes) > SHOWN else []
    formats = dict.fromkeys(name for suffix, name in FOREIGN.items() if suffix in suffixes)
    foreign = f"; {', '.join(formats)}: not read here, export TIFF or OME-TIFF" if formats else ""
    message = f"{folder}: left alone: {count} file{'s' * (count > 1)} ({', '.join(shown)}){foreign}"
    warnings.warn(message, Notice, stacklevel=3)


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
