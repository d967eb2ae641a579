"""Several trained networks whose masks are merged into one, for images of any size.

cascade = kerasseg.Cascade.load("runs/fibsem")
mask = cascade.mask(image)
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.calibration import PixelSize
from kerasseg.images.stores.store import Store, open_store
from kerasseg.inference.backends import AUTO
from kerasseg.inference.blending import Bands
from kerasseg.inference.tiled import Pixels, gathered, per_batch
from kerasseg.inference.tiling import Tiling
from kerasseg.segmenter import Image, Segmenter
from kerasseg.spec import MergedSpec

FILE = "cascade.json"

StageClass = tuple[str, int]
"""A stage's name, and the number of one of its classes."""


class Mask(Protocol):
    """What can be sliced like an array of class ids (Y, X) or (Z, Y, X) uint8."""

    def __getitem__(self, region: tuple[slice, ...]) -> np.ndarray: ...


@dataclass(frozen=True)
class Stage:
    """A network of a cascade.

    Attributes
    ----------
    segmenter : Segmenter
        Of classes that exclude each other.
    within : tuple of str and int, or None
        The class of another stage outside which all is background.
    sees : tuple of (str, int)
        Classes of other stages that are channels behind those of the image, in this order.
    """

    segmenter: Segmenter
    within: StageClass | None = None
    sees: tuple[StageClass, ...] = ()

    @property
    def needs(self) -> set[str]:
        """The stages that come before this one."""
        return {stage for stage, _ in (*self.sees, *([self.within] if self.within else ()))}

    def mask(self, image: np.ndarray, others: Mapping[str, np.ndarray]) -> np.ndarray:
        """Predict the classes of an image as it is stored, by the masks of the stages before: (...) uint8."""
        segmenter = self.segmenter
        mask = segmenter.spec.decide(segmenter.probabilities(image, view=partial(_View, self, others)))
        return self.limited(mask, (slice(None),) * mask.ndim, others)

    def bands(self, store: Store, others: Mapping[str, Mask], first_row: int) -> Bands:
        """Yield the bands of the mask of an open image, from a row on."""
        segmenter, rest = self.segmenter, (slice(None),) * (len(store.shape) - 2)
        for rows, band in segmenter.bands(store, first_row, view=partial(_View, self, others)):
            finished = slice(max(rows.start, first_row), rows.stop)
            mask = segmenter.spec.decide(band[finished.start - rows.start :])
            yield finished, self.limited(mask, (finished, *rest), others)

    def limited(self, mask: np.ndarray, region: tuple[slice, ...], others: Mapping[str, Mask]) -> np.ndarray:
        """Make background of what a mask of a region of the image holds outside `within`."""
        if self.within is None:
            return mask
        other, class_id = self.within
        return np.where(others[other][region] == class_id, mask, np.uint8(0))

    def first_row_read(self, shape: Sequence[int], first_row: int) -> int:
        """Tell the uppermost row that is looked at to answer for an image of a shape from a row on."""
        spec, settings = self.segmenter.spec, self.segmenter.tiling
        if spec.resize is not None:
            return 0
        padded = settings.padding != "inside"
        tiling = Tiling(shape, settings.tile, settings.overlap, spec.stride, padded)
        in_a_row, batch = math.prod(tiling.grid[1:]), per_batch(tiling, settings.batch_size)
        first_tile = tiling.first_row_below(first_row) * in_a_row // batch * batch
        start = tiling.axes[0].starts[first_tile // in_a_row]
        return max(0, min(start, shape[0] - tiling.tile_shape[0]))  # at its end an image may be mirrored


class _View:
    """What a stage sees of an image: its pixels, and other stages' classes as channels behind them.

    Where nothing of its region lies it sees black, which is neither read nor, but for once, answered: what it
    would say there becomes background anyway.
    """

    def __init__(self, stage: Stage, others: Mapping[str, Mask], pixels: Pixels) -> None:
        self.stage, self.others, self.pixels = stage, others, pixels
        self.shape = (*pixels.shape[:-1], pixels.shape[-1] + len(stage.sees))

    def __getitem__(self, region: tuple[slice, ...]) -> np.ndarray:
        if self.stage.within and self.stage.segmenter.spec.resize is None:
            other, class_id = self.stage.within
            if not (is_inside := self.others[other][region] == class_id).any():
                return np.zeros((*is_inside.shape, self.shape[-1]), np.float32)
        pixels = self.pixels[region]
        if not self.stage.sees:
            return pixels
        channels = [self.others[other][region] == class_id for other, class_id in self.stage.sees]
        return np.concatenate([pixels, np.stack(channels, axis=-1).astype(np.float32)], axis=-1)


@dataclass(frozen=True)
class Cascade:
    """Trained networks, where each looks, and whose classes come first.

    An image is what `kerasseg.segmenter.Segmenter` takes. A pixel is of the first class of `merge` that its
    stage gives it.

    Parameters
    ----------
    stages : mapping of str to Stage
        Each after those that it sees something of.
    merge : tuple of (str, int)
        Stages and their classes, the first class first.

    Examples
    --------
    >>> cascade = kerasseg.Cascade.load("runs/fibsem")  # doctest: +SKIP
    >>> cascade.mask(image)  # doctest: +SKIP
    """

    stages: Mapping[str, Stage]
    merge: tuple[StageClass, ...]

    @classmethod
    def load(cls, folder: str | Path, *, engine: str = AUTO) -> Cascade:
        """Load a trained cascade.

        Parameters
        ----------
        folder : str or Path
            Such as ``runs/fibsem``, which holds ``cascade.json`` and the runs of its stages.
        engine : {"auto", "tensorflow", "openvino"}
            See `kerasseg.segmenter.Segmenter.load`.

        Returns
        -------
        Cascade

        Raises
        ------
        UserError
            If there is no such cascade, or a stage's model is gone or has other classes than it had.
        """
        folder = Path(folder)
        facts = read_facts(folder)
        runs = {name: folder / stage["run"] for name, stage in facts["stages"].items()}
        segmenters = {name: Segmenter.load(run, engine=engine) for name, run in runs.items()}

        def numbered(stage: str, name: str) -> StageClass:
            classes = segmenters[stage].spec.classes
            if name not in classes:
                found = ", ".join(classes)
                raise UserError(
                    f"{runs[stage]}: it has no class {name}, but {found}; train the cascade again"
                )
            return stage, classes.index(name) + 1

        stages = {
            name: Stage(
                segmenters[name],
                stage["within"] and numbered(*stage["within"]),
                tuple(numbered(*each) for each in stage["sees"]),
            )
            for name, stage in facts["stages"].items()
        }
        return cls(stages, tuple(numbered(*each) for each in facts["merge"]))

    @cached_property
    def spec(self) -> MergedSpec:
        """What the answers mean."""
        specs = {name: stage.segmenter.spec for name, stage in self.stages.items()}
        names = [specs[stage].classes[class_id - 1] for stage, class_id in self.merge]
        classes, order = tuple(dict.fromkeys(names)), list(self.stages)
        return MergedSpec(
            classes,
            np.array([0, *(classes.index(name) + 1 for name in names)], np.uint8),
            np.array([0, *(order.index(stage) + 1 for stage, _ in self.merge)], np.uint8),
            next(iter(specs.values())).rank,
            all(spec.takes_floats for spec in specs.values()),
        )

    def mask(self, image: Image) -> np.ndarray:
        """Predict the merged class of each pixel: (...) uint8, 0 for background, 1 for the first class."""
        return self.spec.decide(self.entries(image))

    def labels(self, image: Image) -> np.ndarray:
        """Predict objects, which are the components of the merged classes: (...) int32, numbered 1..N."""
        return self.spec.label(self.mask(image))

    def origins(self, image: Image) -> np.ndarray:
        """Tell which stage each pixel came from: (...) uint8, 0 for none, 1 for the first of `stages`."""
        return self.spec.stages(self.entries(image))

    def entries(self, image: Image) -> np.ndarray:
        """Tell which entry of `merge` each pixel is of: (..., 1) uint8, 0 for none, 1 for the first."""
        if isinstance(image, np.ndarray):
            return self._merged(self._masks(image, self.stages))
        with open_store(Path(image)) as store:
            return gathered(self.bands(store), store.shape[:-1])

    def stage_mask(self, name: str, image: np.ndarray) -> np.ndarray:
        """Predict the classes of one stage, with the background that its region gives it: (...) uint8."""
        wanted = {name}
        for each in reversed(self.stages):  # which come after those that they need
            wanted |= self.stages[each].needs if each in wanted else set()
        return self._masks(image, wanted)[name]

    def bands(self, store: Store, first_row: int = 0) -> Bands:
        """Predict an open image of any size from a row on, a band of finished rows at a time.

        Parameters
        ----------
        store : Store
            Each stage opens it for itself, as it reads ahead in a thread of its own.
        first_row : int
            Where to begin: 0, or where a band ended.

        Yields
        ------
        tuple of (slice, numpy.ndarray)
            Rows, with their `entries`: (rows, X, 1) uint8.

        Raises
        ------
        UserError
            If a volume is given to a cascade for images, or an image to one for volumes.
        """
        for stage in self.stages.values():
            stage.segmenter.spec.check_rank(store.axes, str(store.path))
        *size, _ = store.shape
        first_rows = self._first_rows(size, first_row)
        masks: dict[str, _Rows] = {}
        with ExitStack() as opened:
            for name, stage in self.stages.items():
                image = opened.enter_context(store.opening())
                bands = stage.bands(image, masks, first_rows[name])
                opened.callback(bands.close)  # before the image, and before what it reads of other stages
                masks[name] = _Rows(bands, first_rows[name])
            row = first_row
            while row < size[0]:
                for mask in masks.values():
                    mask.forget(min(self._first_rows(size, row).values()))
                rows = slice(row, min(mask.finished_below(row) for mask in masks.values()))
                region = (rows, *[slice(None)] * (len(size) - 1))
                yield rows, self._merged({name: mask[region] for name, mask in masks.items()})
                row = rows.stop

    def fitted(self, diameter: float | None, pixel_size: PixelSize = ()) -> Cascade:
        """Give itself: its stages look at images at their own size, as what they see of each other has that.

        Raises
        ------
        UserError
            If a diameter is given.
        """
        if diameter is not None:
            raise UserError(
                f"diameter {diameter:g}: a cascade looks at images at their own size; leave it out"
            )
        return self

    def settings(self) -> dict[str, Any]:
        """Give what identifies its answers, in JSON's types: a result is not mixed from two cascades."""
        return {
            "stages": {
                name: {
                    **stage.segmenter.settings(),
                    "within": stage.within and list(stage.within),
                    "sees": [list(each) for each in stage.sees],
                }
                for name, stage in self.stages.items()
            },
            "merge": [list(each) for each in self.merge],
        }

    def _masks(self, image: np.ndarray, wanted: Collection[str]) -> dict[str, np.ndarray]:
        """Predict the masks of some stages, and those that they need, of an image as it is stored."""
        masks: dict[str, np.ndarray] = {}
        for name, stage in self.stages.items():
            if name in wanted:
                masks[name] = stage.mask(image, masks)
        return masks

    def _first_rows(self, shape: Sequence[int], first_row: int) -> dict[str, int]:
        """Tell from which row on each stage is needed, as tiles of those after it reach above a row."""
        first_rows = dict.fromkeys(self.stages, first_row)
        for name, stage in reversed(self.stages.items()):
            for other in stage.needs:
                above = stage.first_row_read(shape, first_rows[name])
                first_rows[other] = min(first_rows[other], above)
        return first_rows

    def _merged(self, masks: Mapping[str, np.ndarray]) -> np.ndarray:
        """Give each pixel the first entry that its stage gives it: (..., 1) uint8."""
        entries = np.zeros((*next(iter(masks.values())).shape, 1), np.uint8)
        for number, (stage, class_id) in reversed([*enumerate(self.merge, start=1)]):
            entries[masks[stage] == class_id] = number
        return entries


class _Rows:
    """The mask of a stage, of which rows are predicted when they are first asked for, from the top.

    Stages that see it read ahead in threads of their own, so it hands rows out one asker at a time; what is
    above a row is forgotten when nobody can ask for it any more.

    Parameters
    ----------
    bands : iterator of (slice, numpy.ndarray)
        Rows, with their (rows, X) or (planes, Y, X) uint8.
    first_row : int
        The first that may be asked for.
    """

    def __init__(self, bands: Bands, first_row: int) -> None:
        self.bands, self.stop, self.lock = bands, first_row, Lock()
        self.kept: deque[tuple[slice, np.ndarray]] = deque()

    def __getitem__(self, region: tuple[slice, ...]) -> np.ndarray:
        wanted, *others = region
        self.finished_below(wanted.stop - 1)
        with self.lock:
            kept = [(rows, band) for rows, band in self.kept if rows.stop > wanted.start]
        parts = [
            band[slice(max(wanted.start - rows.start, 0), max(wanted.stop - rows.start, 0)), *others]
            for rows, band in kept
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def finished_below(self, row: int) -> int:
        """Predict until a row is finished; tell how many rows are."""
        with self.lock:
            while self.stop <= row:
                rows, band = next(self.bands)
                self.kept.append((rows, band))
                self.stop = rows.stop
            return self.stop

    def forget(self, row: int) -> None:
        """Let go of the bands above a row."""
        with self.lock:
            while self.kept and self.kept[0][0].stop <= row:
                self.kept.popleft()


def read_facts(folder: Path) -> dict[str, Any]:
    """Read what the cascade in a folder is made of, as `kerasseg run` has written it.

    Returns
    -------
    dict
        ``name``; ``stages``, from a name to ``run``, a path from the folder, ``within``, a stage and a class
        or None, and ``sees``, such pairs; ``merge``, such pairs.

    Raises
    ------
    UserError
        If there is none, or it does not say all of that.
    """
    path = folder / FILE
    if not path.is_file():
        raise UserError(
            f"{folder}: there is no trained cascade here; expected a folder such as runs/NAME that holds "
            f"{FILE}, which kerasseg run writes when all stages are trained"
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        stages = facts["stages"]
        runs = {name: stage["run"] for name, stage in stages.items()}
        pairs = [stage["within"] for stage in stages.values() if stage["within"]]
        pairs += [pair for stage in stages.values() for pair in stage.setdefault("sees", [])]
        strange = {stage for stage, _ in [*pairs, *facts["merge"]]} - {*runs}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: it does not say what the cascade is made of ({error})") from error
    if strange:
        raise UserError(f"{path}: it has no stage {', '.join(sorted(strange))}, which it names")
    return facts
