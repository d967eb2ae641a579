"""The verb `predict`: a run's model, or one on a server, segments an image or a folder of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kerasseg.commands import batch
from kerasseg.errors import UserError
from kerasseg.images import files, folders
from kerasseg.images.stores import address, hdf5
from kerasseg.images.stores.omezarr import is_zarr
from kerasseg.inference.large_image import OUTLINES, Output, Segmenting, segment
from kerasseg.inference.resume import RECORD, record_failure, recorded_results
from kerasseg.recipe import amended
from kerasseg.recipe.recipe import Evaluate, Predict
from kerasseg.segmenter import Segmenter

STORES = (".zarr", *hdf5.SUFFIXES)  # files and folders that are one image, of any size
FILES = (*files.SUFFIXES, *STORES, ".json", ".geojson", ".zip")  # what images and results end with


def predict(
    segmenter: Segmenter,
    images: Path,
    out: Path,
    *,
    what: str | None = None,
    to: str | None = None,
    axes: str | None = None,
    threshold: float | None = None,
    scheduler: str | None = None,
    force: bool = False,
    tell: batch.Tell | None = None,
    **tiling: Any,
) -> None:
    """Segment images; what is there already is left as it is, and what was begun is gone on with.

    Parameters
    ----------
    segmenter : Segmenter
    images : Path
        An image of any size, or a folder of images; with `axes` that name Z, a folder of the planes of one
        volume. One of several images in a file is named as ``FILE.h5:DATASET``,
        a point of time as ``FILE.nd2:t=3``.
    out : Path
        Gets a file for each, such as ``<name>.mask.png``, and ``predictions.json``, which tells how they were
        made.
    what, to : str
        See `kerasseg.inference.large_image.Output`; by default the mask, or labels where the format holds
        outlines, and PNG where it can hold the result, otherwise OME-TIFF.
    axes : str, optional
        What the stored axes are, such as ``ZYX``, where files do not say.
    threshold : float, optional
        Instead of the model's own.
    scheduler : str, optional
        Of a Dask cluster whose workers are to answer, such as ``tcp://host:8786``; `segmenter` is of a run.
    force : bool
        Whether to start over and to replace what is there.
    tell : callable, optional
        See `kerasseg.commands.batch.work_through`.
    **tiling
        Instead of the model's own: tile, overlap, blend, padding, tta.

    Raises
    ------
    UserError
        If there is no image, no cluster, or no image can be read; `Incomplete` if some cannot.
    """
    spec = segmenter.spec
    checked = dict(amended(Predict(), **tiling))
    changes = {key: checked[key] for key, value in tiling.items() if value is not None}
    spec = replace(
        spec,
        threshold=amended(Evaluate(threshold=spec.threshold), threshold=threshold).threshold,
        tiling=replace(spec.tiling, **changes),
    )
    segmenter = replace(segmenter, spec=spec)
    segmenter.tiling  # noqa: B018  a tile that is too small is refused before anything is done
    with segmenter.on_cluster(scheduler) if scheduler else nullcontext(segmenter) as computing:
        predict_by(computing, images, out, what=what, to=to, axes=axes, force=force, tell=tell)


def predict_by(
    segmenter: Segmenting,
    images: Path,
    out: Path,
    *,
    what: str | None = None,
    to: str | None = None,
    axes: str | None = None,
    force: bool = False,
    tell: batch.Tell | None = None,
) -> None:
    """Segment images by a model or a cascade as it is; see `predict`."""
    spec, what = segmenter.spec, what or ("labels" if to in OUTLINES else "mask")
    flat = spec.rank == 2 and not spec.multilabel and what != "probabilities"
    output = Output(what, to or ("png" if flat else "tiff"))
    output.check(spec)
    _check_folder(out)
    results = _results(images, out, axes, output.suffix)
    work = partial(segment, segmenter=segmenter, output=output, axes=axes, force=force)
    outcomes = batch.work_through(results, work, tell)
    if any(outcome.result for outcome in outcomes):  # a command that could do nothing leaves nothing
        for outcome in outcomes:
            if outcome.state == batch.FAILED:
                record_failure(results[Path(outcome.file)], Path(outcome.file), outcome.error)
    batch.report(outcomes, out)


def _check_folder(out: Path) -> None:
    """Refuse the name of a file: results are several files, in a folder, and named by their images."""
    if out.is_file() or (out.suffix.lower() in FILES and not out.is_dir()):
        raise UserError(f"{out}: this is the name of a file; name a folder for the results")


def _results(images: Path, out: Path, axes: str | None, suffix: str) -> dict[Path, Path]:
    """Name the result of each image; none takes the place of another, of an image, or of the record.

    Raises
    ------
    UserError
        If one would.
    """
    results = {image: out / f"{name}{suffix}" for image, name in _found(images, axes)}
    taken = {image.resolve() for image in results}
    problems = [
        f"{image}: its result would be {result}, which is in use; rename the image, or choose another folder"
        for image, result in results.items()
        if result.name == RECORD or result.resolve() in taken
    ]
    if problems:
        raise UserError(*problems)
    return results


def _found(images: Path, axes: str | None) -> Iterator[tuple[Path, Path]]:
    """Yield images with their names under the folder that was given; earlier results are no images."""
    file, dataset = address.parted(images)
    if file.is_file() or file.suffix in STORES or is_zarr(file) or _is_volume(images, axes):
        parts = re.findall(r"[^/\\:,\s]+", dataset or "")
        yield images, Path(".".join([_stem(file), *parts]))
        return
    if not images.exists():
        raise UserError(f"{images}: there is no such file or folder")
    listed = folders.find(images, (*files.SUFFIXES, *STORES), whole=_is_store)
    results = {folder: recorded_results(folder) for folder in {path.parent for path in listed}}
    found = [path for path in listed if path.name not in results[path.parent]]
    if not found and listed:
        raise UserError(
            f"{images}: there are only results of earlier predictions here; name the folder of the images"
        )
    if not found:
        raise UserError(
            f"{images}: there is no image here; expected {', '.join(sorted(files.SUFFIXES))} or "
            f"{', '.join(STORES)}"
        )
    yield from folders.unique(found, images).items()


def _is_volume(folder: Path, axes: str | None) -> bool:
    """Tell a folder of planes, which are one volume, from one of stacks: by its axes and its first file."""
    if axes is None or "Z" not in axes.upper() or not folder.is_dir():
        return False
    planes = [path for path in folders.entries(folder) if path.suffix.lower() in files.SUFFIXES]
    return bool(planes) and files.header(planes[0]).pages == 1


def _is_store(folder: Path) -> bool:
    return folders.is_store(folder) or is_zarr(folder)


def _stem(image: Path) -> str:
    """Leave out the suffix, and ``.ome`` or ``.nii`` before it; a folder of planes has none."""
    if image.is_dir() and image.suffix not in STORES:
        return image.resolve().name
    return folders.stem(image)
