"""U-Net: a decoder that concatenates the encoder's skips, each behind an attention gate if asked."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kerasseg.models.blocks import attention_gate, double_convolution, head, upsample
from kerasseg.models.encoders import encode


def unet(
    input_shape: tuple[int | None, ...],
    classes: int,
    *,
    activation: str = "sigmoid",
    encoder: str = "efficientnetb0",
    encoder_weights: str | None = "imagenet",
    encoder_weights_fallback: str = "error",
    base_filters: int = 32,
    decoder_filters: Sequence[int] = (256, 128, 64, 32, 16),
    attention: bool = True,
    attention_filters: int = 16,
    batchnorm_momentum: float = 0.99,
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
        Channels of the first stage of the encoder `plain`.
    decoder_filters : sequence of int
        Channels of each decoder stage, deep to shallow; the last ones where the encoder has fewer stages.
    attention : bool
        Whether every skip passes an attention gate.
    attention_filters : int
        Inner width of the gates.
    batchnorm_momentum : float
        How much of the moving statistics each step keeps; lower it for short trainings.
    name : str

    Returns
    -------
    keras.Model
        From an image ``(B, ..., C)`` float32 in [0, 1] to probabilities ``(B, ..., K)`` float32.

    References
    ----------
    Ronneberger et al., MICCAI 2015, DOI 10.1007/978-3-319-24574-4_28. Gates: Oktay et al., arXiv:1804.03999.
    Abbas and Abdulmunim, Iraqi Journal of Science 64(4), 2023, DOI 10.24996/ijs.2023.64.4.37.
    """
    image, (*skips, x) = encode(
        encoder,
        input_shape,
        weights=encoder_weights,
        weights_fallback=encoder_weights_fallback,
        base_filters=base_filters,
        momentum=batchnorm_momentum,
    )
    for stage, (skip, filters) in enumerate(
        zip(reversed(skips), decoder_filters[-len(skips) :], strict=True)
    ):
        deeper, x = x, upsample(x, name=f"decoder{stage}_upsample")
        if skip is not None:
            skip = attention_gate(skip, deeper, attention_filters, name=f"gate{stage}") if attention else skip
            x = layers.Concatenate(name=f"decoder{stage}_concatenate")([x, skip])
        x = double_convolution(x, filters, momentum=batchnorm_momentum, name=f"decoder{stage}")
    return keras.Model(image, head(x, classes, activation), name=name)
