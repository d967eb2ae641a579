"""Requests that TensorFlow Serving answers for itself before it takes others, so that no user waits for it.

The file holds a protocol buffer of each request (PredictionLog in tensorflow_serving/apis), which is little
enough to be written by hand: an export then needs no package beside TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import tensorflow as tf

from kerasseg.serving.signatures import image_types
from kerasseg.spec import MergedSpec, ModelSpec

NAME = "assets.extra/tf_serving_warmup_requests"
SIZES = {2: (256, 256), 3: (64, 64, 64)}  # of an image and of a volume, where the model looks at any size


def write(version: Path, name: str, spec: ModelSpec | MergedSpec) -> None:
    """Write a request for each signature into an export.

    Parameters
    ----------
    version : Path
        The SavedModel's folder.
    name : str
        Under which it will be served.
    spec : ModelSpec or MergedSpec
        Of a model, or of a cascade, whose stages make what they need of grey images.
    """
    path = version / NAME
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as file:
        for signature, arguments in _requests(spec):
            tensors = {argument: tf.make_tensor_proto(*of) for argument, of in arguments.items()}
            serialized = {argument: tensor.SerializeToString() for argument, tensor in tensors.items()}
            file.write(_prediction_log(name, signature, serialized))


def _requests(spec: ModelSpec | MergedSpec) -> Iterator[tuple[str, dict[str, tuple]]]:
    """Give the signature and its arguments, each as value, type and shape: one black image or volume."""
    is_model = isinstance(spec, ModelSpec)
    size = (spec.resize if is_model else None) or SIZES[spec.rank]
    shape = (1, *size, spec.channels if is_model else 1)
    for signature, dtype in image_types(spec).items():
        yield signature, {"image": (0, dtype, shape)}
    if is_model:
        yield "tiles", {"tiles": (0, tf.float32, shape)}
        black = bytes(tf.float32.size * math.prod(shape))
        yield "packed", {"tiles_bytes": ([black],), "size": ([size], tf.int32)}
    if spec.rank == 2:
        png = tf.io.encode_png(tf.zeros((*size, 1), tf.uint8)).numpy()
        yield "encoded", {"image_bytes": ([png],)}
    yield "metadata", {"request": ([b""],)}


def _prediction_log(name: str, signature: str, tensors: Mapping[str, bytes]) -> bytes:
    model_spec = _field(1, name.encode()) + _field(3, signature.encode())
    arguments = [_field(1, argument.encode()) + _field(2, tensor) for argument, tensor in tensors.items()]
    predict_request = _field(1, model_spec) + b"".join(_field(2, each) for each in arguments)
    predict_log = _field(1, predict_request)
    return _field(6, predict_log)


def _field(number: int, content: bytes) -> bytes:
    """Write a field of bytes: its number and kind, its length, itself."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Write a number in groups of seven bits, the lowest first, each but the last marked."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
