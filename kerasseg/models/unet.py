"""U-Net: a decoder that concatenates the encoder's skips, each behind an attention gate if asked."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor, layers

from kerasseg.errors import UserError, unknown
from kerasseg.models.blocks import attention_gate, double_convolution, head, up_convolution, upsample
from kerasseg.models.encoders import encode

UPSAMPLINGS = ("repeat", "transpose")


def unet(
    input_shape: tuple[int | None, ...],
    classes: int,
    *,
    activation: str = "sigmoid",
    encoder: str = "efficientnetb0",
    encoder_weights: str | None = "imagenet",
    encoder_weights_fallback: str = "error",
    base_filters: int = 32,
    levels: int = 5,
    decoder_filters: Sequence[int] | None = (256, 128, 64, 32, 16),
    upsampling: str = "repeat",
    attention: bool = True,
    attention_filters: int = 16,
    batchnorm_momentum: float = 0.99,
    initializer: str = "he_uniform",
    name: str = "unet",
) -> keras.Model:
    """Build a U-Net.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``; spatial axes may be None, and are multiples of the deepest stride.
    classes : int
        K, the channels of the result.
    activation : {"sigmoid", "softmax"}
        Of the head.
    encoder : str
        A name in `kerasseg.models.encoders.ENCODERS`.
    encoder_weights : {"imagenet", "noisy-student", None}
        Of an EfficientNet; None draws them at random.
    encoder_weights_fallback : {"error", "random"}
        What to do where the weights cannot be downloaded.
    base_filters : int
        Channels of the first level of the encoder `plain`; each level doubles them.
    levels : int
        Of the encoder `plain`, the image's own size included: 5 in the U-Net of 2015, 4 in that for volumes.
    decoder_filters : sequence of int or None
        Channels of each decoder stage, deep to shallow; the last ones where the encoder has fewer stages.
        None is as many as the skip of each stage has, as in the papers.
    upsampling : {"repeat", "transpose"}
        Whether pixels are repeated, or spread by a transposed convolution, the papers' "up-convolution".
    attention : bool
        Whether every skip passes an attention gate.
    attention_filters : int
        Inner width of the gates.
    batchnorm_momentum : float
        How much of the moving statistics each step keeps; lower it for short trainings.
    initializer : str
        A name in `kerasseg.models.blocks.INITIALIZERS`, of all kernels but EfficientNet's.
    name : str

    Returns
    -------
    keras.Model
        From an image ``(B, ..., C)`` float32 in [0, 1] to probabilities ``(B, ..., K)`` float32.

    References
    ----------
    Ronneberger et al., MICCAI 2015, DOI 10.1007/978-3-319-24574-4_28. Cicek et al., MICCAI 2016,
    DOI 10.1007/978-3-319-46723-8_49. Gates: Oktay et al., arXiv:1804.03999.
    Abbas and Abdulmunim, Iraqi Journal of Science 64(4), 2023, DOI 10.24996/ijs.2023.64.4.37.
    """
    image, (*skips, x) = encode(
        encoder,
        input_shape,
        weights=encoder_weights,
        weights_fallback=encoder_weights_fallback,
        base_filters=base_filters,
        levels=levels,
        momentum=batchnorm_momentum,
        initializer=initializer,
    )
    drawn = {"initializer": initializer}
    skips = skips[::-1]
    for stage, (skip, filters) in enumerate(zip(skips, _filters(decoder_filters, skips), strict=True)):
        deeper = x
        x = _doubled(x, filters, upsampling, **drawn, name=f"decoder{stage}")
        if skip is not None:
            if attention:
                skip = attention_gate(skip, deeper, attention_filters, **drawn, name=f"gate{stage}")
            x = layers.Concatenate(name=f"decoder{stage}_concatenate")([x, skip])
        x = double_convolution(x, filters, momentum=batchnorm_momentum, **drawn, name=f"decoder{stage}")
    return keras.Model(image, head(x, classes, activation, **drawn), name=name)


def _filters(told: Sequence[int] | None, skips: Sequence[KerasTensor | None]) -> Sequence[int]:
    """Give each stage its channels; `skips` are deep to shallow."""
    if told is None:
        return _mirrored(skips)
    if len(told) < len(skips):
        raise UserError(
            f"model.unet.decoder_filters: {len(told)} numbers, {tuple(told)}, for {len(skips)} stages: give "
            "one for each stage, or null for as many as the skip connections have"
        )
    return told[len(told) - len(skips) :]


def _mirrored(skips: Sequence[KerasTensor | None]) -> list[int]:
    """As many channels as the skip of each stage has; half of the stage's before where it has none."""
    filters: list[int] = []
    for skip in skips:
        filters.append(filters[-1] // 2 if skip is None else skip.shape[-1])
    return filters


def _doubled(x: KerasTensor, filters: int, upsampling: str, *, initializer: str, name: str) -> KerasTensor:
    if upsampling == "repeat":
        return upsample(x, name=f"{name}_upsample")
    if upsampling == "transpose":
        return up_convolution(x, filters, initializer=initializer, name=f"{name}_upsample")
    raise UserError(unknown("upsampling", upsampling, UPSAMPLINGS))
