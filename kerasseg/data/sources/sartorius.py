"""Images and Kaggle's CSV of run lengths: Sartorius' train.csv and train/, or the Data Science Bowl's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations import kaggle
from kerasseg.annotations.kaggle import Row
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.layouts import subfolder, wrong_layout
from kerasseg.data.sources.listing import check_size, existing, folder_of, image_size, listed, one_class
from kerasseg.errors import Mistakes, UserError
from kerasseg.images import folders

TABLE, IMAGES = "train.csv", "train"  # of Sartorius


def sartorius(
    root: Path, classes: list[str], *, table: str | None = None, images: str | None = None
) -> list[Sample]:
    """List the images that one of Kaggle's tables annotates.

    Each row is a cell, as run lengths. Of overlapping cells the later one lies on top in the labels; the mask
    is their union.

    Parameters
    ----------
    root : Path
        Folder of the table and of the images.
    classes : list of str
        The one class.
    table : str, optional
        The CSV file, from `root`; by default ``train.csv``, or the only one in `root` that holds run lengths.
    images : str, optional
        The folder of the images, from `root`; by default ``train``, or else `root` itself. They may lie in
        folders of their own, as ``ID/images/ID.png`` does in the Data Science Bowl.

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
    root = existing(root)
    one_class(classes, "sartorius")
    path, folder = _table(root, table), _images(root, images)
    mistakes, samples = Mistakes(), []
    by_name = kaggle.images_by_name(folder) if folder.is_dir() else {}
    grouped = kaggle.rows(path, mistakes)
    for name, rows in sorted(grouped.items()):
        image = by_name.get(name, folder / f"{name}.png")
        with mistakes.noted():
            samples.append(_sample(root, image, path, name, rows, mistakes))
    _note_unlisted(by_name, grouped.keys(), path, mistakes)
    mistakes.check()
    return listed(samples, root, "sartorius", f"rows in {path.name}")


def _table(root: Path, given: str | None) -> Path:
    """Choose the table."""
    if given is not None or (root / TABLE).is_file():
        return root / (given or TABLE)
    tables = [
        path for path in folders.entries(root) if path.suffix.lower() == ".csv" and kaggle.is_table(path)
    ]
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise UserError(f"{root}: {names} hold run lengths; set data.source.sartorius.table to one of them")
    if not tables:
        problem = f"{root / TABLE}: there is no such file; expected Kaggle's table beside the folder train"
        raise wrong_layout(root, "sartorius", problem)
    return tables[0]


def _images(root: Path, given: str | None) -> Path:
    if given is not None:
        return subfolder(root, given, "sartorius", "images")
    return root / IMAGES if (root / IMAGES).is_dir() or (root / TABLE).is_file() else root


def _note_unlisted(by_name: dict[str, Path], names: Iterable[str], table: Path, mistakes: Mistakes) -> None:
    """Note images beside those that are listed: a test's images, in folders of their own, have no rows."""
    used = {by_name[name] for name in names if name in by_name}
    parents = {image.parent for image in used}
    for image in sorted(set(by_name.values()) - used):
        if image.parent in parents:
            mistakes.add(
                f"{image}: no row of {table} annotates this image; annotate it, or move it elsewhere"
            )


def _sample(
    root: Path, image: Path, table: Path, name: str, rows: Sequence[Row], mistakes: Mistakes
) -> Sample:
    size = image_size(image)
    for given in {row.size for row in rows} - {None}:
        check_size(image, size, table, given, key=name)
    drawn = [row for row in rows if row.runs]
    for row in drawn:
        with mistakes.noted():
            row.pixels(size)
    annotate = partial(_annotate, drawn, size)
    return Sample(name, image, size, annotate, folder_of(image, root) | rows[0].others)


def _annotate(rows: Sequence[Row], size: tuple[int, int]) -> Annotation:
    labels = np.zeros(size, np.int32)
    for number, row in enumerate(rows, start=1):
        labels.ravel()[row.pixels(size)] = number
    return Annotation((labels > 0).astype(np.uint8), labels)
