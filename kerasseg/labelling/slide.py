"""What of a slide was cut and how: ``slide.json`` of a labelling folder.

It appears when all tiles are there. Until then ``.crop.json`` says the same, so that what was killed goes on,
and what is asked for otherwise starts over, as long as nobody can have labelled.

A slide is known by what its file holds: wherever it is copied to, with whatever time, the loop goes on.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kerasseg.console import track
from kerasseg.errors import UserError, changes
from kerasseg.images.files import write_atomically
from kerasseg.images.stores.address import parted
from kerasseg.images.stores.identity import facts
from kerasseg.images.stores.store import Store
from kerasseg.labelling.sliding import SlidingWindow

SLIDE, BEGUN, TILES = "slide.json", ".crop.json", "tiles"
OF_TILES = ("tiles.csv", "encoder.keras", "codes.npy", "clusters.csv", "clusters.html")
OF_PERSONS = ("queue.csv", "queue")
OF_NO_MATTER = ("slide.path:", "slide.changed:")  # where the slide lies, and since when
CHUNK = 2**24  # bytes


def described(
    root: Path, slide: Path, store: Store, axes: str | None, window: SlidingWindow
) -> dict[str, Any]:
    """Say what is cut and how, of JSON's types.

    Parameters
    ----------
    root : Path
        The labelling folder, which knows the slide if nothing happened to it since.
    slide : Path
        As it was given.
    store : Store
        The slide, open.
    axes : str or None
        What its axes were said to be.
    window : SlidingWindow

    Returns
    -------
    dict
        "slide" with its path, bytes, changed, digest, dataset, size, dtype, axes and channels; "tile",
        "margin", "padding", "region" and "test_region".
    """
    file, dataset = parted(slide)
    now, known = facts(slide), (_record(root) or {}).get("slide", {})
    same = all(known.get(name) == fact for name, fact in now.items())
    now |= {"digest": known["digest"] if same else _digest(file), "dataset": dataset}
    now |= {"size": store.shape[:2], "dtype": store.dtype.name, "axes": axes, "channels": store.shape[-1]}
    settings = {name: value for name, value in asdict(window).items() if name != "size"}
    return json.loads(json.dumps({"slide": now, **settings}))  # tuples become lists, as on disk


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
    """Read what was cut and how, as `described` says it.

    Raises
    ------
    UserError
        If no slide was cut here, or not to the end.
    """
    path = Path(root) / SLIDE
    told = _read(path)
    if told is None:
        raise UserError(f"{path}: there is no such file; crop the slide first")
    return told


def read_window(root: Path) -> SlidingWindow:
    """Read by which window a slide was cut.

    Raises
    ------
    UserError
        As `read_slide`.
    """
    told = read_slide(root)
    region, test_region = (told[name] and tuple(told[name]) for name in ("region", "test_region"))
    return SlidingWindow(
        tuple(told["slide"]["size"]), told["tile"], told["margin"], told["padding"], region, test_region
    )


def is_finished(root: Path, asked: dict[str, Any]) -> bool:
    """Tell whether this was cut here to the end."""
    return not (root / BEGUN).exists() and not _differences(root, asked)


def begin(root: Path, asked: dict[str, Any]) -> None:
    """Go on with what was begun, or make room for other tiles.

    Raises
    ------
    UserError
        If tiles were cut otherwise and somebody may have labelled them; every difference is named.
    """
    differences = _differences(root, asked)
    if differences and any((root / name).exists() for name in OF_PERSONS):
        raise UserError(
            f"{root}: a review queue of tiles that were cut with other settings is here; use the same "
            "settings, or choose another folder",
            *(f"  {line}" for line in differences),
        )
    if differences:
        _clear(root)
    (root / TILES).mkdir(parents=True, exist_ok=True)
    for left in (root / TILES).glob(".*"):  # half a tile, by a kill
        left.unlink()
    _write(root / BEGUN, asked)
    (root / SLIDE).unlink(missing_ok=True)


def finish(root: Path, asked: dict[str, Any]) -> None:
    """Say that all tiles are there."""
    _write(root / SLIDE, asked)
    (root / BEGUN).unlink()


def _clear(root: Path) -> None:
    """Remove the tiles of a former crop, and what was made of them."""
    if _record(root) is None and (root / TILES).exists():
        raise UserError(f"{root / TILES}: it exists already and was not made by crop; choose another folder")
    for name in OF_TILES:
        (root / name).unlink(missing_ok=True)
    shutil.rmtree(root / TILES, ignore_errors=True)


def _differences(root: Path, asked: dict[str, Any]) -> list[str]:
    lines = changes(_record(root) or {}, asked)
    return [line for line in lines if not line.startswith(OF_NO_MATTER)]


def _record(root: Path) -> dict[str, Any] | None:
    return _read(root / BEGUN) or _read(root / SLIDE)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError as error:
        raise UserError(f"{path}: this is not JSON ({error}); restore the file that crop wrote") from error


def _write(path: Path, told: dict[str, Any]) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
