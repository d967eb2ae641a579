"""The verbs that read key points: `expand` builds images again, `compact --show` lists the points."""

from __future__ import annotations

import csv
import itertools
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TextIO

from kerasseg import locks
from kerasseg.annotations import geojson
from kerasseg.annotations.shapes import EVERYWHERE, Plane
from kerasseg.commands import batch
from kerasseg.commands.batch import check_folder
from kerasseg.compact import comparison, keypoints_file
from kerasseg.compact.keypoints import KeyPoints
from kerasseg.compact.keypoints_file import SUFFIX, KeyPointsFile
from kerasseg.compact.rebuilding import Region, rebuild
from kerasseg.console import errors
from kerasseg.errors import UserError, unknown
from kerasseg.files import Written, write_atomically
from kerasseg.images import files, folders, ondisk
from kerasseg.images.stores.address import file_signature
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.writing.outputs import appearing
from kerasseg.images.writing.result import AXES, Result
from kerasseg.images.writing.tiff import write_tiff
from kerasseg.inference.resume import finished, record, recorded_results

RECORD = "expand.json"  # by which settings each image was made
BAND = 1024  # rows that are rebuilt together
FORMATS = {"png": ".png", "tiff": ".ome.tif"}
MOST_IN_PNG = 2**26  # pixels: a PNG is written whole
TABLES = (".csv", ".geojson")


def expand(
    source: Path, out: Path, *, region: str | None = None, to: str | None = None, force: bool = False
) -> None:
    """Build images again from files of key points; those that are there already are left as they are.

    Parameters
    ----------
    source : Path
        A file, or a folder of files.
    out : Path
        The folder that gets ``NAME.png`` or ``NAME.ome.tif`` of each, and ``expand.json``, which says how
        each was made.
    region : str, optional
        The part of each, such as ``0:512,100:612``: rows and columns from 0, the end left out; planes before
        them where there are any.
    to : {"png", "tiff"}, optional
        By default PNG where it can hold the image.
    force : bool
        Whether images that are there are replaced.

    Raises
    ------
    UserError
        If the files are damaged, or have no such region; `Incomplete` if some are.
    """
    if to is not None and to not in FORMATS:
        raise UserError(f"--to: {unknown('format', to, FORMATS)}")
    check_folder(out)
    work = partial(_expand_one, region=region, to=to, force=force)
    outcomes = batch.work_through({path: out / name for path, name in _listed(source).items()}, work)
    batch.report(outcomes, out)


def show(file: Path, out: Path | None = None, *, force: bool = False) -> None:
    """List the points of a file.

    Parameters
    ----------
    file : Path
    out : Path, optional
        ``NAME.csv`` or ``NAME.geojson``, which QuPath opens; by default the table is printed.
    force : bool
        Whether a file that is there is replaced.

    Raises
    ------
    UserError
        If the file is damaged, or `out` is of another kind or there already.
    """
    if out is not None and out.suffix not in TABLES:
        raise UserError(f"{out}: expected a name that ends in {' or '.join(TABLES)}")
    if out is not None and out.exists() and not force:
        raise UserError(f"{out}: it exists already; choose another name, or replace it with --force")
    points = keypoints_file.read(file)
    if out is None:
        _write_table(sys.stdout, points)
    elif out.suffix == ".csv":
        with write_atomically(out) as path, path.open("w", newline="", encoding="utf-8") as table:
            _write_table(table, points)
    else:
        height, width = points.grid[-2:]
        geojson.write_points(out, file.name, (height, width), _places(points))
    errors.print(_described(points, file.stat().st_size), markup=False)


def _listed(source: Path) -> dict[Path, Path]:
    """Name the files by their paths without suffix."""
    if not source.is_dir():
        return {source: Path(folders.stem(source))}
    found = folders.find(source, (SUFFIX,), known=(".json", ".html"))
    if not found:
        raise UserError(f"{source}: there is no file of key points here; expected {SUFFIX}")
    return folders.unique(found, source)


def _expand_one(path: Path, stem: Path, *, region: str | None, to: str | None, force: bool) -> Written:
    """Build one image again, unless it is there already; its name gets the ending of its format."""
    with keypoints_file.opened(path) as file:
        settings = {"file": file_signature(path), "region": region}
        part = _region(region, file.described, path)
        result = stem.with_name(f"{stem.name}{_suffix(file.described, part, to, path)}")
        with locks.held(result.with_name(f".{result.name}.{RECORD}.lock"), result):
            if result.exists() and result.name not in recorded_results(result.parent, RECORD):
                raise UserError(
                    f"{result}: it is there, and {RECORD} does not say that it was built from key points: it "
                    "may be the original, which --force does not replace. Choose another folder"
                )
            if not force and (there := finished(result, settings, RECORD)):
                return there
            _expand(file, part, result)
            record(result, settings, name=RECORD)
    return Written(result, new=True)


