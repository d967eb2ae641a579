"""Damaged files on the command line: every one must be read, or refused with a clear message.

    python tools/fuzz.py                        # 10,000 cases; minutes on each core
    python tools/fuzz.py --kinds zarr --count 500
    python tools/fuzz.py --case 4711            # one again, in a folder that is kept

A case is a small valid input of one kind of which one file was damaged: bytes changed, cut off, doubled or
left out, or, where the file is JSON, YAML or XML, a value replaced by a strange one. ``kerasseg`` is then
called on it in another process. A case fails if that process dies, shows a traceback, leaves anything
half-written, takes longer than `SECONDS` or more memory than `BYTES`. The seed and its number make the same
case again.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import itertools
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

SECONDS = 30
BYTES = 2 << 30
READ, REFUSED = 0, 2  # exit codes that a case may end with

STRANGE = (
    None,
    True,
    -1,
    0,
    0.5,
    1e308,
    float("nan"),
    2**31,
    2**63,
    10**30,
    "",
    "0",
    "é\0",
    "../..",
    "x" * 5000,
)
NESTED = ([], {}, [[]], [1, "a"], {"a": {"b": []}})


# What is damaged ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of input: what makes a valid one in a folder, which files are damaged, what is then typed."""

    make: Callable[[Path], None]
    damaged: str
    command: str


RECIPE = """\
name: cells
data:
  source: {{{source}}}
  classes: [cell]
  split: {{train: 0.5, test: 0.5, validation: 0.5}}
  augment:
    - HorizontalFlip: {{p: 0.5}}
model: {{unet: {{encoder: plain, levels: 2, base_filters: 4, attention: false}}}}
loss: {{combo: {{alpha: 0.5, beta: 0.5}}}}
train: {{epochs: 2, optimizer: {{adam: {{learning_rate: 1.0e-3}}}}, early_stopping: {{patience: 1}}}}
predict: {{tile: 32, overlap: 8, blend: hann}}
"""


def objects(shape: tuple[int, ...]) -> np.ndarray:
    """Number two boxes, one of which has a hole."""
    labels = np.zeros(shape, np.uint16)
    labels[..., 2:10, 3:12] = 1
    labels[..., 5:7, 6:8] = 0
    labels[..., 12:20, 14:30] = 2
    return labels


def write_tiff(path: Path, pixels: np.ndarray, **options: Any) -> None:
    """Write a TIFF into a folder that may not be there yet."""
    import tifffile

    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, **options)


def make_annotations(written_as: str) -> Callable[[Path], None]:
    """Let kerasseg write the two boxes in a format, as ``in``."""

    def make(folder: Path) -> None:
        write_tiff(folder / "drawn" / "a.tif", objects((24, 32)))
        write_tiff(folder / "in" / "a.tif", objects((24, 32)).astype(np.uint8))
        call(f"convert labels {written_as} drawn in --classes cell", folder)

    return make


def make_roi(folder: Path) -> None:
    """Take the ROI with a hole out of its zip, whose checksums would give every damage away."""
    make_annotations("imagej")(folder)
    with zipfile.ZipFile(folder / "in" / "a.zip") as archive:
        (folder / "in" / "a.roi").write_bytes(archive.read(archive.namelist()[0]))


def make_mask(suffix: str) -> Callable[[Path], None]:
    """Write a mask of 0 and 255 as an image file."""

    def make(folder: Path) -> None:
        import cv2

        (folder / "in").mkdir()
        cv2.imwrite(str(folder / "in" / f"a{suffix}"), (objects((24, 32)) > 0).astype(np.uint8) * 255)

    return make


def make_images(suffix: str) -> Callable[[Path], None]:
    """Write four images with masks, and a recipe for them."""

    def make(folder: Path) -> None:
        import cv2

        (folder / "root" / "images").mkdir(parents=True)
        for name in "abcd":
            pixels = objects((24, 32)).astype(np.uint8) * 50
            cv2.imwrite(str(folder / "root" / "images" / f"{name}{suffix}"), pixels)
            write_tiff(folder / "root" / "masks" / f"{name}.tif", (pixels > 0).astype(np.uint8))
        (folder / "recipe.yaml").write_text(RECIPE.format(source="images_masks: {root: root}"))

    return make


