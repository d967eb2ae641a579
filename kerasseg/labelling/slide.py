"""Which slide was cut and how: ``slide.json`` of a labelling folder.

It appears when all tiles are there. Until then ``.crop.json`` says the same, so that an interrupted crop is
resumed, and one with other settings starts over, as long as nobody can have labelled.

A slide is known by what its file holds: wherever it is copied to, with whatever time, the loop goes on.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kerasseg.console import track
from kerasseg.errors import UserError, changes
from kerasseg.files import write_atomically
from kerasseg.images.stores.address import file_signature, parted
from kerasseg.images.stores.store import Store
from kerasseg.labelling import folder
from kerasseg.labelling.sliding_window import SlidingWindow

MADE_OF_TILES = (
    folder.TILE_TABLE,
    folder.ENCODER,
    folder.EMBEDDINGS,
    folder.EMBEDDINGS_RECORD,
    folder.CLUSTERS,
    folder.CLUSTERS_PAGE,
)
MADE_BY_PERSONS = (folder.QUEUE, folder.DRAWINGS)
UNIMPORTANT = ("slide.path:", "slide.changed:")  # where the slide lies, and since when
CHUNK = 2**24  # bytes


def describe_crop(
    root: Path, slide: Path, store: Store, axes: str | None, window: SlidingWindow
) -> dict[str, Any]:
    """Describe which slide is cut and how, in types of JSON.

    Parameters
    ----------
    root : Path
        The labelling folder, which knows the slide if nothing happened to it since.
    slide : Path
        As it was given.
    store : Store
        The slide, open.
    axes : str or None
        The stored axes, if they were given.
    window : SlidingWindow

    Returns
    -------
    dict
        "slide" with its path, bytes, changed, digest, dataset, size, dtype, axes and channels; "tile",
        "margin", "padding", "region" and "test_region".
    """
    file, dataset = parted(slide)
    description = file_signature(slide)
    known = (_record(root) or {}).get("slide", {})
    is_known = all(known.get(name) == value for name, value in description.items())
    description |= {
        "digest": known["digest"] if is_known else _digest(file),
        "dataset": dataset,
        "size": store.shape[:2],
        "dtype": store.dtype.name,
        "axes": axes,
        "channels": store.shape[-1],
    }
    settings = {name: value for name, value in asdict(window).items() if name != "size"}
    return json.loads(json.dumps({"slide": description, **settings}))  # tuples become lists, as on disk


def _digest(file: Path) -> str:
    """Digest a file, or all files of a Zarr."""
    parts = sorted(part for part in file.rglob("*") if part.is_file()) if file.is_dir() else [file]
    chunks = math.ceil(sum(part.stat().st_size for part in parts) / CHUNK)
    digest = hashlib.blake2b(digest_size=16)
    for chunk in track(_chunks(parts), f"{file.name}: reading", total=chunks):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(parts: list[Path]) -> Iterator[bytes]:
    for part in parts:
        with part.open("rb") as file:
            yield from iter(lambda: file.read(CHUNK), b"")


def read_slide(root: Path) -> dict[str, Any]:
    """Read which slide was cut and how, as `describe_crop` says it.

    Raises
    ------
    UserError
        If no slide was cut here, or not to the end.
    """
    path = Path(root) / folder.SLIDE
    slide = _read(path)
    if slide is None:
        raise UserError(f"{path}: there is no such file; crop the slide first")
    return slide


def read_window(root: Path) -> SlidingWindow:
    """Read by which window a slide was cut.

    Raises
    ------
    UserError
        As `read_slide`.
    """
    crop = read_slide(root)
    settings = {name: crop[name] for name in ("tile", "margin", "padding")}
    settings |= {name: crop[name] and tuple(crop[name]) for name in ("region", "test_region")}
    return SlidingWindow(size=tuple(crop["slide"]["size"]), **settings)


def is_finished(root: Path, settings: dict[str, Any]) -> bool:
    """Tell whether a slide was cut here to the end, with these settings."""
    return not (root / folder.UNFINISHED_SLIDE).exists() and not _differences(root, settings)


@contextmanager
def cropping(root: Path, settings: dict[str, Any]) -> Iterator[None]:
    """Resume a crop that was begun, or make room for other tiles; when the block ends, all are there.

    Raises
    ------
    UserError
        If tiles were cut with other settings and somebody may have labelled them; every difference is named.
    """
    if differences := _differences(root, settings):
        if any((root / name).exists() for name in MADE_BY_PERSONS):
            raise UserError(
                f"{root}: a review queue of tiles that were cut with other settings is here; use the same "
                "settings, or choose another folder",
                *(f"  {line}" for line in differences),
            )
        if _record(root) is None and (root / folder.TILES).exists():
            raise UserError(
                f"{root / folder.TILES}: it exists already and was not made by crop; choose another folder"
            )
        for name in MADE_OF_TILES:
            (root / name).unlink(missing_ok=True)
        shutil.rmtree(root / folder.TILES, ignore_errors=True)
    (root / folder.TILES).mkdir(parents=True, exist_ok=True)
    for partial in (root / folder.TILES).glob(".*"):  # half a tile, by a kill
        partial.unlink()
    _write(root / folder.UNFINISHED_SLIDE, settings)
    (root / folder.SLIDE).unlink(missing_ok=True)
    yield
    _write(root / folder.SLIDE, settings)
    (root / folder.UNFINISHED_SLIDE).unlink()


def _differences(root: Path, settings: dict[str, Any]) -> list[str]:
    lines = changes(_record(root) or {}, settings)
    return [line for line in lines if not line.startswith(UNIMPORTANT)]


def _record(root: Path) -> dict[str, Any] | None:
    return _read(root / folder.UNFINISHED_SLIDE) or _read(root / folder.SLIDE)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError as error:
        raise UserError(f"{path}: this is not JSON ({error}); restore the file that crop wrote") from error


def _write(path: Path, settings: dict[str, Any]) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