def _region(text: str | None, points: KeyPoints, path: Path) -> Region:
    """Read a region, one range for each axis but C."""
    if text is None:
        return tuple(slice(0, side) for side in points.grid)
    ranges = [re.fullmatch(r"(\d+):(\d+)", part.strip()) for part in text.split(",")]
    axes = points.axes.removesuffix("C")
    if not all(ranges) or len(ranges) != len(axes):
        raise UserError(
            f"--region {text}: {path} has the axes {axes}; expected "
            f"{','.join(f'{axis}0:{axis}1' for axis in axes)}, such as "
            f"{','.join(f'0:{side}' for side in points.grid)}"
        )
    region = tuple(slice(int(part[1]), int(part[2])) for part in ranges)
    for axis, part, side in zip(axes, region, points.grid, strict=True):
        if not part.start < part.stop <= side:
            raise UserError(
                f"--region {text}: {path} has no {axis} {part.start}:{part.stop}; expected a range within "
                f"0:{side}"
            )
    return region


def _suffix(points: KeyPoints, region: Region, to: str | None, path: Path) -> str:
    """Choose the format of a result."""
    if points.axes not in AXES:
        raise UserError(
            f"{path}: its axes are {points.axes}; expected one of {', '.join(AXES)}. Expand it in Python, by "
            "kerasseg.compact.rebuilding.rebuild"
        )
    lengths = [part.stop - part.start for part in region]
    flat = len(lengths) == 2 and points.channels in (1, 3, 4)
    if to == "png" and not flat:
        raise UserError(
            f"{path}: PNG cannot hold {points.axes} of {points.channels} channels; give --to tiff"
        )
    return FORMATS[to or ("png" if flat and lengths[0] * lengths[1] <= MOST_IN_PNG else "tiff")]


def _expand(file: KeyPointsFile, region: Region, result: Path) -> None:
    """Rebuild a region band by band, in a file beside the result."""
    points = file.described
    shape = tuple(part.stop - part.start for part in region)
    with appearing(result) as folder:
        channels = (points.channels,) * points.has_channels
        pixels = ondisk.create(folder / "pixels.npy", points.dtype, (*shape, *channels))
        for band in _bands(region):
            place = tuple(
                slice(part.start - whole.start, part.stop - whole.start)
                for part, whole in zip(band, region, strict=True)
            )
            pixels[place] = rebuild(file.points(band), band)
        if result.suffix == ".png":
            files.write(folder / result.name, pixels[:])
        else:
            size = points.pixel_size or (None,) * len(shape)
            write_tiff(folder / result.name, Result(pixels, points.axes, size, "area"))


def _bands(region: Region) -> Iterator[Region]:
    """Cut a region into bands of rows, plane by plane."""
    *planes, rows, columns = region
    for plane in itertools.product(*(range(part.start, part.stop) for part in planes)):
        for band in cuts(rows.stop - rows.start, BAND):
            down = slice(rows.start + band.start, rows.start + band.stop)
            yield (*(slice(index, index + 1) for index in plane), down, columns)


def _write_table(file: TextIO, points: KeyPoints) -> None:
    """Write a row for each point: where it lies, and what it adds in each channel, in the image's units."""
    axes = points.axes.removesuffix("C").lower()
    names = [f"value_{channel}" for channel in range(points.channels)] if points.has_channels else ["value"]
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow([*axes, *names])
    for position, values in zip(points.positions.tolist(), _values(points), strict=True):
        rows.writerow([*position, *(f"{value:g}" for value in values)])


def _places(points: KeyPoints) -> Iterator[tuple[float, float, Plane, dict[str, float]]]:
    """Give what GeoJSON says of each point: x, y, its plane, and its values as measurements."""
    axes = points.axes.removesuffix("C").lower()
    for position, values in zip(points.positions.tolist(), _values(points), strict=True):
        *_, y, x = position
        plane = EVERYWHERE._replace(
            **{axis: index for axis, index in zip(axes, position, strict=True) if axis in "zt"}
        )
        yield x, y, plane, {f"value {channel}": value for channel, value in enumerate(values)}


def _values(points: KeyPoints) -> list[list[float]]:
    """Give what each point adds to its own pixel, per unit of the kernel: (N, C)."""
    if points.amplitudes is None:
        return [points.step.tolist()] * len(points)
    return (points.amplitudes * points.step).tolist()


def _described(points: KeyPoints, written: int) -> str:
    """Say in a line what a file holds, and its bytes in three counts."""
    sizes = comparison.sizes(points, written)
    shape = " x ".join(map(str, points.shape))
    return (
        f"{len(points):,} points ({points.share:.2%}) by {points.method}, of an image {points.axes} {shape} "
        f"{points.dtype}; kernel {points.kernel.name} ({points.kernel.norm}); bytes: {sizes['file']:,} in "
        f"the file, {sizes['paper']:,} by the paper's count of 2 n + 2, {sizes['positions']:,.0f} at least "
        "for the positions, by their entropy"
    )
