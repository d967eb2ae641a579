"""What computes a model's answers: TensorFlow, or OpenVINO on a CPU, in full or in int8; or a server.

ONNX Runtime was no faster than OpenVINO, takes four times as long to convert, and needs a converter and a
file between: it runs files that are ONNX already. Whether OpenVINO or TensorFlow is the faster one depends on
the processor, see `tools/bench/serving.py`, so both are timed when a run keeps its network for OpenVINO.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasseg.errors import UserError, unknown
from kerasseg.images.stores.store import Region, Store
from kerasseg.inference import int8, tiled
from kerasseg.inference.blending import Answers
from kerasseg.inference.forward import Forward, forward
from kerasseg.inference.openvino import is_best, on_openvino
from kerasseg.inference.tiled import Pixels
from kerasseg.inference.tiling import Tiling
from kerasseg.spec import ModelSpec, TilingSettings
from kerasseg.startup import needed

if TYPE_CHECKING:
    import keras

AUTO, TENSORFLOW, OPENVINO, INT8 = "auto", "tensorflow", "openvino", "int8"


@dataclass(frozen=True)
class Backend:
    """What computes in this process, or asks a server from it.

    Attributes
    ----------
    forward : Forward
        From a batch (B, ..., C) float32 to (B, ..., K) float32; all batches of an image have one shape.
    name : str
        One of `ENGINES`, or `INT8`; servers compute by TensorFlow.
    elsewhere : Forward or None
        What answers in another process: it can be pickled and opens the same network there. None where no
        other process can.
    """

    forward: Forward
    name: str = TENSORFLOW
    elsewhere: Forward | None = None

    def pixels(self, store: Store, spec: ModelSpec) -> Pixels:
        """Make what slices like an array of an open image as the network takes it."""
        return _Prepared((*store.shape[:-1], spec.channels), spec.region_reader(store))

    def answers(self, image: Pixels, tiling: Tiling, settings: TilingSettings, first: int = 0) -> Answers:
        """Give every tile from number `first` on with its probabilities, in the tiling's order."""
        return tiled.answers(image, tiling, self.forward, settings, first)


@dataclass(frozen=True)
class _Prepared:
    shape: tuple[int, ...]
    read: Callable[[Region], np.ndarray]

    def __getitem__(self, region: Region) -> np.ndarray:
        return self.read(region)


def opened_when_asked(open_forward: Callable[[], Forward]) -> Forward:
    """Make a function that opens its network by its first batch: whoever has no image left need not wait."""
    opened = cache(open_forward)
    return lambda batch: opened()(batch)


def on_onnx_runtime(path: Path) -> Forward:
    """Open an ONNX file of one input and one output with ONNX Runtime.

    Raises
    ------
    UserError
        If ONNX Runtime is not installed, or cannot run it.
    """
    onnxruntime = needed("onnxruntime", "onnx")
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # it derives none of its many errors from one of its own
        raise UserError(
            f"{path}: ONNX Runtime cannot run it ({' '.join(str(error).split())[:200]})"
        ) from error
    (image,) = session.get_inputs()
    return lambda batch: session.run(None, {image.name: np.ascontiguousarray(batch)})[0]


ENGINES: dict[str, Callable[[keras.Model], Forward]] = {TENSORFLOW: forward, OPENVINO: on_openvino}


def chosen(engine: str, run: Path, weights: str) -> str:
    """Say which of `ENGINES` and `INT8` computes a run's answers; `AUTO` is OpenVINO where `is_best` says so.

    Raises
    ------
    UserError
        If there is no engine of that name, or the run keeps no network in int8 that could be one.
    """
    if engine == INT8:
        int8.check(run, weights)
        return engine
    if engine == AUTO:
        return OPENVINO if is_best(run, weights) else TENSORFLOW
    if engine not in ENGINES:
        raise UserError(unknown("engine", engine, (AUTO, *ENGINES, INT8)))
    return engine
