"""What computes a model's answers: TensorFlow, or OpenVINO on a CPU, which is an extra; or a server.

OpenVINO is one Apache-2.0 package that converts the traced network in memory. ONNX Runtime was no faster,
takes four times as long to convert, and needs a converter and a file between: it runs files that are ONNX
already. Whether OpenVINO or TensorFlow is the faster one depends on the processor: see
`tools/bench/serving.py`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasseg.errors import UserError, unknown
from kerasseg.images.stores.store import Region, Store
from kerasseg.inference import tiled
from kerasseg.inference.blending import Answers
from kerasseg.inference.forward import Forward, forward, traced
from kerasseg.inference.tiled import Pixels
from kerasseg.inference.tiling import Tiling
from kerasseg.spec import ModelSpec, TilingSettings

if TYPE_CHECKING:
    from types import ModuleType

    import keras
    import openvino

TENSORFLOW = "tensorflow"


@dataclass(frozen=True)
class Backend:
    """What computes in this process, or asks a server from it.

    Attributes
    ----------
    forward : Forward
        From a batch (B, ..., C) float32 to (B, ..., K) float32; all batches of an image have one shape.
    name : str
        One of `ENGINES`; servers compute by TensorFlow.
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


def on_openvino(model: keras.Model) -> Forward:
    """Compile a Keras model with OpenVINO, once, for batches of every shape that it takes.

    Answers are those of TensorFlow but for rounding: some 1e-6, see `tools/bench/serving.py`.

    Parameters
    ----------
    model : keras.Model
        Of one input and one output. Its weights are copied now.

    Returns
    -------
    Forward
        To be called from one thread at a time.

    Raises
    ------
    UserError
        If OpenVINO is not installed.
    """
    return compiled_by_openvino(converted_to_openvino(model))


def converted_to_openvino(model: keras.Model) -> openvino.Model:
    """Convert a Keras model for OpenVINO; it takes `image` and gives `probabilities`."""
    from kerasseg.inference.folding import folded  # imports Keras

    openvino = _openvino()
    graph = traced(folded(model)).get_concrete_function()
    # Weights that are shared would vanish with the folded model, which nobody else holds.
    network = openvino.convert_model(graph, share_weights=False)
    answer = network.output(graph.outputs[0].name)  # others are what Keras' silu keeps for its gradient
    network = openvino.Model([answer.node], network.get_parameters())
    network.input(0).tensor.set_names({"image"})
    network.output(0).tensor.set_names({"probabilities"})
    return network


def compiled_by_openvino(network: openvino.Model | Path) -> Forward:
    """Compile what OpenVINO holds, or what it reads: its own ``.xml``, or ``.onnx``."""
    exactly = {"INFERENCE_PRECISION_HINT": "f32"}  # it is bfloat16 by itself where a processor has that
    compiled = _openvino().compile_model(network, "CPU", exactly)
    return lambda batch: compiled(np.ascontiguousarray(batch))[0]


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


def needed(package: str, extra: str) -> ModuleType:
    """Import a package of one of kerasseg's extras.

    Raises
    ------
    UserError
        If it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"this needs the package {package} ({error}): pip install 'kerasseg[{extra}]'"
        ) from error


def _openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which would report every import and conversion to Intel.

    Where that package is missing, OpenVINO does without; to it, it is missing now.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    return needed("openvino", "openvino")


ENGINES: dict[str, Callable[[keras.Model], Forward]] = {TENSORFLOW: forward, "openvino": on_openvino}


def engine(name: str) -> Callable[[keras.Model], Forward]:
    """Find an engine: a function that compiles a Keras model.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name not in ENGINES:
        raise UserError(unknown("engine", name, ENGINES))
    return ENGINES[name]
