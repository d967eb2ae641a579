"""PatchGAN: a discriminator that scores every patch of an image, so that it takes images of any size."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kerasseg.models.blocks import convolution
from kerasseg.models.translation import leaky_relu, normalised

KERNEL = 4
MOST = 8  # times the first level's channels


def patchgan(
    input_shapes: Sequence[tuple[int | None, ...]],
    *,
    base_filters: int,
    levels: int,
    normalisation: str,
    initializer: str,
    name: str = "patchgan",
) -> keras.Model:
    """Build a PatchGAN.

    The paper's loses a pixel at each of its last two convolutions; here, the map of scores is as large as the
    image over the stride.

    `kerasseg.recipe.models.Patchgan` describes the arguments that are not described here.

    Parameters
    ----------
    input_shapes : sequence of tuple
        Of what is judged, ``(Y, X, C)`` or ``(Z, Y, X, C)``: one image, or an image and its mask, which are
        concatenated. Spatial axes may be None, and are multiples of ``2**levels``.

    Returns
    -------
    keras.Model
        From one image, or from a list of several, to scores ``(B, ..., 1)`` float32, which have no bounds.

    References
    ----------
    Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017,
    arXiv:1611.07004, section 3.2.2 and appendix 6.1.2.
    """
    images = [keras.Input(shape, name=f"input{index}") for index, shape in enumerate(input_shapes)]
    x = layers.Concatenate(name="stem_concatenate")(images) if len(images) > 1 else images[0]
    for level in range(levels + 1):
        filters, strides = base_filters * min(2**level, MOST), 2 if level < levels else 1
        kind, stage = normalisation if level else None, f"encoder{level}"
        x = convolution(
            x, filters, KERNEL, strides=strides, bias=not kind, initializer=initializer, name=f"{stage}_conv"
        )
        x = normalised(x, kind, name=stage) if kind else x
        x = leaky_relu(x, name=stage)
    x = convolution(x, 1, KERNEL, initializer=initializer, name="head_conv")
    scores = layers.Activation("linear", dtype="float32", name="scores")(x)
    return keras.Model(images if len(images) > 1 else images[0], scores, name=name)


def field_of_view(levels: int) -> int:
    """Count the pixels along an axis that one score of a PatchGAN sees, but for what normalisation adds.

    From the score back to the image: two convolutions of 4 pixels, then `levels` of stride 2, of which each
    makes ``2 (n - 1) + 4`` pixels of n.

    Parameters
    ----------
    levels : int
        How often the image is halved.

    Returns
    -------
    int
        Pixels.

    Examples
    --------
    >>> field_of_view(3)
    70
    """
    pixels = 1 + 2 * (KERNEL - 1)
    for _ in range(levels):
        pixels = 2 * (pixels - 1) + KERNEL
    return pixels
