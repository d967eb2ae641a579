"""What learns: a section for every architecture that a recipe may name, and for every discriminator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from kerasseg.recipe.document import shown
from kerasseg.recipe.section import Component, Count, Positive, one_of

EfficientNet = Literal[
    "efficientnetb0",
    "efficientnetb1",
    "efficientnetb2",
    "efficientnetb3",
    "efficientnetb4",
    "efficientnetb5",
    "efficientnetb6",
    "efficientnetb7",
    "efficientnetlite0",
    "efficientnetlite1",
    "efficientnetlite2",
]
Encoder = Literal["plain", EfficientNet]
PublishedWeights = Literal["imagenet", "noisy-student"]


def _name_or_file(value: Any) -> Any:
    """Tell a file by its ending, so that a misspelt name is not taken for one."""
    if isinstance(value, str) and value.endswith(".h5"):
        return Path(value)
    if value is None or isinstance(value, Path) or value in get_args(PublishedWeights):
        return value
    names = ", ".join(get_args(PublishedWeights))
    text = f"must be one of {names}, or a file whose name ends in .h5, or null; got {shown(value)}"
    raise PydanticCustomError("component", "{text}", {"text": text})


Weights = Annotated[PublishedWeights | Path | None, BeforeValidator(_name_or_file)]

Activation = Literal["sigmoid", "softmax"]
Initializer = Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "normal"]
Residual = Literal["add", "concatenate"]
Filters = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]

Dilations = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]

Levels = Annotated[int, Field(ge=1, le=10)]  # ten halvings leave one pixel of a thousand


class Architecture(Component):
    """What all that can be a recipe's ``model`` have in common."""

    is_pretrained: ClassVar[bool] = False
    """Whether weights that were learnt elsewhere are what it starts from."""


class Encoded(Architecture):
    """Keys of every architecture with an encoder."""

    activation: Activation = "sigmoid"
    """Activation of the head: with sigmoid classes may overlap, with softmax each pixel has one class."""
    encoder: Encoder = "efficientnetb0"
    """Network that turns an image into feature maps, from shallow to deep."""
    encoder_weights: Weights = "imagenet"
    """Weights that an EfficientNet starts from, by name or from an .h5 file; null draws them at random."""
    encoder_weights_fallback: Literal["error", "random"] = "error"
    """What to do where the weights are neither installed nor can be downloaded."""
    freeze_batchnorm: bool = True
    """Whether the encoder's batch normalisation stays as the weights have it; random weights learn it."""
    base_filters: Positive = 32
    """Channels of the first level of the encoder `plain`; each level doubles them."""
    levels: Levels = 5
    """Levels of the encoder `plain`, the image's own size included: 4 in the U-Net for volumes."""
    batchnorm_momentum: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of batch normalisation's statistics that a step keeps; lower it for short trainings."""
    initializer: Initializer = "he_uniform"
    """Distribution that kernels are drawn from, but for EfficientNet's."""

    @property
    def stride(self) -> int:
        """What the sides of images are multiples of; see `kerasseg.models.receptive_field.stride`."""
        return 2 ** (self.levels - 1) if self.encoder == "plain" else 32

    @property
    def is_pretrained(self) -> bool:
        """Whether the encoder starts from weights that were learnt elsewhere."""
        return self.encoder != "plain" and self.encoder_weights is not None


class Skipped(Encoded):
    """Keys of every architecture with an encoder and skip connections."""

    attention: bool = True
    """Whether every skip connection passes an attention gate."""
    attention_filters: Positive = 16
    """Channels inside each attention gate."""


class Linknet(Skipped):
    """LinkNet: skips are added (Chaurasia and Culurciello 2017)."""

    name: ClassVar[str] = "linknet"
    builder: ClassVar[str] = "kerasseg.models.linknet:linknet"

    last_filters: Positive = 16
    """Channels of a decoder stage that has no skip to match."""


class Unet(Skipped):
    """U-Net: skips are concatenated (Ronneberger et al. 2015; for volumes, Cicek et al. 2016)."""

    name: ClassVar[str] = "unet"
    builder: ClassVar[str] = "kerasseg.models.unet:unet"

    decoder_filters: Filters | None = (256, 128, 64, 32, 16)
    """Channels of the decoder's stages, deepest first; null is as many as the skip of each stage has."""
    upsampling: Literal["repeat", "transpose"] = "repeat"
    """Whether pixels are repeated, or spread by a transposed convolution (the papers' up-convolution)."""


class Vox2vox(Architecture):
    """Vox2Vox's generator: a U-Net with residual blocks at its bottom (Cirillo et al. 2020)."""

    name: ClassVar[str] = "vox2vox"
    builder: ClassVar[str] = "kerasseg.models.vox2vox:vox2vox"

    activation: Activation = "sigmoid"
    """Activation of the head: with sigmoid classes may overlap, with softmax each pixel has one class."""
    base_filters: Positive = 64
    """Channels of the first level; each level doubles them."""
    levels: Levels = 4
    """How often the image is halved."""
    residual_blocks: Count = 4
    """Number of residual blocks at the bottom."""
    residual: Residual = "concatenate"
    """How a residual block's input joins its output."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of values that each residual block drops in training."""
    initializer: Initializer = "he_normal"
    """Distribution that kernels are drawn from."""

    @property
    def stride(self) -> int:
        """What the sides of images are multiples of."""
        return 2**self.levels


