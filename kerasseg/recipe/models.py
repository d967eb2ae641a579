"""What learns: one section for every entry of `kerasseg.models.MODELS`, mirroring the builder's arguments."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kerasseg.recipe.section import Component, Positive, one_of

Encoder = Literal[
    "plain",
    "efficientnetb0",
    "efficientnetb1",
    "efficientnetb2",
    "efficientnetb3",
    "efficientnetb4",
    "efficientnetb5",
    "efficientnetb6",
    "efficientnetb7",
]

Filters = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]


class Model(Component):
    """What every architecture can be told."""

    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    """Of the head: classes may overlap (sigmoid), or exclude each other and the background (softmax)."""
    encoder: Encoder = "efficientnetb0"
    """The half that looks."""
    encoder_weights: Literal["imagenet", "noisy-student"] | None = "imagenet"
    """What an EfficientNet starts from; null is random weights."""
    encoder_weights_fallback: Literal["error", "random"] = "error"
    """What to do where the weights cannot be downloaded."""
    base_filters: Positive = 32
    """Channels of the first stage of the encoder `plain`."""
    attention: bool = True
    """Whether every skip connection passes an attention gate."""
    attention_filters: Positive = 16
    """Inner width of the gates."""
    batchnorm_momentum: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of batch normalisation's statistics that a step keeps; lower it for short trainings."""


class Linknet(Model):
    """LinkNet: skips are added (Chaurasia and Culurciello 2017)."""

    name: ClassVar[str] = "linknet"

    last_filters: Positive = 16
    """Channels of a decoder stage that has no skip to match."""


class Unet(Model):
    """U-Net: skips are concatenated (Ronneberger et al. 2015)."""

    name: ClassVar[str] = "unet"

    decoder_filters: Filters = (256, 128, 64, 32, 16)
    """Channels of the decoder's stages, deepest first."""


AnyModel = one_of("model", Linknet, Unet)


class Patchgan(Component):
    """PatchGAN: scores for all patches of an image, or of an image and its mask (Isola et al. 2017)."""

    name: ClassVar[str] = "patchgan"

    base_filters: Positive = 64
    """Channels of the first level; each level doubles them, up to eight times."""
    levels: Positive = 3
    """How often the image is halved."""


AnyDiscriminator = one_of("discriminator", Patchgan)
