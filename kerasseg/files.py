"""Files and folders that appear whole or not at all, and JSON in them."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasseg import locks
from kerasseg.errors import UserError, unwritable


@dataclass(frozen=True)
class Written:
    """A result on the disk.

    Attributes
    ----------
    path : Path
        The file or folder, which may have another ending than was wished.
    new : bool
        Whether it was written now, and not there already.
    objects : int or None
        How many it holds, where they were counted.
    """

    path: Path
    new: bool
    objects: int | None = None


MAX_BYTES = 1 << 28  # an image embedded in a file makes it large, a mistake makes it larger


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a path to write to; it takes the place of `path` when all went well, and vanishes otherwise.

    What a kill leaves is overwritten the next time, for its name is always the same, except where two write
    one file at a time.

    Parameters
    ----------
    path : Path
        The file to appear; its folder is made where it is missing.

    Yields
    ------
    Path
        A hidden path in the same folder with the same suffix.

    Raises
    ------
    UserError
        If the system cannot write there: no permission, disk full.
    """
    path = Path(path)
    with locks.tried(path.with_name(f".{path.name}.lock")) as alone:
        state = "unfinished" if alone else uuid.uuid4().hex[:8]
        temporary = path.with_name(f".{path.stem}.{state}{path.suffix}")
        try:
            yield temporary
            temporary.replace(path)
        except OSError as error:
            raise unwritable(path, error) from error
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def folder_atomically(path: Path) -> Iterator[Path]:
    """Yield a folder to fill; it takes the place of `path` when all went well, and vanishes otherwise.

    Parameters
    ----------
    path : Path
        The folder to appear. One that is there is replaced: whether it may be, the caller decides.

    Yields
    ------
    Path
        A hidden folder beside it, empty.

    Raises
    ------
    UserError
        If the system cannot write there; `Busy` if another process is writing this folder.
    """
    whole = Path(path).resolve()  # "." has no name
    unfinished, former = (whole.with_name(f".{whole.name}.{state}") for state in ("unfinished", "former"))
    with locks.held(whole.with_name(f".{whole.name}.lock"), path):
        for left_by_a_kill in (unfinished, former):
            shutil.rmtree(left_by_a_kill, ignore_errors=True)
        try:
            unfinished.mkdir(parents=True)
            yield unfinished
            if whole.exists():
                whole.rename(former)
            unfinished.rename(whole)
            shutil.rmtree(former, ignore_errors=True)
        except OSError as error:
            raise unwritable(path, error) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def read_json(path: Path) -> Any:
    """Read a JSON file of at most ``MAX_BYTES``.

    Raises
    ------
    UserError
        If the file is missing, too large, or not JSON.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise UserError(f"{path}: the file has {size:,} bytes; expected at most {MAX_BYTES:,}")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: this is not JSON ({error}); save it again") from error


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file, in hexadecimal digits; it is never in memory whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: Any) -> None:
    """Write a value as JSON that people can read and compare line by line.

    Raises
    ------
    ValueError
        If it holds NaN or infinity, which JSON does not know.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with write_atomically(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_json_list(path: Path, head: Mapping[str, Any], key: str, entries: Iterable[Any]) -> None:
    """Write a JSON object whose last key holds a list, one entry after another: the list is never in memory.

    Parameters
    ----------
    path : Path
        The file to appear.
    head : mapping
        The keys before.
    key : str
        The last one.
    entries : iterable
        What its list holds, each on a line of its own.
    """
    with write_atomically(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        opening = json.dumps({**head, key: []}, ensure_ascii=False)
        file.write(opening.removesuffix("]}"))
        for number, entry in enumerate(entries):
            file.write((",\n" if number else "\n") + json.dumps(entry, ensure_ascii=False))
        file.write("\n]}\n")