def make_volumes(write: Callable[[Path, np.ndarray], None], suffix: str) -> Callable[[Path], None]:
    """Write four volumes with masks in a format, and a recipe for them."""

    def make(folder: Path) -> None:
        for name in "abcd":
            write(folder / "root" / "images" / f"{name}{suffix}", objects((4, 24, 32)) * 50)
            write_tiff(
                folder / "root" / "masks" / f"{name}.ome.tif",
                (objects((4, 24, 32)) > 0).astype(np.uint8),
                metadata={"axes": "ZYX"},
            )
        (folder / "recipe.yaml").write_text(RECIPE.format(source="volumes: {root: root}"))

    return make


def write_ome_tiff(path: Path, volume: np.ndarray) -> None:
    """Write planes with OME-XML that gives their axes and size."""
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    write_tiff(path, volume, ome=True, photometric="minisblack", metadata={"axes": "ZYX", **sizes})


def write_imagej_tiff(path: Path, volume: np.ndarray) -> None:
    """Write a hyperstack as ImageJ does."""
    write_tiff(path, volume, imagej=True, metadata={"axes": "ZYX", "spacing": 2.0, "unit": "um"})


def write_hdf5(path: Path, volume: np.ndarray) -> None:
    """Write a dataset in chunks, with the sizes of its voxels."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("raw", data=volume, chunks=(2, 12, 16), compression="gzip")
        dataset.attrs["element_size_um"] = (2.0, 0.5, 0.5)


def zarr_writer(version: int) -> Callable[[Path, np.ndarray], None]:
    """Write OME-Zarr by hand: the metadata is what is damaged."""

    def write(path: Path, volume: np.ndarray) -> None:
        import zarr

        axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
        scale = [{"type": "scale", "scale": [2.0, 0.5, 0.5]}]
        multiscales = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
        group = zarr.open_group(path, mode="w", zarr_format=version)
        group.create_array("0", data=volume, chunks=(2, 12, 16))
        if version == 2:
            group.attrs["multiscales"] = [{**multiscales[0], "version": "0.4"}]
        else:
            group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales}

    return write


CHECK = "check recipe.yaml"

KINDS: dict[str, Kind] = {
    "recipe": Kind(make_images(".tif"), "recipe.yaml", CHECK),
    "labelme": Kind(make_annotations("labelme"), "in/*.json", "convert labelme masks in out --classes cell"),
    "coco": Kind(make_annotations("coco"), "in/*.json", "convert coco labels in out"),
    "geojson": Kind(make_annotations("geojson"), "in/*.geojson", "convert geojson labels in out"),
    "imagej": Kind(make_annotations("imagej"), "in/*.zip", "convert imagej labels in out --classes cell"),
    "roi": Kind(make_roi, "in/a.roi", "convert imagej labels in/a.roi out --classes cell"),
    "rle": Kind(make_annotations("rle"), "in/*.csv", "convert rle coco in out/a.json --classes cell"),
    "png": Kind(make_mask(".png"), "in/*", "convert masks coco in out/a.json --classes cell"),
    "bmp": Kind(make_mask(".bmp"), "in/*", "convert masks coco in out/a.json --classes cell"),
    "tiff": Kind(make_mask(".tif"), "in/*", "convert masks coco in out/a.json --classes cell"),
    "jpeg": Kind(make_images(".jpg"), "root/images/a.jpg", CHECK),
    "ome-tiff": Kind(make_volumes(write_ome_tiff, ".ome.tif"), "root/images/a*", CHECK),
    "imagej-tiff": Kind(make_volumes(write_imagej_tiff, ".tif"), "root/images/a*", CHECK),
    "hdf5": Kind(make_volumes(write_hdf5, ".h5"), "root/images/a*", CHECK),
    "zarr2": Kind(make_volumes(zarr_writer(2), ".zarr"), "root/images/a.zarr/**/*", CHECK),
    "zarr3": Kind(make_volumes(zarr_writer(3), ".zarr"), "root/images/a.zarr/**/*", CHECK),
}


# How it is damaged --------------------------------------------------------------------------------


def damage(path: Path, rng: np.random.Generator) -> None:
    """Damage a file: as the document that it is, if it is one, or else, and now and then, as bytes."""
    stored = path.read_bytes()
    damages = [damage_bytes]
    if path.suffix in (".json", ".geojson") or path.name in (".zattrs", ".zarray", ".zgroup"):
        damages += [damage_json] * 3
    elif path.suffix == ".yaml":
        damages += [damage_yaml] * 3
    elif b"<?xml" in stored or path.suffix == ".csv":
        damages += [damage_text] * 3
    path.write_bytes(damages[rng.integers(len(damages))](stored, rng))


def damage_bytes(stored: bytes, rng: np.random.Generator) -> bytes:
    """Change up to eight bytes, cut the end off, leave a piece out, or say a piece twice."""
    begin, end = sorted(rng.integers(0, len(stored) + 1, 2).tolist())
    match rng.integers(5):
        case 0:
            return stored[:begin]
        case 1:
            return stored[:begin] + stored[end:]
        case 2:
            return stored[:end] + stored[begin:]
        case _:
            changed = bytearray(stored)
            for _ in range(rng.integers(1, 9)):
                changed[rng.integers(len(changed))] = rng.integers(256)
            return bytes(changed)


def damage_text(stored: bytes, rng: np.random.Generator) -> bytes:
    """Replace a number or a word by something strange of the same length, so that offsets still hold."""
    words = list(re.finditer(rb"[A-Za-z]{3,}|-?[0-9.]+", stored))
    if not words:
        return damage_bytes(stored, rng)
    word = words[rng.integers(len(words))]
    length = word.end() - word.start()
    strange = [b"9" * length, b"-" + b"9" * (length - 1), b"0" * length, b"nan".ljust(length), b" " * length]
    return stored[: word.start()] + strange[rng.integers(len(strange))][:length] + stored[word.end() :]


def damage_json(stored: bytes, rng: np.random.Generator) -> bytes:
    """Replace, leave out or double a value anywhere in a JSON document."""
    return json.dumps(damage_value(json.loads(stored), rng)).encode()


def damage_yaml(stored: bytes, rng: np.random.Generator) -> bytes:
    """Replace, leave out or double a value anywhere in a YAML document."""
    return yaml.safe_dump(damage_value(yaml.safe_load(stored), rng), sort_keys=False).encode()


def damage_value(document: Any, rng: np.random.Generator) -> Any:
    """Walk down to a random value, and put something strange in its place."""
    if not isinstance(document, dict | list) or not document or rng.random() < 0.15:
        return [*STRANGE, *NESTED][rng.integers(len(STRANGE) + len(NESTED))]
    if isinstance(document, dict):
        keys = list(document)
        key = keys[rng.integers(len(keys))]
        if rng.random() < 0.1:
            return {other: value for other, value in document.items() if other != key}
        if rng.random() < 0.1:
            return {f"{other}x" if other == key else other: value for other, value in document.items()}
        return {**document, key: damage_value(document[key], rng)}
    at = int(rng.integers(len(document)))
    if rng.random() < 0.1:
        return document[:at] + document[at + 1 :]
    if rng.random() < 0.1:
        return document[: at + 1] + document[at:]
    return [*document[:at], damage_value(document[at], rng), *document[at + 1 :]]


# What comes of it ---------------------------------------------------------------------------------


def call(command: str, folder: Path) -> tuple[int, str]:
    """Type a command in a folder; return its exit code and, where it ends in a traceback, what was raised."""
    from kerasseg.cli import app

    before = Path.cwd()
    os.chdir(folder)
    try:
        nowhere = io.StringIO()
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            app(command.split(), prog_name="kerasseg")
    except SystemExit as end:
        return end.code or READ, ""
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return 1, f"{type(error).__name__}: {str(error)[:100]} ({Path(last.filename).name}:{last.lineno})"
    finally:
        os.chdir(before)
    return READ, ""


def files_of(folder: Path) -> set[str]:
    """List what is in a folder, with hidden files."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def peak_memory() -> int:
    """Say how much memory this process had at most since :func:`forget_peak_memory`; 0 where Linux is not."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else 0


def forget_peak_memory() -> None:
    """Start to measure anew."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def try_case(number: int, seed: int, valid: Path, kind: Kind, folder: Path) -> str:
    """Make a case, run it, and say "read", "refused", or what is wrong."""
    rng = np.random.default_rng([seed, number])
    shutil.copytree(valid, folder)
    candidates = sorted(path for path in folder.glob(kind.damaged) if path.is_file())
    damage(candidates[rng.integers(len(candidates))], rng)
    before = files_of(folder)
    forget_peak_memory()
    code, problem = call(kind.command, folder)
    written = sorted(files_of(folder) - before)
    if problem or code not in (READ, REFUSED):
        return problem or f"exit code {code}"
    if peak_memory() > BYTES:
        return f"{peak_memory() / 2**30:.1f} GiB of memory"
    if any(Path(name).name.startswith(".") for name in written) or (code == REFUSED and written):
        return f"left behind: {', '.join(written)}"
    return "read" if code == READ else "refused"


