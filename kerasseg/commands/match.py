"""The verb `data match`: a stack brought to the histogram of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from kerasseg.annotations.masks import refuse_lossy
from kerasseg.console import say, track
from kerasseg.errors import Mistakes, UserError, naming
from kerasseg.images import histogram_matching, ondisk
from kerasseg.images.masks import IGNORE
from kerasseg.images.stores.store import Region, Store, open_store
from kerasseg.images.writing.outputs import appearing, check_free, ending, write
from kerasseg.images.writing.result import Result
from kerasseg.report import charts


def match(
    stack: Path,
    reference: Path,
    out: Path,
    *,
    per_slice: bool = False,
    leave_out: Sequence[int] = (),
    mask: Path | None = None,
    reference_mask: Path | None = None,
    axes: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a stack with the histogram of another, and a chart of the histograms before and after.

    Parameters
    ----------
    stack, reference : Path
        Images or volumes of any size, uint8 or uint16, both of one type and with as many channels.
    out : Path
        The new stack: ``.ome.tif``, ``.tif``, ``.ome.zarr`` or ``.zarr``. The chart is
        ``NAME.histograms.svg`` beside it.
    per_slice : bool
        Whether each slice is matched by itself; otherwise one table serves the whole stack.
    leave_out : sequence of int
        Intensities that are not counted and stay as they are, such as that of a black frame.
    mask, reference_mask : Path, optional
        Masks of `stack` and `reference`, whose pixels of 255 (ignore) are not counted.
    axes : str, optional
        See `kerasseg.images.stores.store.open_store`; of all that is read.
    overwrite : bool
        Whether files that are there are replaced.

    Raises
    ------
    UserError
        If these do not fit together, or a file cannot be read or written; nothing is left then.
    """
    chart = out.with_name(out.name.removesuffix(ending(out)) + ".histograms.svg")
    check_free((out, chart), overwrite)
    with ExitStack() as opened:
        image, model = (opened.enter_context(open_store(path, axes)) for path in (stack, reference))
        ignored, model_ignored = (
            path and opened.enter_context(open_store(path, axes, values=True))
            for path in (mask, reference_mask)
        )
        _check(image, model, leave_out)
        _check_mask(image, ignored)
        _check_mask(model, model_ignored)
        wanted = _counts(model, model_ignored, list(model.bands()), leave_out)
        folder = opened.enter_context(appearing(out, chart))
        pixels = ondisk.create(folder / "pixels.npy", image.dtype, _stored_shape(image))
        before, after = np.zeros_like(wanted), np.zeros_like(wanted)
        for regions in track(_parts(image, per_slice), f"{stack.name}: matching"):
            counts = _counts(image, ignored, regions, leave_out)
            table = histogram_matching.table(counts, wanted, image.dtype, leave_out)
            for region in regions:
                matched = histogram_matching.matched(image.read(region), table)
                pixels[region] = matched[..., 0] if len(table) == 1 else matched
            before += counts
            after += histogram_matching.moved(counts, table)
        named = image.axes if len(wanted) > 1 else image.axes.removesuffix("C")
        write(folder / out.name, Result(pixels, named, image.pixel_size, "area"))
        drawn = {"before": before, "after": after, "reference": wanted}
        (folder / chart.name).write_bytes(charts.histograms(drawn))
    say(f"wrote {out} and {chart}")


def _check(image: Store, model: Store, leave_out: Sequence[int]) -> None:
    mistakes = Mistakes()
    for store in (image, model):
        with mistakes.noted(), naming(str(store.path)):
            histogram_matching.check_countable(store.dtype)
    if image.dtype != model.dtype or image.shape[-1] != model.shape[-1]:
        mistakes.add(
            f"{image.path}: {image.dtype} of {image.shape[-1]} channels cannot be matched to {model.path}, "
            f"{model.dtype} of {model.shape[-1]}; bring both to one type"
        )
    mistakes.check()
    highest = np.iinfo(image.dtype).max
    if strange := [value for value in leave_out if not 0 <= value <= highest]:
        raise UserError(f"--leave-out {strange[0]}: expected an intensity from 0 to {highest}")


def _check_mask(image: Store, mask: Store | None) -> None:
    if mask is None:
        return
    refuse_lossy(mask, mask.path)
    if mask.shape[-1] != 1:
        raise UserError(f"{mask.path}: it has {mask.shape[-1]} channels; expected one number for each pixel")
    if mask.shape[:-1] != image.shape[:-1]:
        raise UserError(
            f"{mask.path}: a mask of {' x '.join(map(str, mask.shape[:-1]))} pixels was given for "
            f"{image.path} of {' x '.join(map(str, image.shape[:-1]))}"
        )


def _parts(image: Store, per_slice: bool) -> list[list[Region]]:
    """List the regions that share a table: those of a slice, or all."""
    if not per_slice or image.axes == "YXC":
        return [list(image.bands())]
    height, width = image.shape[1:-1]
    return [[(slice(z, z + 1), slice(0, height), slice(0, width))] for z in range(image.shape[0])]


def _counts(
    image: Store, ignored: Store | None, regions: Sequence[Region], leave_out: Sequence[int]
) -> np.ndarray:
    def bands() -> Iterator[np.ndarray]:
        for region in regions:
            band = image.read(region)
            yield band if ignored is None else band[ignored.read(region)[..., 0] != IGNORE]

    return histogram_matching.counts(bands, leave_out)


def _stored_shape(image: Store) -> tuple[int, ...]:
    return image.shape if image.shape[-1] > 1 else image.shape[:-1]
