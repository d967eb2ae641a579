"""Kaggle's "Sartorius - Cell Instance Segmentation": train.csv with run lengths beside train/ID.png."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations import rle
from kerasseg.annotations.kaggle import COLUMNS
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.listing import (
    check_size,
    existing,
    folder_of,
    image_size,
    listed,
    one_class,
)
from kerasseg.errors import Mistakes, UserError
from kerasseg.images import files

LONGEST = 1 << 24  # characters of one annotation; csv stops at 131,072 unless told

Row = dict[str, str]


def sartorius(root: Path, classes: list[str]) -> list[Sample]:
    """List the images that Kaggle's ``train.csv`` annotates.

    Each row is a cell: run lengths row by row from 1. Of overlapping cells the later one lies on top in the
    labels; the mask is their union.

    Parameters
    ----------
    root : Path
        Folder of ``train.csv`` and of the images ``train/ID.png``.
    classes : list of str
        The one class.

    Returns
    -------
    list of Sample
        By id. Their attributes are ``folder`` and all columns but those of the annotation itself:
        ``cell_type``, ``plate_time``, ``sample_date``, ``sample_id``, ...

    Raises
    ------
    MissingData
        If there is no `root`.
    UserError
        If anything is wrong with any file or row; all of it at once.
    """
    root, table = existing(root), Path(root) / "train.csv"
    one_class(classes, "sartorius")
    mistakes, samples = Mistakes(), []
    grouped = _grouped(table, mistakes)
    for name, rows in sorted(grouped.items()):
        with mistakes.noted():
            samples.append(_sample(root, table, name, rows, mistakes))
    for image in files.find(root / "train") if (root / "train").is_dir() else []:
        if image.stem not in grouped:
            mistakes.add(f"{image}: no row of {table} annotates this image; annotate it, or take it away")
    mistakes.check()
    return listed(samples, root, "rows in train.csv")


def _grouped(table: Path, mistakes: Mistakes) -> dict[str, list[Row]]:
    """Collect the rows of each image, and note those that name none."""
    grouped: dict[str, list[Row]] = {}
    for line, row in enumerate(_read(table), start=2):
        name = row["id"] or ""
        if not name or Path(name).name != name:
            mistakes.add(f"{table}: line {line}: id is {name!r}; expected an image's name without suffix")
        elif None in row or None in row.values():
            mistakes.add(f"{table}: line {line}: it has more or fewer values than there are columns")
        else:
            grouped.setdefault(name, []).append(row)
    return grouped


def _read(table: Path) -> list[Row]:
    if not table.is_file():
        raise UserError(f"{table}: there is no such file; expected Kaggle's table beside the folder train")
    csv.field_size_limit(LONGEST)
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            rows = list(reader)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{table}: this is not CSV ({error})") from error
    if missing:
        raise UserError(f"{table}: there is no column {', '.join(missing)}; expected {','.join(COLUMNS)}")
    return rows


def _sample(root: Path, table: Path, name: str, rows: Sequence[Row], mistakes: Mistakes) -> Sample:
    image = root / "train" / f"{name}.png"
    size = image_size(image)
    for given in {(row["height"], row["width"]) for row in rows}:
        check_size(image, size, table, _size(given, table, name), key=name)
    runs = [row["annotation"] for row in rows if row["annotation"]]
    where = f"{table}: {name}"
    for run in runs:
        with mistakes.noted():
            rle.pixels(run, size, name=where)
    attributes = {key: value for key, value in rows[0].items() if key not in COLUMNS}
    return Sample(
        name, image, size, partial(_annotate, runs, size, where), folder_of(image, root) | attributes
    )


def _size(given: tuple[str, str], table: Path, name: str) -> tuple[int, int]:
    if not all(side.isdecimal() for side in given):
        raise UserError(f"{table}: height and width of {name} are {given}; expected whole numbers")
    return int(given[0]), int(given[1])


def _annotate(runs: Sequence[str], size: tuple[int, int], where: str) -> Annotation:
    labels = np.zeros(size, np.int32)
    for number, run in enumerate(runs, start=1):
        labels.ravel()[rle.pixels(run, size, name=where)] = number
    return Annotation((labels > 0).astype(np.uint8), labels)
