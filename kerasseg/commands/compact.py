"""The verb `compact`: few points of each image, in few bytes, and a page that says what they are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg import locks
from kerasseg.commands import batch
from kerasseg.commands.batch import Outcome, check_folder, images_in
from kerasseg.compact import keypoints_file
from kerasseg.compact.keypoints import KeyPoints
from kerasseg.compact.keypoints_file import SUFFIX, KeyPointsFile
from kerasseg.compact.rebuilding import rebuild
from kerasseg.compact.selection import check_ssim, parsed_budget, select, suggested
from kerasseg.compact.selectors import SELECTORS
from kerasseg.console import say, track
from kerasseg.errors import Mistakes, UserError, naming, unknown
from kerasseg.files import Written
from kerasseg.images.stores.address import file_signature
from kerasseg.images.stores.store import Store, open_store
from kerasseg.inference.resume import finished, record
from kerasseg.recipe import load
from kerasseg.report import compaction
from kerasseg.report.compaction import Judged
from kerasseg.runs.rundirectory import RECIPE, existing
from kerasseg.segmenter import Segmenter

RECORD = "compact.json"  # by which settings each file was made
MOST_JUDGED = 6  # images of a page
JUDGED_SIDE = 1024  # pixels that are judged of a larger image


def compact(
    images: Path,
    out: Path,
    *,
    method: str | None = None,
    points: str | None = None,
    ssim: float | None = None,
    run: Path | None = None,
    axes: str | None = None,
    report: bool = False,
    force: bool = False,
) -> None:
    """Keep few points of each image in a file; those that are there already are left as they are.

    Parameters
    ----------
    images : Path
        An image or volume of any size, or a folder of them: see `kerasseg.commands.predict.predict`.
    out : Path
        The folder that gets ``NAME.kpt`` of each, and ``compact.json``, which says how each was made.
    method : str, optional
        A name of `kerasseg.compact.selectors.SELECTORS`; by default what suits each image.
    points : str, optional
        How many: a number, or a share such as ``3%``; by default the method's own.
    ssim : float, optional
        Instead of these: as few as give this likeness.
    run : Path, optional
        The run whose network chooses, for the method network: as many as its threshold gives, or the most
        probable.
    axes : str, optional
        See `kerasseg.images.stores.store.open_store`.
    report : bool
        Whether ``compact.html`` is written.
    force : bool
        Whether files that are there are replaced.

    Raises
    ------
    UserError
        If there is no image, or none can be read and kept in this way; `Incomplete` if some cannot.
    """
    _check(method, points, ssim, run)
    check_folder(out)
    segmenter = run and Segmenter.load(run)
    network = _network(run, segmenter) if run else {}
    wanted = {"method": method, "points": points, "ssim": ssim, "network": run and segmenter.settings()}
    results = {image: out / f"{name}{SUFFIX}" for image, name in images_in(images, axes)}
    work = partial(_compact_one, wanted=wanted, network=network, axes=axes, force=force)
    outcomes = batch.work_through(results, work)
    if report:
        outcomes = _report(outcomes, out, wanted, network, axes)
    batch.report(outcomes, out)


def _check(method: str | None, points: str | None, ssim: float | None, run: Path | None) -> None:
    """Refuse what no image could be kept by."""
    mistakes = Mistakes()
    if (method == "network") != (run is not None):
        mistakes.add("--method network and --run RUN go together: the run's network chooses the points")
    if method is not None and method not in SELECTORS:
        mistakes.add(f"--method: {unknown('method', method, SELECTORS)}")
    if points is not None and ssim is not None:
        mistakes.add(f"--points {points} and --ssim {ssim}: expected one of them; the other follows from it")
    if points is not None:
        with mistakes.noted(), naming("--points"):
            parsed_budget(points)
    if ssim is not None:
        with mistakes.noted(), naming("--ssim"):
            check_ssim(ssim)
    mistakes.check()


def _network(run: Path, segmenter: Segmenter) -> dict[str, Any]:
    """Give `select` what it needs to choose as a run's network does: its kernel, and its answers.

    Raises
    ------
    UserError
        If the run learnt something else than key points.
    """
    key_points = load(existing(run) / RECIPE).key_points
    if key_points is None:
        raise UserError(f"{run}: it did not learn key points; train one by a recipe such as gunet_mnist")

    def probabilities(image: Store | np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        if isinstance(image, np.ndarray):
            yield slice(0, len(image)), segmenter.predict(image, "the image")[..., 0]
        else:
            yield from ((rows, band[..., 0]) for rows, band in segmenter.bands(image))

    options = {"probabilities": probabilities, "threshold": segmenter.spec.threshold}
    return {"kernel": key_points.kernel.build(), "options": options}


def _compact_one(
    image: Path,
    result: Path,
    *,
    wanted: Mapping[str, Any],
    network: Mapping[str, Any],
    axes: str | None,
    force: bool,
) -> Written:
    """Keep one image, unless it is kept already."""
    settings = {"image": file_signature(image), **wanted, "axes": axes}
    with locks.held(result.with_name(f".{result.name}.{RECORD}.lock"), result), naming(str(image)):
        if not force and (there := finished(result, settings, RECORD)):
            return there
        with open_store(image, axes) as store:
            points = _selected(image, store, wanted, network)
            raw = int(np.prod(store.shape)) * store.dtype.itemsize
        keypoints_file.write(result, points)
        record(result, settings, name=RECORD)
    size = result.stat().st_size
    count = f"{len(points):,} {'point' if len(points) == 1 else 'points'}"
    say(f"{result}: {count}, {size:,} bytes, {size / raw:.2%} of the pixels' {raw:,}")
    return Written(result, new=True)


def _selected(image: Path, store: Store, wanted: Mapping[str, Any], network: Mapping[str, Any]) -> KeyPoints:
    """Choose points by the method that was wanted, or by what suits, which is said."""
    axes = store.axes if store.shape[-1] > 1 else store.axes.removesuffix("C")
    method = wanted["method"]
    if method is None:
        method, reason = suggested(store, axes)
        say(f"{image}: {reason}")
    budget = {"budget": wanted["points"], "ssim": wanted["ssim"]}
    return select(store, axes, method, **budget, **network, pixel_size=store.pixel_size)


def _report(
    outcomes: Sequence[Outcome],
    out: Path,
    wanted: Mapping[str, Any],
    network: Mapping[str, Any],
    axes: str | None,
) -> list[Outcome]:
    """Judge some of the images, evenly spread, and write a page; those that cannot be judged have failed."""
    kept = [outcome for outcome in outcomes if outcome.result]
    chosen = kept[:: max(1, -(-len(kept) // MOST_JUDGED))]
    judged, failed = [], {}
    for outcome in track(chosen, "comparing with codecs"):
        image, result = Path(outcome.file), Path(outcome.result)
        try:
            with naming(str(image)), open_store(image, axes) as store, keypoints_file.opened(result) as file:
                judged.append(_judged(image, store, file, wanted, network))
        except UserError as error:
            failed[outcome] = replace(outcome, state=batch.FAILED, error=error.messages)
    if judged:
        say(f"wrote {compaction.write(out, judged, len(kept))}")
    return [failed.get(outcome, outcome) for outcome in outcomes]


def _judged(
    image: Path,
    store: Store,
    file: KeyPointsFile,
    wanted: Mapping[str, Any],
    network: Mapping[str, Any],
) -> Judged:
    """Judge an image; or the middle of its middle plane, whose points are chosen anew, where it is more."""
    if file.described.axes == "YX" and max(file.described.grid) <= JUDGED_SIDE:
        points, written, part = file.points(), file.size, ""
        plane = store[slice(None), slice(None)][..., 0].copy()
    else:
        region = _middle(file.described.grid)
        pixels = store[region]
        plane = pixels.reshape(pixels.shape[-3:])[..., 0].copy()
        count = max(1, round(file.points().share * plane.size))
        chosen = {"kernel": file.described.kernel, **network}
        points = select(plane, "YX", file.described.method, budget=count, **chosen)
        written = len(keypoints_file.encode(points))
        where = ", ".join(
            f"{axis} {side.start}:{side.stop}" for axis, side in zip(store.axes, region, strict=False)
        )
        channel = f", channel 1 of {store.shape[-1]}" if store.shape[-1] > 1 else ""
        part = f", {where}{channel}, by itself"
    reason = suggested(plane, "YX")[1] if wanted["method"] is None else "As was asked for."
    return compaction.judge(f"{image.name}{part}", plane, rebuild(points), points, written, reason)


def _middle(grid: tuple[int, ...]) -> tuple[slice, ...]:
    """Take the middle plane, and of it no more than is judged."""
    *planes, height, width = grid
    sides = [(side, min(side, JUDGED_SIDE)) for side in (height, width)]
    parts = [slice((side - taken) // 2, (side + taken) // 2) for side, taken in sides]
    return (*(slice(depth // 2, depth // 2 + 1) for depth in planes), *parts)