def work(numbers: list[int], seed: int, kinds: list[str], workplace: Path, results: Any) -> None:
    """Run cases one after another and send what comes of each."""
    sys.setrecursionlimit(1000)
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)  # libraries in C write past Python
    for number in numbers:
        kind = kinds[number % len(kinds)]
        folder = workplace / str(number)
        results.send((number, try_case(number, seed, workplace / kind, KINDS[kind], folder)))
        shutil.rmtree(folder)


def outcomes(numbers: list[int], seed: int, kinds: list[str], workplace: Path) -> Iterator[tuple[int, str]]:
    """Run cases in a process of their own, and in a new one after each that died or took too long."""
    while numbers:
        receive, send = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.Process(
            target=work, args=(numbers, seed, kinds, workplace, send), daemon=True
        )
        process.start()
        send.close()
        try:
            while numbers:
                if not receive.poll(SECONDS):
                    yield numbers[0], f"took more than {SECONDS} s"
                    break
                number, outcome = receive.recv()
                numbers = numbers[1:]
                yield number, outcome
            else:
                return
        except EOFError:
            process.join()
            yield numbers[0], f"the process died ({process.exitcode})"
        process.kill()
        process.join()
        shutil.rmtree(workplace / str(numbers[0]), ignore_errors=True)
        numbers = numbers[1:]


