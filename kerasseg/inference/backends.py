"""What computes a model's answers: TensorFlow, or OpenVINO on a CPU, which is an extra.

OpenVINO is one Apache-2.0 package that converts the traced network in memory. ONNX Runtime was no faster,
takes four times as long to convert, and needs a converter and a file between. Which engine is the faster one
depends on the processor: see `tools/bench/serving.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kerasseg.errors import UserError, unknown
from kerasseg.inference.compiling import Forward, traced
from kerasseg.inference.forward import forward

if TYPE_CHECKING:
    from types import ModuleType

    import keras

TENSORFLOW = "tensorflow"


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
    from kerasseg.inference.folding import folded  # imports Keras

    openvino = _imported()
    graph = traced(folded(model)).get_concrete_function()
    # Weights that are shared would vanish with the folded model, which nobody else holds.
    network = openvino.convert_model(graph, share_weights=False)
    answer = network.output(graph.outputs[0].name)  # others are what Keras' silu keeps for its gradient
    network = openvino.Model([answer.node], network.get_parameters())
    exactly = {"INFERENCE_PRECISION_HINT": "f32"}  # it is bfloat16 by itself where a processor has that
    compiled = openvino.compile_model(network, "CPU", exactly)
    return lambda batch: compiled(np.ascontiguousarray(batch))[0]


def _imported() -> ModuleType:
    """Import OpenVINO without its telemetry, which would report every import and conversion to Intel.

    Where that package is missing, OpenVINO does without; to it, it is missing now.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    try:
        import openvino
    except ImportError as error:
        raise UserError(
            f"the engine openvino needs the package openvino ({error}): pip install 'kerasseg[openvino]'"
        ) from error
    return openvino


ENGINES: dict[str, Callable[[keras.Model], Forward]] = {TENSORFLOW: forward, "openvino": on_openvino}


def find(name: str) -> Callable[[keras.Model], Forward]:
    """Find an engine: a function that compiles a Keras model.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name not in ENGINES:
        raise UserError(f"--engine: {unknown('engine', name, ENGINES)}")
    return ENGINES[name]
