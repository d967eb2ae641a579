"""The bare network in the formats of other programs: ONNX and a SavedModel; see `inference.openvino` too.

A bare network takes what `kerasseg.spec.ModelSpec.prepare` makes of an image, `image` (B, Y, X, C) or
(B, Z, Y, X, C) float32, its sides multiples of the stride, and gives `probabilities` (B, ..., K) float32.
What each file answers is compared with the Keras model, and a file that answers otherwise is not written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from kerasseg.files import write_atomically
from kerasseg.inference.backends import on_onnx_runtime
from kerasseg.inference.forward import compared
from kerasseg.inference.openvino import SPEC
from kerasseg.spec import ModelSpec
from kerasseg.startup import needed

if TYPE_CHECKING:
    from types import ModuleType

    import onnx

OPSET = 17  # of ONNX: the newest that tf2onnx writes and most that reads it knows
CONVERSIONS = 10  # of which one is right by all that can be expected


def write_onnx(model: keras.Model, path: Path, spec: ModelSpec) -> float:
    """Write a model as ONNX, with its specification in the file's metadata.

    Parameters
    ----------
    model : keras.Model
        Of one input and one output; see `kerasseg.inference.forward.in_float32`.
    path : Path
        The file, ``.onnx``.
    spec : ModelSpec

    Returns
    -------
    float
        How far its probabilities are at most from the Keras model's.

    Raises
    ------
    UserError
        If tf2onnx or ONNX Runtime is missing, or the difference is more than rounding.
    """
    tf2onnx, onnx = needed("tf2onnx", "onnx"), needed("onnx", "onnx")
    needed("onnxruntime", "onnx")  # which compares, and is missed before the work is done
    network = _converted(tf2onnx, model)
    onnx.helper.set_model_props(network, {SPEC: spec.to_json()})
    with write_atomically(path) as temporary:
        onnx.save(network, temporary)
        return compared(on_onnx_runtime(temporary), model, spec, path)


def _converted(tf2onnx: ModuleType, model: keras.Model) -> onnx.ModelProto:
    """Convert a model, once more where the answer lacks or has an axis too many.

    tf2onnx 1.17 loses the last step of about one network in ten that gives one channel: its optimisers go
    through sets, whose order is another each time.
    """
    function, takes = _named(model)
    for _ in range(CONVERSIONS):
        network, _ = tf2onnx.convert.from_function(function, takes, opset=OPSET)
        if len(network.graph.output[0].type.tensor_type.shape.dim) == len(model.output_shape):
            break
    return network


def write_saved_model(model: keras.Model, folder: Path, spec: ModelSpec) -> float:
    """Write a model as a SavedModel whose only signature, `serving_default`, is the bare network.

    Parameters, returned value and errors are those of `write_onnx`.
    """
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    function, takes = _named(model)
    signature = function.get_concrete_function(*takes)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": signature})
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return compared(
        lambda batch: served(image=tf.constant(batch))["probabilities"].numpy(), model, spec, folder
    )


def _named(model: keras.Model) -> tuple[Callable, list[tf.TensorSpec]]:
    """Make a model's graph with names for what it takes and gives."""
    takes = [tf.TensorSpec(model.input_shape, tf.float32, name="image")]

    @tf.function(input_signature=takes, autograph=False)
    def network(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model(image, training=False)}

    return network, takes
