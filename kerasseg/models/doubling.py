"""Doubling an image and then convolving it by 3x3, computed at the small size.

Nearest neighbours repeat each pixel in both directions, so three neighbours along an axis are two pixels, one
of them twice. One transposed convolution by 4x4 gives the same numbers from the small image: 16 products for
each of its pixels and pairs of channels where there were 36, and no doubled image is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from kerasseg.models.keras_internals import successions

# What of three taps on the doubled grid each of four taps of a transposed convolution sums, along one axis.
TAPS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)


class DoublingConvolution(layers.Layer):
    """What a 3x3 convolution computes of a doubled image, from the small one, with that layer's variables.

    Parameters
    ----------
    layer : keras.layers.Conv2D
        It owns the variables, so whatever is learnt here is learnt there.
    """

    def __init__(self, layer: layers.Conv2D) -> None:
        super().__init__(name=layer.name, dtype=layer.dtype_policy)
        self.layer = layer

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Convolve `(B, Y, X, C)` to `(B, 2Y, 2X, F)`."""
        kernel = transposed_kernel(ops.cast(self.layer.kernel, self.compute_dtype))
        x = ops.conv_transpose(x, kernel, strides=2, padding="same")
        return self.layer.activation(x + self.layer.bias if self.layer.use_bias else x)


def transposed_kernel(kernel: keras.KerasTensor) -> keras.KerasTensor:
    """Sum the taps of a kernel that fall on one pixel of the small image.

    Parameters
    ----------
    kernel : tensor, (3, 3, C, F)
        For the doubled image.

    Returns
    -------
    tensor, (4, 4, F, C)
        For a transposed convolution of the small image, of stride 2 and 'same' padding.
    """
    *_, channels, filters = kernel.shape
    taps = ops.cast(np.kron(TAPS, TAPS), kernel.dtype)
    sums = ops.reshape(ops.matmul(taps, ops.reshape(kernel, (9, -1))), (4, 4, channels, filters))
    return ops.transpose(sums, (0, 1, 3, 2))


def transposed(layer: layers.Conv2D) -> layers.Conv2DTranspose:
    """Make a convolution of a doubled image one of Keras' own layers, for the small image.

    Parameters
    ----------
    layer : keras.layers.Conv2D
        By 3x3, of stride 1 and 'same' padding.

    Returns
    -------
    keras.layers.Conv2DTranspose
        Its weights are made of those of now.
    """
    kernel, *bias = layer.weights
    names = ("name", "dtype", "filters", "padding", "use_bias", "activation")
    how = {name: layer.get_config()[name] for name in names}
    alone = layers.Conv2DTranspose(kernel_size=4, strides=2, kernel_initializer="zeros", **how)
    alone.build((None, None, None, kernel.shape[-2]))
    alone.set_weights([transposed_kernel(kernel.value), *bias])
    return alone


def doubling(model: keras.Model, replace: Callable[[layers.Conv2D], layers.Layer]) -> keras.Model:
    """Make a model that computes the same, and convolves before it doubles.

    Parameters
    ----------
    model : keras.Model
        Functional.
    replace : callable
        From a convolution of a doubled image to a layer for the small one.

    Returns
    -------
    keras.Model
        It shares all other layers with `model`.
    """
    pairs = {after: before for before, after in successions(model) if _doubles(before) and _convolves(after)}
    doublings = set(pairs.values())

    def call(layer: layers.Layer, *x: keras.KerasTensor, **how: object) -> keras.KerasTensor:
        return x[0] if layer in doublings else layer(*x, **how)

    return keras.models.clone_model(
        model, clone_function=lambda each: replace(each) if each in pairs else each, call_function=call
    )


def _convolves(layer: layers.Layer) -> bool:
    if type(layer) is not layers.Conv2D:
        return False
    sizes = (layer.kernel_size, layer.strides, layer.dilation_rate, layer.groups)
    how = (layer.padding, layer.data_format)
    return sizes == ((3, 3), (1, 1), (1, 1), 1) and how == ("same", "channels_last")


def _doubles(layer: layers.Layer) -> bool:
    if type(layer) is not layers.UpSampling2D:
        return False
    return (layer.size, layer.interpolation, layer.data_format) == ((2, 2), "nearest", "channels_last")
