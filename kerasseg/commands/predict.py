"""The verb `predict`: a run's model, or one on a server, segments an image or a folder of them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kerasseg.commands import batch, measure
from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.inference.large_image import OUTLINES, Output, Segmenting, segment
from kerasseg.inference.resume import RECORD, record_failure
from kerasseg.recipe import amended
from kerasseg.recipe.recipe import Evaluate, Predict
from kerasseg.segmenter import Segmenter


def predict(
    segmenter: Segmenter,
    images: Path,
    out: Path,
    *,
    what: str | None = None,
    to: str | None = None,
    axes: str | None = None,
    threshold: float | None = None,
    diameter: float | None = None,
    channel: int | None = None,
    scheduler: str | None = None,
    force: bool = False,
    table: Path | None = None,
    overlay: bool = False,
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
    diameter : float, optional
        Of the images' objects, in pixels: see `kerasseg.segmenter.Segmenter.fitted`.
    channel : int, optional
        The only one of the images that the model is shown, counted from 0.
    scheduler : str, optional
        Of a Dask cluster whose workers are to answer, such as ``tcp://host:8786``; `segmenter` is of a run.
    force : bool
        Whether to start over and to replace what is there.
    table : Path, optional
        Gets a row for each object of all images, as `kerasseg.commands.measure` writes it: ``NAME.csv`` or
        ``NAME.parquet``; results are labels then.
    overlay : bool
        Whether to draw each image with its objects, ``<name>.overlay.png``; results are labels then.
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
    if diameter is not None:
        scale = spec.scale_of(diameter, ())
        say(
            f"looking at images at {scale:.2f} of their size: objects of {diameter:g} pixels, and the model "
            f"learnt at {spec.diameter:.3g}"
        )
    with segmenter.on_cluster(scheduler) if scheduler else nullcontext(segmenter) as computing:
        options = {"what": what, "to": to, "axes": axes, "diameter": diameter, "channel": channel}
        options |= {"force": force, "table": table, "overlay": overlay, "tell": tell}
        predict_by(computing, images, out, **options)


def predict_by(
    segmenter: Segmenting,
    images: Path,
    out: Path,
    *,
    what: str | None = None,
    to: str | None = None,
    axes: str | None = None,
    diameter: float | None = None,
    channel: int | None = None,
    force: bool = False,
    table: Path | None = None,
    overlay: bool = False,
    tell: batch.Tell | None = None,
) -> None:
    """Segment images by a model or a cascade as it is; see `predict`."""
    of_objects = table is not None or overlay
    spec, what = segmenter.spec, what or ("labels" if to in OUTLINES or of_objects else "mask")
    flat = spec.rank == 2 and not spec.multilabel and what != "probabilities"
    output = Output(what, to or ("png" if flat else "tiff"))
    output.check(spec)
    if of_objects:
        measure.check_output(output, table)
    batch.check_folder(out)
    results = _results(images, out, axes, output.suffix)
    options = {"axes": axes, "diameter": diameter, "channel": channel, "force": force}
    work = partial(segment, segmenter=segmenter, output=output, **options)
    outcomes = batch.work_through(results, work, tell)
    if any(outcome.result for outcome in outcomes):  # a command that could do nothing leaves nothing
        for outcome in outcomes:
            if outcome.state == batch.FAILED:
                record_failure(results[Path(outcome.file)], Path(outcome.file), outcome.error)
    there = {Path(outcome.file): Path(outcome.result) for outcome in outcomes if outcome.result}
    measure.finish(there, out=out, spec=spec, axes=axes, table=table, overlay=overlay)
    batch.report(outcomes, out)


def _results(images: Path, out: Path, axes: str | None, suffix: str) -> dict[Path, Path]:
    """Name the result of each image; none takes the place of another, of an image, or of the record.

    Raises
    ------
    UserError
        If one would.
    """
    results = {image: out / f"{name}{suffix}" for image, name in batch.images_in(images, axes)}
    taken = {image.resolve() for image in results}
    problems = [
        f"{image}: its result would be {result}, which is in use; rename the image, or choose another folder"
        for image, result in results.items()
        if result.name == RECORD or result.resolve() in taken
    ]
    if problems:
        raise UserError(*problems)
    return results
