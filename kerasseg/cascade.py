"""Several trained networks whose masks are merged into one, for images of any size.

cascade = kerasseg.Cascade.load("runs/fibsem")
mask = cascade.mask(image)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.stores.store import Store, open_store
from kerasseg.inference.backends import TENSORFLOW
from kerasseg.inference.blending import Bands
from kerasseg.inference.tiled import gathered
from kerasseg.segmenter import Image, Segmenter
from kerasseg.spec import MergedSpec

FILE = "cascade.json"

StageClass = tuple[str, int]
"""A stage's name, and the number of one of its classes."""


@dataclass(frozen=True)
class Stage:
    """A network of a cascade.

    Attributes
    ----------
    segmenter : Segmenter
        Of classes that exclude each other.
    within : tuple of str and int, or None
        The class of another stage outside which all is background.
    """

    segmenter: Segmenter
    within: StageClass | None = None


@dataclass(frozen=True)
class Cascade:
    """Trained networks, where each looks, and whose classes come first.

    An image is what `kerasseg.segmenter.Segmenter` takes. A pixel is of the first class of `merge` that its
    stage gives it.

    Parameters
    ----------
    stages : mapping of str to Stage
        Each after the one that it looks within.
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
    def load(cls, folder: str | Path, *, engine: str = TENSORFLOW) -> Cascade:
        """Load a trained cascade.

        Parameters
        ----------
        folder : str or Path
            Such as ``runs/fibsem``, which holds ``cascade.json`` and the runs of its stages.
        engine : {"tensorflow", "openvino"}
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

        regions = {name: stage["within"] for name, stage in facts["stages"].items()}
        stages = {
            name: Stage(segmenter, regions[name] and numbered(*regions[name]))
            for name, segmenter in segmenters.items()
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
            masks = {name: stage.segmenter.mask(image) for name, stage in self.stages.items()}
            return self._merged(self._limited(masks))
        with open_store(Path(image)) as store:
            return gathered(self.bands(store), store.shape[:-1])

    def stage_mask(self, name: str, image: np.ndarray) -> np.ndarray:
        """Predict the classes of one stage, with the background that its region gives it: (...) uint8."""
        stage = self.stages[name]
        mask = stage.segmenter.mask(image)
        if stage.within is None:
            return mask
        other, region = stage.within
        return np.where(self.stage_mask(other, image) == region, mask, np.uint8(0))

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
        with ExitStack() as opened:
            masks = {
                name: _decided(stage.segmenter, opened.enter_context(store.opening()), first_row)
                for name, stage in self.stages.items()
            }
            for rows, bands in _in_step(masks, first_row, store.shape[0]):
                yield rows, self._merged(self._limited(bands))

    def settings(self) -> dict[str, Any]:
        """Give what identifies its answers, in JSON's types: a result is not mixed from two cascades."""
        return {
            "stages": {
                name: {**stage.segmenter.settings(), "within": stage.within and list(stage.within)}
                for name, stage in self.stages.items()
            },
            "merge": [list(each) for each in self.merge],
        }

    def _limited(self, masks: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Make background of what lies outside the stages' regions, which are limited before."""
        limited: dict[str, np.ndarray] = {}
        for name, stage in self.stages.items():
            limited[name] = masks[name]
            if stage.within:
                other, region = stage.within
                limited[name] = np.where(limited[other] == region, masks[name], np.uint8(0))
        return limited

    def _merged(self, masks: Mapping[str, np.ndarray]) -> np.ndarray:
        """Give each pixel the first entry that its stage gives it: (..., 1) uint8."""
        entries = np.zeros((*next(iter(masks.values())).shape, 1), np.uint8)
        for number, (stage, class_id) in reversed([*enumerate(self.merge, start=1)]):
            entries[masks[stage] == class_id] = number
        return entries


def read_facts(folder: Path) -> dict[str, Any]:
    """Read what the cascade in a folder is made of, as `kerasseg cascade run` has written it.

    Returns
    -------
    dict
        ``name``; ``stages``, from a name to ``run``, a path from the folder, and ``within``, a stage and a
        class or None; ``merge``, pairs of a stage and a class.

    Raises
    ------
    UserError
        If there is none, or it does not say all of that.
    """
    path = folder / FILE
    if not path.is_file():
        raise UserError(
            f"{folder}: there is no trained cascade here; expected a folder such as runs/NAME that holds "
            f"{FILE}, which kerasseg cascade run writes when all stages are trained"
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        runs = {name: stage["run"] for name, stage in facts["stages"].items()}
        regions = [stage["within"] for stage in facts["stages"].values() if stage["within"]]
        strange = {stage for stage, _ in [*regions, *facts["merge"]]} - {*runs}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: it does not say what the cascade is made of ({error})") from error
    if strange:
        raise UserError(f"{path}: it has no stage {', '.join(sorted(strange))}, which it names")
    return facts


def _decided(segmenter: Segmenter, store: Store, first_row: int) -> Bands:
    """Yield the bands of one stage's mask."""
    for rows, band in segmenter.bands(store, first_row):
        yield rows, segmenter.spec.decide(band)


def _in_step(
    stages: Mapping[str, Bands], first_row: int, height: int
) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """Yield the rows that all stages have finished, whose bands end at different rows, from a row on."""
    bands = {name: next(stage) for name, stage in stages.items()}
    row = first_row
    while row < height:
        for name, stage in stages.items():
            if bands[name][0].stop == row:
                bands[name] = next(stage)
        stop = min(rows.stop for rows, _ in bands.values())
        yield (
            slice(row, stop),
            {name: band[row - rows.start : stop - rows.start] for name, (rows, band) in bands.items()},
        )
        row = stop
