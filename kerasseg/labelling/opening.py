"""labelme, opened where the queue's tiles lie."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from kerasseg.annotations.shapes import IGNORE_LABEL
from kerasseg.errors import UserError

_BEFORE_6 = ("--nodata", "--autosave")  # what version 6 does without being asked


def command(root: Path, classes: Sequence[str]) -> list[str]:
    """Write the command line that opens labelme on the queue.

    It knows the recipe's labels and ``__ignore__``, and lets nobody type another; it saves by itself, and
    leaves the pixels in the image files.

    Parameters
    ----------
    root : Path
        The labelling folder.
    classes : sequence of str
        The recipe's.

    Raises
    ------
    UserError
        If nothing was put before a person yet, or labelme is not installed.
    """
    views = Path(root).resolve() / "queue"
    if next(views.glob("*.png"), None) is None:
        raise UserError(f"{views}: there is no tile to label; type kerasseg label propose RECIPE first")
    labels = ",".join([*classes, IGNORE_LABEL])
    return [*_labelme(), str(views), "--labels", labels, "--validate-label", "exact", *_asked_of_old_ones()]


def open_labelme(root: Path, classes: Sequence[str]) -> None:
    """Open labelme on the queue, and wait until it is closed; see :func:`command`.

    Raises
    ------
    UserError
        As :func:`command`, and if labelme fails.
    """
    line = command(root, classes)
    code = subprocess.run(line, cwd=Path(root) / "queue", check=False).returncode
    if code:
        raise UserError(f"labelme ended with code {code}; it needs a screen. What ran: {' '.join(line)}")


def _labelme() -> list[str]:
    """Find labelme: this Python's own, else the program of that name."""
    if find_spec("labelme"):
        return [sys.executable, "-m", "labelme"]
    program = shutil.which("labelme")
    if program is None:
        raise UserError(
            "labelme is not installed; type pip install 'kerasseg[labelme]', or open the folder queue with a "
            "labelme elsewhere: what it saves is found"
        )
    return [program]


def _asked_of_old_ones() -> tuple[str, ...]:
    try:
        return _BEFORE_6 if int(version("labelme").split(".")[0]) < 6 else ()
    except PackageNotFoundError:
        return ()
