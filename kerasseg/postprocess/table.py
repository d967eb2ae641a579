"""Tables of objects and of images, by scikit-image's names of properties with their units; CSV and Parquet.

A column's name ends in what its values are in: ``_um``, ``_um2``, ``_um3`` where the size of a pixel is
known, ``_px``, ``_px2``, ``_px3`` otherwise. Where some images say how large a pixel is and others do not,
there are both columns, and the one that does not hold is empty.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images import folders
from kerasseg.images.calibration import PixelSize
from kerasseg.images.stores.blocks import cuts
from kerasseg.postprocess.measurement import Measured
from kerasseg.postprocess.surface import perimeters, surfaces

Columns = dict[str, np.ndarray]
"""A table: columns of one length, by their names."""

LARGE = {2: (1e6, "mm2"), 3: (1e9, "mm3")}
"""What objects are counted in, in cubes of a micrometre, by the number of axes."""
SUFFIXES = (".csv", ".parquet")
ROWS = 2**12  # of a table that are made text together


def beside(labels: Path) -> Path:
    """Name the table that says which id in a file of labels has which class."""
    return labels.with_name(f"{folders.stem(labels)}.objects.csv")


def images_table(objects: Path) -> Path:
    """Name the table of images by that of their objects: ``NAME.images.csv``."""
    return objects.with_name(f"{objects.stem}.images{objects.suffix}")


def object_columns(measured: Measured, pixel_size: PixelSize) -> Columns:
    """Give the properties of objects by the names and the formulas of `skimage.measure.regionprops_table`.

    Parameters
    ----------
    measured : Measured
    pixel_size : tuple of float or None
        In micrometres; lengths are in pixels where one of them is None.

    Returns
    -------
    dict of str to np.ndarray
        In an image area, perimeter, axes of the ellipse of the same moments, eccentricity, solidity; in a
        volume volume, surface (Crofton's) and axes of the ellipsoid. A perimeter of pixels that are not
        square is Crofton's alone, as Benkrid and Crookes' has none. Boxes are in pixels, and everything else
        counts the first pixel's centre as 0.
    """
    unit, spacing = _unit(pixel_size)
    axes = len(spacing)
    cube = math.prod(spacing)
    columns: Columns = {"label": measured.ids, "num_pixels": measured.sizes}
    if axes == 2:
        columns[f"area_{unit}2"] = measured.sizes * cube
        if spacing[0] == spacing[1]:
            columns[f"perimeter_{unit}"] = perimeters(measured.borders) * spacing[0]
        columns[f"perimeter_crofton_{unit}"] = surfaces(measured.borders, spacing)
    else:
        columns[f"volume_{unit}3"] = measured.sizes * cube
        columns[f"surface_{unit}2"] = surfaces(measured.borders, spacing)
    variances = np.linalg.eigvalsh(measured.covariances * np.multiply.outer(spacing, spacing)).clip(0)
    major, minor = _axis_lengths(variances)
    columns |= {f"axis_major_length_{unit}": major, f"axis_minor_length_{unit}": minor}
    if axes == 2:
        small, large = variances.T
        ratio = np.divide(small, large, out=np.ones_like(large), where=large > 0)
        columns["eccentricity"] = np.sqrt(1 - ratio)
        columns["solidity"] = measured.sizes / measured.convex
    columns |= {f"centroid-{axis}_{unit}": measured.centres[:, axis] * spacing[axis] for axis in range(axes)}
    columns |= {f"bbox-{axis}": measured.starts[:, axis] for axis in range(axes)}
    columns |= {f"bbox-{axes + axis}": measured.stops[:, axis] for axis in range(axes)}
    for channel, (sums, maxima) in enumerate(zip(measured.sums.T, measured.maxima.T, strict=True)):
        columns[f"intensity_mean-{channel}"] = sums / measured.sizes
        columns[f"intensity_max-{channel}"] = maxima
        columns[f"intensity_sum-{channel}"] = sums
    return columns


def _unit(pixel_size: PixelSize) -> tuple[str, tuple[float, ...]]:
    return ("px", (1.0,) * len(pixel_size)) if None in pixel_size else ("um", pixel_size)


def _axis_lengths(variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the longest and the shortest axis of what has these moments.

    Of an ellipse those are four standard deviations long; of an ellipsoid they follow from its moments of
    inertia, and the root of what is below 0 by rounding is 0.
    """
    if variances.shape[1] == 2:
        return 4 * np.sqrt(variances[:, 1]), 4 * np.sqrt(variances[:, 0])
    return np.sqrt(20 * variances[:, 2]), np.sqrt(20 * variances[:, 0])


def without_border(measured: Measured, shape: Sequence[int]) -> Measured:
    """Leave out the objects that the border of the image cuts, or only touches."""
    inside = ((measured.starts > 0) & (measured.stops < shape)).all(axis=1)
    kept = {
        name: values if values is None else values[:, inside] if name == "borders" else values[inside]
        for name, values in measured._asdict().items()
    }
    return Measured(**kept)


def object_rows(
    image: str, measured: Measured, pixel_size: PixelSize, classes: Mapping[int, str] | None = None
) -> Columns:
    """Put the name of the image, and the class of each object if classes are known, before its properties."""
    rows: Columns = {"image": np.full(len(measured.ids), image, object)}
    if classes is not None:
        rows["class"] = np.array([classes.get(number, "") for number in measured.ids.tolist()], object)
    return rows | object_columns(measured, pixel_size)


@dataclass
class Tables:
    """A row for each object, and one for each class of objects in each image.

    Attributes
    ----------
    objects, images : list of dict of str to np.ndarray
        The columns of each image that was added.
    """

    objects: list[Columns] = field(default_factory=list)
    images: list[Columns] = field(default_factory=list)

    def add(
        self,
        image: str,
        measured: Measured,
        shape: Sequence[int],
        pixel_size: PixelSize,
        classes: Mapping[int, str] | None = None,
        known: Sequence[str] = (),
    ) -> None:
        """Add what was measured in an image.

        Parameters
        ----------
        image : str
            Its name.
        measured : Measured
        shape : sequence of int
            (Y, X) or (Z, Y, X) pixels of the image.
        pixel_size : tuple of float or None
            See `object_columns`.
        classes : mapping of int to str, optional
            The class of each object; without it there is no column of classes.
        known : sequence of str
            Classes that have a row in any case.
        """
        rows = object_rows(image, measured, pixel_size, classes)
        self.objects.append(rows)
        named = rows.get("class")
        for name in [None] if named is None else dict.fromkeys([*known, *named]):
            sizes = measured.sizes if name is None else measured.sizes[named == name]
            self.images.append(_image_row(image, name, sizes, shape, pixel_size))

    def write(self, path: Path) -> None:
        """Write both tables in the format of the name of that of objects; see `images_table`."""
        write(path, _joined(self.objects))
        write(images_table(path), _joined(self.images))


def _image_row(
    image: str, name: str | None, sizes: np.ndarray, shape: Sequence[int], pixel_size: PixelSize
) -> Columns:
    """Say how many objects of a class an image has, how densely they lie, and what part of it they are."""
    unit, spacing = _unit(pixel_size)
    large, large_unit = LARGE[len(shape)] if unit == "um" else (1, f"px{len(shape)}")
    share = "area_share" if len(shape) == 2 else "volume_share"
    values: dict[str, Any] = {"image": image} | ({} if name is None else {"class": name})
    values |= {
        "count": len(sizes),
        f"density_per_{large_unit}": len(sizes) / (math.prod(shape) * math.prod(spacing)) * large,
        share: sizes.sum() / math.prod(shape),
    }
    return {
        column: np.array([value], object if isinstance(value, str) else None)
        for column, value in values.items()
    }


def _joined(tables: Sequence[Columns]) -> Columns:
    """Put tables below each other; what one does not have is NaN or empty there."""
    names = dict.fromkeys(name for table in tables for name in table)
    names = sorted(names, key=lambda name: name.startswith("intensity"))  # channels may differ: at the end
    return {
        name: np.concatenate([table[name] if name in table else _missing(name, table) for table in tables])
        for name in names
    }


def _missing(name: str, table: Columns) -> np.ndarray:
    count = len(table["image"])
    return np.full(count, "", object) if name == "class" else np.full(count, np.nan)


def check_format(path: Path) -> None:
    """Refuse a table's name whose format is not written, or needs what is not installed.

    Raises
    ------
    UserError
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: expected the name of a table, which ends in {' or '.join(SUFFIXES)}")
    if path.suffix == ".parquet":
        _parquet(path)


def write(path: Path, columns: Columns) -> None:
    """Write a table as CSV, with ten digits and nothing where there is no value, or as Parquet, in full.

    Raises
    ------
    UserError
        As `check_format`.
    """
    check_format(path)
    if path.suffix == ".parquet":
        arrow, parquet = _parquet(path)
        values = {name: arrow.array(column, from_pandas=True) for name, column in columns.items()}
        parquet.write_table(arrow.table(values), path)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        for rows in cuts(len(next(iter(columns.values()))), ROWS):
            table.writerows(zip(*(_cells(column[rows]) for column in columns.values()), strict=True))


def _cells(column: np.ndarray) -> list[Any]:
    if column.dtype.kind != "f":
        return column.tolist()
    return ["" if math.isnan(value) else f"{value:.10g}" for value in column.tolist()]


def read_columns(path: Path) -> dict[str, list[str]]:
    """Read a table that was written as CSV, column by column; an empty one where there is no file."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return {name: [row[place] for row in rows] for place, name in enumerate(header)}


def _parquet(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(
            f"{path}: Parquet is written by pyarrow, which is not installed: pip install "
            "'kerasseg[parquet]'; or name a .csv"
        ) from error
    return pyarrow, pyarrow.parquet