def fuzz(count: int, seed: int = 0, kinds: list[str] | None = None, first: int = 0) -> dict[int, str]:
    """Run cases, and return what came of each by its number.

    Parameters
    ----------
    count : int
        How many; they go through the kinds in turn.
    seed : int, default 0
        Of all cases.
    kinds : list of str, optional
        Names in `KINDS`; all by default.
    first : int, default 0
        The first one's number.

    Returns
    -------
    dict of int to str
        "read", "refused", or what is wrong.
    """
    kinds = kinds or list(KINDS)
    results: dict[int, str] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        workplace = Path(temporary)
        for name in kinds:
            (workplace / name).mkdir()
            KINDS[name].make(workplace / name)
        for number, outcome in outcomes(list(range(first, first + count)), seed, kinds, workplace):
            results[number] = outcome
            if time.monotonic() - began > 10:
                began = time.monotonic()
                print(f"{len(results)}/{count}", file=sys.stderr)
    return results


def main() -> int:
    """Fuzz as the command line says, print a table, and return 1 if any case failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--case", type=int, help="run this one alone, in ./case, which stays")
    given = parser.parse_args()
    if given.case is not None:
        kind = KINDS[given.kinds[given.case % len(given.kinds)]]
        with tempfile.TemporaryDirectory() as temporary:
            kind.make(Path(temporary))
            print(try_case(given.case, given.seed, Path(temporary), kind, Path("case")))
        print(f"cd case; kerasseg {kind.command}")
        return 0
    results = fuzz(given.count, given.seed, given.kinds, given.first)
    tally = collections.Counter(
        (given.kinds[number % len(given.kinds)], outcome if outcome in ("read", "refused") else "failed")
        for number, outcome in results.items()
    )
    print(f"{'kind':12} {'read':>6} {'refused':>8} {'failed':>7}")
    for kind, outcomes_of in itertools.groupby(sorted(tally), key=lambda key: key[0]):
        counts = {outcome: tally[kind, outcome] for _, outcome in outcomes_of}
        print(f"{kind:12} {counts.get('read', 0):6} {counts.get('refused', 0):8} {counts.get('failed', 0):7}")
    failures = {number: outcome for number, outcome in results.items() if outcome not in ("read", "refused")}
    for number, outcome in failures.items():
        print(f"case {number} ({given.kinds[number % len(given.kinds)]}): {outcome}")
    return int(bool(failures))


if __name__ == "__main__":
    raise SystemExit(main())
