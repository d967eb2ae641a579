"""A U-Net whose depth, width and growth are free numbers, as in pyMSDtorch."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from kerasseg.errors import UserError, unknown
from kerasseg.models.blocks import convolution, initializer_of, probabilities, rank

NORMALISATIONS = ("none", "batch")
KERNEL = 3
STRIDE = 2


def tunable_unet(
    input_shape: tuple[int | None, ...],
    classes: int,
    *,
    activation: str,
    levels: int,
    base_filters: int,
    growth_rate: float,
    normalisation: str,
    batchnorm_momentum: float,
    initializer: str,
    name: str = "tunable_unet",
) -> keras.Model:
    """Build a U-Net of any depth, width and growth.

    A level is two convolutions of three pixels along each axis, each with a bias, the normalisation and ReLU.
    Maxima and transposed convolutions of three pixels, both of stride 2, lead down and up; the head is a
    convolution of one pixel.

    `kerasseg.recipe.models.TunableUnet` describes the arguments that are not described here.

    Parameters
    ----------
    input_shape : tuple
        ``(Y, X, C)`` or ``(Z, Y, X, C)``. Axes of a known size may be of any, odd ones too; those that are
        None are multiples of ``2**(levels - 1)``.
    classes : int
        K, the channels of the result.
    normalisation : {"none", "batch"}
        Between a convolution and its ReLU.
    initializer : str
        A name in `kerasseg.models.blocks.INITIALIZERS`.

    Returns
    -------
    keras.Model
        From an image ``(B, ..., C)`` float32 in [0, 1] to probabilities ``(B, ..., K)`` float32.

    References
    ----------
    `TUNet` of pyMSDtorch, today dlsia: Roberts et al., "DLSIA: Deep Learning for Scientific Image Analysis",
    Journal of Applied Crystallography 57, 2024, DOI 10.1107/S1600576724001390.
    """
    stage = {"normalisation": normalisation, "momentum": batchnorm_momentum, "initializer": initializer}
    image = x = keras.Input(input_shape, name="image")
    skips: list[KerasTensor] = []
    for level, filters in enumerate(channels(base_filters, growth_rate, levels)):
        if level:
            skips.append(x)
            x = _halved(x, name=f"encoder{level}_pool")
        x = _stage(x, filters, **stage, name=f"encoder{level}")
    for number, skip in enumerate(reversed(skips)):
        x = _doubled(x, skip, initializer=initializer, name=f"decoder{number}_upsample")
        x = layers.Concatenate(name=f"decoder{number}_concatenate")([skip, x])
        x = _stage(x, skip.shape[-1], **stage, name=f"decoder{number}")
    x = convolution(x, classes, 1, initializer=initializer, name="head_conv")
    return keras.Model(image, probabilities(x, activation), name=name)


def channels(base_filters: int, growth_rate: float, levels: int) -> list[int]:
    """Count the channels of each level, from the image's own size down.

    Each count is that of the level above times the rate, cut off to an integer *before* the next is made of
    it: 32 at a rate of 1.3 are 32, 41, 53 and 68, though ``32 * 1.3**3`` is 70.3.

    Raises
    ------
    UserError
        Where a level would have none left.
    """
    counts = [base_filters]
    for _ in range(levels - 1):
        counts.append(int(counts[-1] * growth_rate))
    if counts[-1] < 1:
        raise UserError(
            f"model.tunable_unet.growth_rate: at a rate of {growth_rate} the {levels} levels would have "
            f"{counts} channels: raise growth_rate or base_filters, or take fewer levels"
        )
    return counts


def _stage(
    x: KerasTensor, filters: int, *, normalisation: str, momentum: float, initializer: str, name: str
) -> KerasTensor:
    if normalisation not in NORMALISATIONS:
        raise UserError(unknown("normalisation", normalisation, NORMALISATIONS))
    for half in "ab":
        x = convolution(x, filters, KERNEL, initializer=initializer, name=f"{name}{half}_conv")
        if normalisation == "batch":
            x = layers.BatchNormalization(momentum=momentum, name=f"{name}{half}_bn")(x)
        x = layers.Activation("relu", name=f"{name}{half}_relu")(x)
    return x


def _halved(x: KerasTensor, *, name: str) -> KerasTensor:
    layer = {2: layers.MaxPooling2D, 3: layers.MaxPooling3D}[rank(x)]
    return layer(KERNEL, STRIDE, "same", name=name)(x)


def _doubled(x: KerasTensor, skip: KerasTensor, *, initializer: str, name: str) -> KerasTensor:
    """Spread `x` to the size of the skip, of which it has as many channels."""
    layer = {2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}[rank(x)]
    odd = [bool(size and size % STRIDE) for size in skip.shape[1:-1]]
    return layer(
        skip.shape[-1],
        KERNEL,
        STRIDE,
        "same",
        # Of two sizes that are halved to the same one, the padding at the far end makes the even one.
        output_padding=tuple(1 - each for each in odd) if any(odd) else None,
        kernel_initializer=initializer_of(initializer),
        name=name,
    )(x)
