"""Encoders: from an image to its feature maps, shallow to deep, each half the size of the one before."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers

from kerasseg.errors import Fallback, UserError, unknown
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


def plain(
    input_shape: tuple[int | None, ...], *, base_filters: int, levels: int, momentum: float, initializer: str
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
    momentum : float
        Of batch normalisation.
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
    options = {"momentum": momentum, "initializer": initializer}
    for level in range(levels):
        x = downsample(x, name=f"encoder{level}_pool") if level else x
        x = double_convolution(x, base_filters * 2**level, **options, name=f"encoder{level}")
        features.append(x)
    return image, features


def efficientnet(
    input_shape: tuple[int | None, ...],
    *,
    variant: str,
    weights: str | None,
    weights_fallback: str,
    momentum: float,
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
    weights : {"imagenet", "noisy-student", None}
        None draws them at random.
    weights_fallback : {"error", "random"}
        What to do where the weights cannot be downloaded.
    momentum : float
        Of batch normalisation.

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
    if len(input_shape) != 3:
        raise UserError(
            f"encoder 'efficientnet{variant.lower()}' takes 2-D images, not the shape {input_shape}: "
            f"choose encoder 'plain' for volumes"
        )
    source = _package_model(variant, weights=None, input_shape=input_shape)
    encoder = keras.models.clone_model(
        keras.Model(source.input, [source.get_layer(tap).output for tap in EFFICIENTNET_TAPS]),
        input_tensors=keras.Input(input_shape, name="image"),
        clone_function=partial(_keras_layer, momentum=momentum),
        call_function=_call_standardised,
    )
    if weights is not None:
        _load_pretrained(encoder, variant, weights, weights_fallback)
    return encoder.input, [None, *encoder.outputs]


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


def _package_model(variant: str, **arguments) -> keras.Model:
    # The package costs seconds to import, and only these encoders need it.
    import efficientnet.tfkeras as package

    return getattr(package, f"EfficientNet{variant}")(include_top=False, **arguments)


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


def _load_pretrained(encoder: keras.Model, variant: str, weights: str, fallback: str) -> None:
    try:
        source = _package_model(variant, weights=weights, input_shape=(None, None, 3))
    except Exception as error:  # Keras' downloader raises nothing more specific.
        if "URL fetch failure" not in str(error):
            raise
        message = f"the {weights!r} weights of EfficientNet-{variant} cannot be downloaded ({error})"
        if fallback != "random":
            raise UserError(
                f"{message}: connect once, or set encoder_weights_fallback: random or encoder_weights: null"
            ) from error
        warnings.warn(f"{message}: RANDOM encoder weights instead", Fallback, stacklevel=2)
        return
    for layer in source.layers:
        values = layer.get_weights()
        if layer.name == "stem_conv":
            values = [adapt_kernel(values[0], encoder.input.shape[-1])]
        if values:
            encoder.get_layer(layer.name).set_weights(values)


ENCODERS: dict[str, Callable[..., tuple[KerasTensor, list[KerasTensor | None]]]] = {
    "plain": plain,
    **{f"efficientnetb{n}": partial(efficientnet, variant=f"B{n}") for n in range(8)},
}


def encode(
    encoder: str, input_shape: tuple[int | None, ...], **arguments: Any
) -> tuple[KerasTensor, list[KerasTensor | None]]:
    """Build an encoder by its name in `ENCODERS`.

    Parameters
    ----------
    encoder : str
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``.
    **arguments
        Those of `plain` and of `efficientnet`; an encoder is given the ones that it takes.

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
    if encoder not in ENCODERS:
        raise UserError(unknown("encoder", encoder, ENCODERS))
    builder = ENCODERS[encoder]
    taken = inspect.signature(builder).parameters.keys() & arguments.keys()
    return builder(input_shape, **{name: arguments[name] for name in taken})
