"""The verb `predict`: a run's model, or one on a server, segments an image or a folder of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kerasseg.answering import Model, predictor
from kerasseg.console import say
from kerasseg.errors import Mistakes, UserError, if_interrupted
from kerasseg.images import files
from kerasseg.images.stores import hdf5
from kerasseg.postprocess import streaming
from kerasseg.prediction import halo
from kerasseg.recipe import amended
from kerasseg.recipe.instances import AnyInstances
from kerasseg.recipe.recipe import Evaluate
from kerasseg.segmentation import Wanted, segment

STORES = (".zarr", *hdf5.SUFFIXES)  # files and folders that are one image, of any size


def predict(
    model: Model,
    images: Path,
    out: Path,
    *,
    what: str = "mask",
    to: str | None = None,
    axes: str | None = None,
    fill_missing: bool = False,
    threshold: float | None = None,
    scheduler: str | None = None,
    force: bool = False,
    **tiles: Any,
) -> None:
    """Segment images; what is there already is left as it is, and what was begun is gone on with.

    Parameters
    ----------
    model : Model
        See `kerasseg.answering.local` and `served`.
    images : Path
        An image of any size, or a folder of images; with `axes` that name Z, a folder of the planes of one
        volume. A dataset in HDF5 is named as ``FILE.h5:DATASET``.
    out : Path
        Gets a file for each, such as ``<name>.mask.png``, and ``predictions.json``, which tells how they were
        made.
    what, to : str
        See `kerasseg.segmentation.Wanted`; by default PNG where it can hold the result, otherwise OME-TIFF.
    axes : str, optional
        What the stored axes are, such as ``ZYX``, where files do not say.
    fill_missing : bool
        Whether chunks that a Zarr or an HDF5 file leaves out are background.
    threshold : float, optional
        Instead of the model's own.
    scheduler : str, optional
        Of a Dask cluster whose workers are to answer, such as ``tcp://host:8786``; `model` is `local`.
    force : bool
        Whether to start over and to replace what is there.
    **tiles
        Instead of the recipe's `predict`: tile, overlap, blend, padding, symmetries.

    Raises
    ------
    UserError
        If there is no image, no cluster, or some images cannot be read; the others are predicted first.
    """
    told = model.metadata
    threshold = amended(Evaluate(threshold=told.threshold), threshold=threshold).threshold
    flat = told.rank == 2 and told.exclusive and what != "probabilities"
    to = to or ("png" if flat else "tiff")
    number = _number(model.instances)
    wanted = Wanted(what, to, told.classes, threshold, told.activation, number, told.exclusive)
    settings = halo.settled(dict(amended(model.tiles, **tiles)), model.radius, told.stride)
    asked = {"model": told.weights, "engine": model.engine, "what": what, "threshold": threshold}
    asked |= {"predict": settings}
    asked |= {"instances": model.instances.model_dump(mode="json")} if what == "labels" else {}
    found = {image: out / f"{name}{wanted.suffix}" for image, name in _found(images, axes)}
    with predictor(model, settings, scheduler) as answering:
        how = {"axes": axes, "fill_missing": fill_missing, "force": force}
        _each(found, out, partial(segment, predictor=answering, wanted=wanted, asked=asked, **how))


def _number(instances: AnyInstances) -> Callable:
    return partial(streaming.STREAMED[instances.name], **instances.arguments)


def _each(found: Mapping[Path, Path], out: Path, segment_one: Callable[[Path, Path], bool]) -> None:
    """Segment image after image; those that cannot be read are named at the end."""
    mistakes, written = Mistakes(), []
    for number, (image, result) in enumerate(found.items(), start=1):
        kept = f"{image} is number {number} of {len(found)}, and what is computed is kept"
        with mistakes.noted(), if_interrupted(f"{kept}; the same command goes on"):
            written.append(segment_one(image, result))
    there = written.count(False)
    say(f"wrote {sum(written)} results to {out}" + (f"; {there} were there already" if there else ""))
    mistakes.check()


def _found(images: Path, axes: str | None) -> Iterator[tuple[Path, Path]]:
    """Yield images with their names under the folder that was given."""
    file, dataset = hdf5.parted(images)
    if file.is_file() or file.suffix in STORES or _is_volume(images, axes):
        parts = [] if dataset is None else dataset.strip("/").split("/")
        yield images, Path(".".join([_stem(file), *parts]))
        return
    found = files.find(images)
    stores = [path for suffix in STORES for path in images.rglob(f"*{suffix}")]
    if not found and not stores:
        raise UserError(
            f"{images}: there is no image here; expected {', '.join(sorted(files.SUFFIXES))} or "
            f"{', '.join(STORES)}"
        )
    for path in sorted([*found, *stores]):
        yield path, path.relative_to(images).with_name(_stem(path))


def _is_volume(folder: Path, axes: str | None) -> bool:
    """Tell a folder of planes, which are one volume, from one of stacks: by its axes and its first file."""
    if axes is None or "Z" not in axes.upper() or not folder.is_dir():
        return False
    planes = sorted(path for path in folder.iterdir() if path.suffix.lower() in files.SUFFIXES)
    return bool(planes) and files.header(planes[0]).pages == 1


def _stem(image: Path) -> str:
    """Leave out the suffix, and ``.ome`` before it; a folder of planes has none."""
    if image.is_dir() and image.suffix not in STORES:
        return image.resolve().name
    return image.with_suffix("").name.removesuffix(".ome")
