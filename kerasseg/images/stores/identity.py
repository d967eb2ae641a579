"""What an image is recognised by without reading it, so that work that was begun can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasseg.images import folders
from kerasseg.images.stores.address import parted
from kerasseg.images.stores.omezarr import is_zarr


def facts(image: Path) -> dict[str, Any]:
    """Say what an image is recognised by: where it lies, how long its file is, when it was changed.

    Of a folder of planes it is how long they are together, and when the last of them was changed.
    """
    file, _ = parted(image)
    inside = folders.entries(file) if file.is_dir() and not is_zarr(file) else []
    states = [part.stat() for part in (file, *inside) if part.exists()]  # a link may lead nowhere
    changed = max(state.st_mtime_ns for state in states)
    return {
        "path": str(image.resolve()),
        "bytes": sum(state.st_size for state in states),
        "changed": changed,
    }
