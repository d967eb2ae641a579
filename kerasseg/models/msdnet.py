"""The mixed-scale dense network: each layer sees the image and all maps before it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor

from kerasseg.errors import UserError, unknown
from kerasseg.models.blocks import probabilities, rank
from kerasseg.models.mixed_scale_dense import MODES, MixedScaleDense, initial_deviation


def msdnet(
    input_shape: tuple[int | None, ...],
    classes: int,
    *,
    activation: str,
    layers: int,
    max_dilation: int,
    width: int,
    dilations: Sequence[int] | None,
    padding: str,
    fast: bool,
    name: str = "msdnet",
) -> keras.Model:
    """Build a mixed-scale dense network with the published wiring and initialisation.

    A layer makes `width` maps of the image and all maps before, each by a dilated convolution of three pixels
    along each axis, a bias and ReLU. A convolution of one pixel, of the image and all maps, ends the network.
    It begins at zero, so that the first probabilities are all alike.

    `kerasseg.recipe.models.Msdnet` describes the arguments that are not described here.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``; spatial axes may be None, and are of any size.
    classes : int
        K, the channels of the result.
    padding : {"reflect", "symmetric", "zeros"}
        An image is larger than the largest dilation along each axis where it is mirrored.
    fast : bool
        Whether it is built of `MixedScaleDense`, or of `layer_by_layer`, which compute the same.

    Returns
    -------
    keras.Model
        From an image ``(B, ..., C)`` float32 in [0, 1] to probabilities ``(B, ..., K)`` float32.

    References
    ----------
    Pelt and Sethian, "A mixed-scale dense convolutional neural network for image analysis", PNAS 115(2),
    2018, DOI 10.1073/pnas.1715832114.
    """
    if padding not in MODES:
        raise UserError(unknown("padding", padding, MODES))
    image = keras.Input(input_shape, name="image")
    of_maps = mixed_dilations(layers, dilations or range(1, max_dilation + 1), width)
    if fast:
        logits = MixedScaleDense(classes, of_maps, padding, name="mixed_scale_dense")(image)
    else:
        logits = layer_by_layer(image, classes, of_maps, padding)
    return keras.Model(image, probabilities(logits, activation), name=name)


def mixed_dilations(layers: int, cycle: Sequence[int], width: int) -> list[list[int]]:
    """Give each map of each layer its dilation, map after map the next of a cycle."""
    return [[cycle[(layer * width + n) % len(cycle)] for n in range(width)] for layer in range(layers)]


def layer_by_layer(image: KerasTensor, classes: int, dilations: list[list[int]], padding: str) -> KerasTensor:
    """Write the network out in Keras' own layers: what `MixedScaleDense` is to be equal to.

    Parameters
    ----------
    image : KerasTensor, (B, ..., C)
    classes, dilations, padding
        See `MixedScaleDense`.

    Returns
    -------
    KerasTensor, (B, ..., K)
        Logits.
    """
    convolve = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[rank(image)]
    shape = rank(image), image.shape[-1], len(dilations), len(dilations[0]), classes
    normal = {"class_name": "RandomNormal", "config": {"stddev": initial_deviation(*shape)}}
    mode = "constant" if padding == "zeros" else padding
    x = image
    for layer, row in enumerate(dilations):
        maps = []
        for n, dilation in enumerate(row):
            border = [(0, 0), *[(dilation, dilation)] * rank(image), (0, 0)]
            convolution = convolve(
                1,
                3,
                dilation_rate=dilation,
                activation="relu",
                kernel_initializer=normal,
                name=f"dense{layer}_{n}_conv",
            )
            maps.append(convolution(keras.ops.pad(x, border, mode)))
        x = keras.layers.Concatenate(name=f"dense{layer}_concatenate")([x, *maps])
    return convolve(classes, 1, kernel_initializer="zeros", name="head_conv")(x)
