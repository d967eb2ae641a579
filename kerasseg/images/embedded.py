"""An image file that lies inside another file, with what the readers of image files ask of a path."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO


@dataclass(frozen=True)
class Embedded:
    """A PNG, JPEG or BMP inside another file.

    Attributes
    ----------
    file : Path
        The file that holds it.
    read_bytes : callable
        Reads the image file's bytes out of it, each time anew: a list of samples holds no pixels.
    """

    file: Path
    read_bytes: Callable[[], bytes]

    def __str__(self) -> str:
        """Name it in messages."""
        return f"{self.file} (its embedded image)"

    def at_hand(self) -> Embedded:
        """Return the same with its bytes in memory, for those who open it more than once."""
        content = self.read_bytes()
        return Embedded(self.file, lambda: content)

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open it for reading bytes, as a path does."""
        return io.BytesIO(self.read_bytes())

    def stat(self) -> SimpleNamespace:
        """Give its length as ``st_size``, as a path does."""
        return SimpleNamespace(st_size=len(self.read_bytes()))
