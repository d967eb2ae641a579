"""How far a model sees: which pixels of the image one pixel of its answer depends on; and its stride.

The graph is walked from the answer to the image. Each layer says, along one axis, from where to where its
input is read for a stretch of its output, and stretches that meet at a branch are joined. Where strides and
upsampling meet, one pixel sees further than its neighbour, so all pixels of one period are followed at once.

What pools over the whole image sees all of it: squeeze-and-excitation, in EfficientNet but not in
EfficientNet-Lite, and instance normalisation.
"""

from __future__ import annotations

import math
from fractions import Fraction

import keras
import numpy as np
from keras import layers

from kerasseg.models.keras_internals import steps
from kerasseg.models.mixed_scale_dense import MixedScaleDense

_CONVOLUTIONS = (layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D)
_POOLINGS = (layers.MaxPooling2D, layers.MaxPooling3D, layers.AveragePooling2D, layers.AveragePooling3D)
_UPSAMPLINGS = (layers.UpSampling2D, layers.UpSampling3D)
_TRANSPOSED = (layers.Conv2DTranspose, layers.Conv3DTranspose)
_POINTWISE = (
    layers.InputLayer,
    layers.Activation,
    layers.Add,
    layers.BatchNormalization,
    layers.Concatenate,
    layers.Dropout,
    layers.LeakyReLU,
    layers.Multiply,
    layers.ReLU,
    layers.Rescaling,
)

Stretch = tuple[np.ndarray, np.ndarray]
"""First and last pixel along an axis, for each pixel of a period of the answer."""


def stride(model: keras.Model) -> tuple[int, ...]:
    """Find what the sizes of a model's images must be multiples of, so that every halving comes out even.

    Parameters
    ----------
    model : keras.Model
        Functional.

    Returns
    -------
    tuple of int
        Pixels, for each axis in space.
    """
    return tuple(_stride(model, axis) for axis in range(len(model.inputs[0].shape) - 2))


def _stride(model: keras.Model, axis: int) -> int:
    """Follow the size of each tensor, as a share of the image's, from the image to the answer."""
    sizes = {id(image): Fraction(1) for image in model.inputs}
    for operation, inputs, output in reversed(list(steps(model))):
        if inputs:
            sizes[id(output)] = sizes[id(inputs[0])] * _growth(operation, axis)
    return math.lcm(*(size.denominator for size in sizes.values()))


def _growth(operation: keras.Operation, axis: int) -> Fraction:
    if isinstance(operation, _UPSAMPLINGS):
        return Fraction(operation.size[axis])
    if isinstance(operation, _TRANSPOSED):
        return Fraction(operation.strides[axis])
    if isinstance(operation, _CONVOLUTIONS + _POOLINGS):
        return Fraction(1, operation.strides[axis])
    return Fraction(1)


def radius(model: keras.Model) -> tuple[int, ...] | None:
    """Find how far from a pixel of its answer a model looks at most.

    Parameters
    ----------
    model : keras.Model
        Functional, with one input and one output of the same size. Images are multiples of its stride.

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
    if not _is_bounded(model):
        return None
    return tuple(_radius(model, period, axis) for axis, period in enumerate(stride(model)))


def _radius(model: keras.Model, period: int, axis: int) -> int:
    pixels = np.arange(period)
    first, last = _stretch_seen(model, axis, pixels)
    return int(max((pixels - first).max(), (last - pixels).max()))


def field_of_view(model: keras.Model) -> tuple[int, ...] | None:
    """Count the pixels of the image that one pixel of an answer of any size depends on.

    Parameters
    ----------
    model : keras.Model
        Functional, with one output that is no larger than its inputs.

    Returns
    -------
    tuple of int or None
        Pixels, for each axis in space; None as for `radius`.
    """
    if not _is_bounded(model):
        return None
    stretches = (_stretch_seen(model, axis, np.zeros(1, int)) for axis in range(len(model.output.shape) - 2))
    return tuple(int(last[0] - first[0]) + 1 for first, last in stretches)


def _stretch_seen(model: keras.Model, axis: int, pixels: np.ndarray) -> Stretch:
    """Say from where to where of the image `pixels` of the answer depend on."""
    stretches: dict[int, Stretch] = {id(model.output): (pixels, pixels)}
    for operation, inputs, output in steps(model):
        stretch = _read(operation, axis, *stretches[id(output)])
        for tensor in inputs:
            stretches[id(tensor)] = _joined(stretch, stretches.get(id(tensor), stretch))
    return stretches[id(model.inputs[0])]


def _is_bounded(model: keras.Model) -> bool:
    return all(_is_known(operation) for operation, *_ in steps(model))


def _is_known(operation: keras.Operation) -> bool:
    if isinstance(operation, _UPSAMPLINGS):
        return getattr(operation, "interpolation", "nearest") == "nearest"
    if isinstance(operation, _TRANSPOSED):
        return operation.padding == "same" and operation.output_padding is None
    known = (*_CONVOLUTIONS, *_POOLINGS, *_POINTWISE, MixedScaleDense)
    return isinstance(operation, known) or _is_padding(operation)


def _is_padding(operation: keras.Operation) -> bool:
    """Tell `keras.ops.pad`, whose class Keras does not export."""
    return type(operation).__name__ == "Pad" and hasattr(operation, "pad_width")


def _read(operation: keras.Operation, axis: int, first: np.ndarray, last: np.ndarray) -> Stretch:
    """Say from where to where a layer reads, to write from `first` to `last`."""
    if isinstance(operation, _UPSAMPLINGS):
        return first // operation.size[axis], last // operation.size[axis]
    if isinstance(operation, _TRANSPOSED):
        return _read_transposed(operation.kernel_size[axis], operation.strides[axis], first, last)
    if isinstance(operation, MixedScaleDense):
        return first - operation.radius, last + operation.radius
    if _is_padding(operation):
        before, _ = operation.pad_width[axis + 1]
        return first - before, last - before
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


def _read_transposed(kernel: int, stride: int, first: np.ndarray, last: np.ndarray) -> Stretch:
    """Pixel n is written to `kernel` pixels from ``stride * n - before`` on, where a convolution reads."""
    before = max(kernel - stride, 0) // 2
    return -((kernel - 1 - before - first) // stride), (last + before) // stride


def _joined(one: Stretch, other: Stretch) -> Stretch:
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])
