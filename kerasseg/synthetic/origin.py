"""Where data come from: data that were made, not measured, are marked so in their folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasseg import locks
from kerasseg.errors import UserError, unwritable

MARKER = "SYNTHETIC"


def is_synthetic(root: Path) -> bool:
    """Whether the data at `root` were made by this package."""
    return (Path(root) / MARKER).is_file()


def inherit(source: Path, root: Path) -> None:
    """Mark what was made from the data at `source` as they are marked, or take its mark away."""
    mark = Path(root) / MARKER
    if is_synthetic(source):
        mark.write_bytes((Path(source) / MARKER).read_bytes())
    else:
        mark.unlink(missing_ok=True)


@contextmanager
def synthetic_folder(root: Path, said: str) -> Iterator[Path]:
    """Yield a folder to fill; it becomes `root`, marked, when all went well, and vanishes otherwise.

    Parameters
    ----------
    root : Path
        The folder to appear; an empty one may be there.
    said : str
        What the marker says.

    Yields
    ------
    Path
        A hidden folder beside `root`.

    Raises
    ------
    UserError
        If there is anything in `root`, or it cannot be written.
    """
    root = Path(root)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f"{root}: exists already; synthetic data never replace other data")
    whole = root.resolve()  # "." has no name
    unfinished = whole.with_name(f".{whole.name}.unfinished")
    with locks.held(unfinished.with_suffix(".lock"), root):
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(parents=True)
            yield unfinished
            (unfinished / MARKER).write_text(f"{said}\n")
            unfinished.replace(whole)
        except OSError as error:
            raise unwritable(root, error) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
