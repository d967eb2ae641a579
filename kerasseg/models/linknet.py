"""LinkNet: a decoder that adds the encoder's skips, each behind an attention gate if asked."""

from __future__ import annotations

from typing import Any

import keras
from keras import KerasTensor, layers

from kerasseg.models.blocks import attention_gate, convolution_norm_relu, head, upsample
from kerasseg.models.encoders import encode


def linknet(
    input_shape: tuple[int | None, ...],
    classes: int,
    *,
    activation: str,
    last_filters: int,
    attention: bool,
    attention_filters: int,
    batchnorm_momentum: float,
    initializer: str,
    name: str = "linknet",
    **encoder_arguments: Any,
) -> keras.Model:
    """Build a LinkNet.

    `kerasseg.recipe.models.Linknet` describes the arguments that are not described here.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``; spatial axes may be None, and are multiples of the deepest stride.
    classes : int
        K, the channels of the result.
    initializer : str
        A name in `kerasseg.models.blocks.INITIALIZERS`, for all kernels but EfficientNet's.
    **encoder_arguments
        The others of `kerasseg.models.encoders.encode`.

    Returns
    -------
    keras.Model
        From an image ``(B, ..., C)`` float32 in [0, 1] to probabilities ``(B, ..., K)`` float32.

    References
    ----------
    Chaurasia and Culurciello, VCIP 2017, DOI 10.1109/VCIP.2017.8305148. Gates: Oktay et al., arXiv 2018,
    arXiv:1804.03999.
    Abbas and Abdulmunim, Iraqi Journal of Science 64(4), 2023, DOI 10.24996/ijs.2023.64.4.37.
    """
    options = {"batchnorm_momentum": batchnorm_momentum, "initializer": initializer}
    image, (*skips, x) = encode(input_shape, **encoder_arguments, **options)
    for stage, skip in enumerate(reversed(skips)):
        filters = last_filters if skip is None else skip.shape[-1]
        deeper = x
        x = bottleneck(
            x, filters, momentum=batchnorm_momentum, initializer=initializer, name=f"decoder{stage}"
        )
        if skip is not None:
            if attention:
                skip = attention_gate(
                    skip, deeper, attention_filters, initializer=initializer, name=f"gate{stage}"
                )
            x = layers.Add(name=f"decoder{stage}_add")([x, skip])
    return keras.Model(image, head(x, classes, activation, initializer=initializer), name=name)


def bottleneck(x: KerasTensor, filters: int, *, momentum: float, initializer: str, name: str) -> KerasTensor:
    """Double the size between two 1x1 convolutions that work on a quarter of the channels: LinkNet's stage.

    Parameters
    ----------
    x : KerasTensor, (B, H, W, C)
    filters : int
        Channels of the result.
    momentum, initializer
        See `kerasseg.models.blocks.convolution_norm_relu`.
    name : str

    Returns
    -------
    KerasTensor, (B, 2H, 2W, filters)
    """
    quarter = max(x.shape[-1] // 4, 1)
    options = {"momentum": momentum, "initializer": initializer}
    x = convolution_norm_relu(x, quarter, 1, **options, name=f"{name}a")
    x = upsample(x, name=f"{name}_upsample")
    x = convolution_norm_relu(x, quarter, **options, name=f"{name}b")
    return convolution_norm_relu(x, filters, 1, **options, name=f"{name}c")
