"""Models on disk: loaded without running code of theirs, and told apart by their weights."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from kerasseg.errors import Blocked
from kerasseg.models import mixed_scale_dense  # noqa: F401  registers a layer that a model may have

# What networks compute by. TensorFlow has others that read and write files, or call Python.
COMPUTING = """
Abs Add AddN AddV2 ArgMax AvgPool AvgPool3D BatchMatMulV2 BatchToSpaceND BiasAdd BroadcastTo Cast Ceil
ConcatV2 Const Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 DepthwiseConv2dNative Einsum Elu
Equal Erf Exp ExpandDims Fill Floor FloorDiv FloorMod FusedBatchNormV3 GatherV2 Greater GreaterEqual
Identity IdentityN LeakyRelu Less LessEqual Log LogicalAnd LogicalNot LogicalOr MatMul Max MaxPool MaxPool3D
MaxPoolV2 Maximum Mean Min Minimum MirrorPad Mul Neg NoOp Pack Pad PadV2 PartitionedCall Placeholder Pow
Prod Range Rank ReadVariableOp RealDiv Reciprocal Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor
ReverseV2 Round Rsqrt Select SelectV2 Selu Shape Sigmoid Sign Size Slice Softmax Softplus SpaceToBatchND
Split SplitV Sqrt Square SquaredDifference Squeeze StatefulPartitionedCall StopGradient StridedSlice Sub Sum
Tanh Tile Transpose Unpack ZerosLike
"""
DEFAULT = "serving_default"


def load_model(path: Path) -> keras.Model:
    """Load a model that carries no code.

    Raises
    ------
    Blocked
        If it is not a Keras model, is damaged, or carries code of its own.
    """
    if not zipfile.is_zipfile(path):
        raise Blocked(f"{path}: this is not a Keras model, or not all of it; copy it again")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise Blocked(f"{path}: this Keras model is damaged ({error}); copy it again") from error
    except (ValueError, OSError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise Blocked(f"{path}: this is not a Keras model that can be loaded safely ({reason})") from error


def open_saved_model(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Open the network of another program's SavedModel, if it does nothing but compute.

    Parameters
    ----------
    folder : Path
        With ``saved_model.pb``, or with one folder that has it. It may go once it is opened.

    Returns
    -------
    callable
        From the one tensor that its signature `serving_default` takes to the one that it gives.

    Raises
    ------
    Blocked
        If it is damaged, of TensorFlow 1, takes or gives several tensors, or could do anything else, such as
        to write a file.
    """
    folder = next((path.parent for path in sorted(folder.glob("**/saved_model.pb"))), folder)
    try:
        graph = SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0]
    except (OSError, IndexError, DecodeError) as error:
        raise Blocked(f"this is not a SavedModel, or not all of it ({error}); copy it again") from error
    kinds = {node.WhichOneof("kind") for node in graph.object_graph_def.nodes}
    if not kinds or kinds & {"asset", "resource"}:
        raise Blocked(
            "this SavedModel is one of TensorFlow 1, or brings tables or files; what it does when it is "
            "opened cannot be told beforehand. Convert it to ONNX"
        )
    signatures = tf.saved_model.load(str(folder)).signatures
    if DEFAULT not in signatures:
        raise Blocked(f"this SavedModel has no signature {DEFAULT}, but {', '.join(signatures) or 'none'}")
    function = signatures[DEFAULT]
    _check_that_it_computes(function)
    takes, gives = function.structured_input_signature[1], function.structured_outputs
    if len(takes) != 1 or len(gives) != 1:
        raise Blocked(
            f"this SavedModel takes {', '.join(takes)} and gives {', '.join(gives)}; expected one of each"
        )
    ((name, kind),), (answer,) = takes.items(), gives
    return lambda batch: function(**{name: tf.constant(batch, kind.dtype)})[answer].numpy()


def _check_that_it_computes(function: tf.types.experimental.ConcreteFunction) -> None:
    """Refuse a function that does anything that is not in `COMPUTING`, itself or by what it calls."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for called in graph.library.function for node in called.node_def)]
    if unknown := sorted({node.op for node in nodes} - set(COMPUTING.split())):
        raise Blocked(f"this SavedModel does more than networks are known to do: {', '.join(unknown)}")


def fingerprint(model: keras.Model) -> str:
    """Tell models apart: the SHA-256 of all weights in their order."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight))
    return digest.hexdigest()
