"""How far a model sees: which pixels of the image one pixel of its answer depends on.

The graph is walked from the answer to the image. Each layer says, along one axis, from where to where its
input is read for a stretch of its output, and stretches that meet at a branch are joined. Where strides and
upsampling meet, one pixel sees further than its neighbour, so all pixels of one period are followed at once.

What pools over the whole image (squeeze-and-excitation, in every EfficientNet) sees all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
from keras import layers

_CONVOLUTIONS = (layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D)
_POOLINGS = (layers.MaxPooling2D, layers.MaxPooling3D, layers.AveragePooling2D, layers.AveragePooling3D)
_UPSAMPLINGS = (layers.UpSampling2D, layers.UpSampling3D)
_POINTWISE = (
    layers.InputLayer,
    layers.Activation,
    layers.Add,
    layers.BatchNormalization,
    layers.Concatenate,
    layers.Dropout,
    layers.Multiply,
    layers.ReLU,
    layers.Rescaling,
)

Stretch = tuple[np.ndarray, np.ndarray]
"""First and last pixel along an axis, for each pixel of a period of the answer."""


def radius(model: keras.Model, stride: int) -> tuple[int, ...] | None:
    """Find how far from a pixel of its answer a model looks at most.

    Parameters
    ----------
    model : keras.Model
        Functional, with one output as large as its input.
    stride : int
        A multiple of the model's deepest stride; images are multiples of it.

    Returns
    -------
    tuple of int or None
        Pixels on each side, for each axis in space; None where there is no bound, or where a layer is none of
        those that this module knows.

    References
    ----------
    Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019,
    DOI 10.23915/distill.00021.
    """
    if not all(map(_is_bounded, (operation for operation, *_ in _steps(model)))):
        return None
    return tuple(_radius(model, stride, axis) for axis in range(len(model.input.shape) - 2))


def _radius(model: keras.Model, stride: int, axis: int) -> int:
    pixels = np.arange(stride)
    seen: dict[int, Stretch] = {id(model.output): (pixels, pixels)}
    for operation, inputs, output in _steps(model):
        stretch = _read(operation, axis, *seen[id(output)])
        for tensor in inputs:
            seen[id(tensor)] = _joined(stretch, seen.get(id(tensor), stretch))
    first, last = seen[id(model.input)]
    return int(max((pixels - first).max(), (last - pixels).max()))


def _steps(model: keras.Model) -> Iterator[tuple[keras.Operation, list, keras.KerasTensor]]:
    """Yield each layer with what it takes and makes, after all layers that take what it makes."""
    for _, nodes in sorted(model._nodes_by_depth.items()):
        for node in nodes:
            yield node.operation, node.input_tensors, node.outputs[0]


def _is_bounded(operation: keras.Operation) -> bool:
    if isinstance(operation, _UPSAMPLINGS):
        return getattr(operation, "interpolation", "nearest") == "nearest"
    return isinstance(operation, (*_CONVOLUTIONS, *_POOLINGS, *_POINTWISE))


def _read(operation: keras.Operation, axis: int, first: np.ndarray, last: np.ndarray) -> Stretch:
    """Say from where to where a layer reads, to write from `first` to `last`."""
    if isinstance(operation, _UPSAMPLINGS):
        return first // operation.size[axis], last // operation.size[axis]
    if isinstance(operation, _CONVOLUTIONS):
        extent = (operation.kernel_size[axis] - 1) * operation.dilation_rate[axis]
    elif isinstance(operation, _POOLINGS):
        extent = operation.pool_size[axis] - 1
    else:
        return first, last
    stride = operation.strides[axis]
    # TensorFlow's 'same': what is padded is shared, and an odd pixel comes behind the image.
    before = max(extent + 1 - stride, 0) // 2 if operation.padding == "same" else 0
    return first * stride - before, last * stride - before + extent


def _joined(one: Stretch, other: Stretch) -> Stretch:
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])
