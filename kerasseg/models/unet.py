"""U-Net: a decoder that concatenates the encoder's skips, each behind an attention gate if asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    activation: str,
    decoder_filters: Sequence[int] | None,
    upsampling: str,
    attention: bool,
    attention_filters: int,
    batchnorm_momentum: float,
    initializer: str,
    name: str = "unet",
    **encoder_arguments: Any,
) -> keras.Model:
    """Build a U-Net.

    `kerasseg.recipe.models.Unet` describes the arguments that are not described here.

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
    Ronneberger et al., MICCAI 2015, DOI 10.1007/978-3-319-24574-4_28. Cicek et al., MICCAI 2016,
    DOI 10.1007/978-3-319-46723-8_49. Gates: Oktay et al., arXiv:1804.03999.
    Abbas and Abdulmunim, Iraqi Journal of Science 64(4), 2023, DOI 10.24996/ijs.2023.64.4.37.
    """
    options = {"batchnorm_momentum": batchnorm_momentum, "initializer": initializer}
    image, (*skips, x) = encode(input_shape, **encoder_arguments, **options)
    skips = skips[::-1]
    for stage, (skip, filters) in enumerate(zip(skips, _stage_filters(decoder_filters, skips), strict=True)):
        deeper = x
        x = _doubled(x, filters, upsampling, initializer=initializer, name=f"decoder{stage}")
        if skip is not None:
            if attention:
                skip = attention_gate(
                    skip, deeper, attention_filters, initializer=initializer, name=f"gate{stage}"
                )
            x = layers.Concatenate(name=f"decoder{stage}_concatenate")([x, skip])
        x = double_convolution(
            x, filters, momentum=batchnorm_momentum, initializer=initializer, name=f"decoder{stage}"
        )
    return keras.Model(image, head(x, classes, activation, initializer=initializer), name=name)


def _stage_filters(
    decoder_filters: Sequence[int] | None, skips: Sequence[KerasTensor | None]
) -> Sequence[int]:
    """Give each stage its channels: without numbers those of its skip, or half of the stage's before."""
    if decoder_filters is None:
        filters: list[int] = []
        for skip in skips:
            filters.append(filters[-1] // 2 if skip is None else skip.shape[-1])
        return filters
    if len(decoder_filters) < len(skips):
        raise UserError(
            f"model.unet.decoder_filters: {len(decoder_filters)} numbers, {tuple(decoder_filters)}, for "
            f"{len(skips)} stages: give one for each stage, or null for as many as the skips have"
        )
    return decoder_filters[len(decoder_filters) - len(skips) :]


def _doubled(x: KerasTensor, filters: int, upsampling: str, *, initializer: str, name: str) -> KerasTensor:
    if upsampling == "repeat":
        return upsample(x, name=f"{name}_upsample")
    if upsampling == "transpose":
        return up_convolution(x, filters, initializer=initializer, name=f"{name}_upsample")
    raise UserError(unknown("upsampling", upsampling, UPSAMPLINGS))