class Resnet(Architecture):
    """CycleGAN's generator: residual blocks at a quarter of the size (Zhu et al. 2017)."""

    name: ClassVar[str] = "resnet"
    builder: ClassVar[str] = "kerasseg.models.resnet:resnet"
    activation: ClassVar[str] = "sigmoid"  # its hyperbolic tangent, brought to [0, 1], is one
    stride: ClassVar[int] = 4  # what the sides of images are multiples of

    base_filters: Positive = 64
    """Channels at full size; there are four times as many between the residual blocks."""
    residual_blocks: Count = 9
    """Number of residual blocks: the paper has 6 for sides of 128 pixels, 9 for those of 256 and more."""
    residual: Residual = "add"
    """How a residual block's input joins its output; the Golgi thesis concatenates."""
    outer_kernel: Literal[3, 5, 7] = 7
    """Pixels along each axis of the first and the last convolution, both at full size."""
    initializer: Initializer = "normal"
    """Distribution that kernels are drawn from; normal has a standard deviation of 0.02."""


class TunableUnet(Architecture):
    """U-Net of any depth, width and growth, as pyMSDtorch's (Roberts et al. 2024)."""

    name: ClassVar[str] = "tunable_unet"
    builder: ClassVar[str] = "kerasseg.models.tunable_unet:tunable_unet"

    activation: Activation = "sigmoid"
    """Activation of the head: with sigmoid classes may overlap, with softmax each pixel has one class."""
    levels: Levels = 4
    """Number of levels, the image's own size included; each level below halves it."""
    base_filters: Positive = 32
    """Channels of the first level."""
    growth_rate: Annotated[float, Field(gt=0)] = 2.0
    """Factor by which each level has more channels than the one above; fractions are cut off."""
    normalisation: Literal["none", "batch"] = "none"
    """Normalisation after all convolutions but the head."""
    batchnorm_momentum: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of batch normalisation's statistics that a step keeps; lower it for short trainings."""
    initializer: Initializer = "he_uniform"
    """Distribution that kernels are drawn from."""

    @property
    def stride(self) -> int:
        """What the sides of images are multiples of."""
        return 2 ** (self.levels - 1)


class Msdnet(Architecture):
    """Mixed-scale dense network: few weights, dilations instead of levels (Pelt and Sethian 2018)."""

    name: ClassVar[str] = "msdnet"
    builder: ClassVar[str] = "kerasseg.models.msdnet:msdnet"
    stride: ClassVar[int] = 1  # what the sides of images are multiples of

    activation: Activation = "sigmoid"
    """Activation of the head: with sigmoid classes may overlap, with softmax each pixel has one class."""
    layers: Positive = 100
    """Number of layers; each sees the image and the maps of all layers before."""
    max_dilation: Positive = 10
    """Dilations are 1, 2, ... up to it and from 1 again, map after map."""
    width: Positive = 1
    """Maps that each layer adds."""
    dilations: Dilations | None = None
    """Dilations of the maps, one after the other and from the first again; null goes by `max_dilation`."""
    padding: Literal["reflect", "symmetric", "zeros"] = "reflect"
    """What a layer sees beyond the border: the image mirrored without or with its last pixel, or zeros."""
    fast: bool = True
    """Whether to compute all layers by one fast layer of kerasseg's; without it the model loads anywhere."""

    @field_validator("dilations")
    @classmethod
    def _no_more_than_maps(cls, dilations: Dilations | None, info: ValidationInfo) -> Dilations | None:
        maps = info.data.get("layers", 0) * info.data.get("width", 0)  # none where they are wrong
        if dilations and maps and len(dilations) > maps:
            text = f"{len(dilations)} dilations for {maps} maps, layers times width; leave out those behind"
            raise PydanticCustomError("component", "{text}", {"text": text})
        return dilations


class PspuSkelnet(Architecture):
    """PSPU-SkelNet: three U-Nets side by side, for skeletons (Atienza 2019)."""

    name: ClassVar[str] = "pspu_skelnet"
    builder: ClassVar[str] = "kerasseg.models.pspu_skelnet:pspu_skelnet"
    stride: ClassVar[int] = 64  # what the sides of images are multiples of

    activation: Activation = "sigmoid"
    """Activation of the head: with sigmoid classes may overlap, with softmax each pixel has one class."""
    base_filters: Positive = 32
    """Channels of the first level of each U-Net; each level doubles them, up to 64 times."""
    initializer: Initializer = "glorot_uniform"
    """Distribution that kernels are drawn from."""


class Classifier(Encoded):
    """Classifier of whole images: an encoder, the mean of its features, and one dense layer."""

    name: ClassVar[str] = "classifier"
    builder: ClassVar[str] = "kerasseg.models.classifier:classifier"

    activation: Activation = "softmax"
    """Activation of the head: with sigmoid classes may overlap, with softmax each image has one class."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the mean's channels that training drops."""


AnyModel = one_of("model", Linknet, Unet, Vox2vox, Resnet, TunableUnet, Msdnet, PspuSkelnet, Classifier)


class Patchgan(Component):
    """PatchGAN: scores for all patches of an image, or of an image and its mask (Isola et al. 2017)."""

    name: ClassVar[str] = "patchgan"
    builder: ClassVar[str] = "kerasseg.models.patchgan:patchgan"

    base_filters: Positive = 64
    """Channels of the first level; each level doubles them, up to eight times."""
    levels: Levels = 3
    """How often the image is halved: a score sees 16, 34, 70 or 142 pixels far at 1, 2, 3 or 4."""
    normalisation: Literal["instance", "batch"] = "instance"
    """Normalisation after all convolutions but the first and the last."""
    initializer: Initializer = "normal"
    """Distribution that kernels are drawn from; normal has a standard deviation of 0.02."""


AnyDiscriminator = one_of("discriminator", Patchgan)
