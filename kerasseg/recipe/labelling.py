"""How a slide is labelled tile by tile: the section `label`, which `kerasseg label` and `run` follow."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kerasseg.recipe.models import EfficientNet, Weights
from kerasseg.recipe.section import Component, Count, Positive, Rate, Section, Share, one_of, or_auto
from kerasseg.recipe.sources import Folder

Region = Annotated[tuple[Count, Count, Positive, Positive], Field(strict=False)]


class Autoencoder(Component):
    """Codes of a small convolutional autoencoder that learns to draw this slide's tiles again."""

    name: ClassVar[str] = "autoencoder"

    epochs: Positive = 20
    """Passes over the tiles that it learns from."""
    batch_size: Positive = 32
    """Tiles a step."""
    tiles: Positive = 1500
    """Most tiles that it learns from, drawn from all."""


class Efficientnet(Component):
    """The deepest features of a network that has seen ImageNet, averaged over the tile."""

    name: ClassVar[str] = "efficientnet"

    encoder: EfficientNet = "efficientnetb0"
    """Which of them."""
    encoder_weights: Weights | None = "imagenet"
    """What it has learnt; null is random weights."""
    encoder_weights_fallback: Literal["error", "random"] = "error"
    """What to do where the weights cannot be downloaded."""


class Intensity(Component):
    """How bright and how uneven a tile is, by its histogram: no network, at once."""

    name: ClassVar[str] = "intensity"


class Select(Section):
    """Which tiles are worth a person's time."""

    policy: Literal["random", "proportional", "balanced", "inverse", "different"] = "balanced"
    """How the budget is shared between clusters; different takes the tiles that are least like each other."""
    budget: Positive = 80
    """Tiles to learn from, each time."""
    test: Count = 0
    """Tiles of `test_region` to judge by, drawn at random, once."""


class ByModel(Component):
    """The model that was trained last proposes."""

    name: ClassVar[str] = "model"


class SegmentAnything(Component):
    """Segment Anything proposes: the parameters of its automatic mask generator."""

    name: ClassVar[str] = "segment_anything"

    preset: str = "sam_base_sa1b"
    """KerasHub's name of its weights, which are downloaded, or a folder that holds them."""
    smallest: Count = 0
    """Pixels that an object has at least."""
    largest: Share = 1.0
    """Share of the tile that an object covers at most."""
    points_per_side: Positive = 32
    """Points that are asked about, along each side."""
    points_per_batch: Positive = 64
    """Points that are asked about at once."""
    pred_iou_thresh: Share = 0.88
    """Least quality that the network gives a mask."""
    stability_score_thresh: Share = 0.95
    """Least IoU of a mask with itself at a lower and at a higher cut-off."""
    stability_score_offset: Rate = 1.0
    """How far these cut-offs are from the middle."""
    box_nms_thresh: Share = 0.7
    """IoU of boxes from which on two masks are one."""
    crop_n_layers: Count = 0
    """How often the tile is cut into smaller crops, which are looked at too."""
    crop_nms_thresh: Share = 0.7
    """The same IoU, between crops."""
    crop_overlap_ratio: Share = 512 / 1500
    """How much crops overlap, as a share of the tile."""
    crop_n_points_downscale_factor: Positive = 1
    """How much fewer points there are along the sides of each smaller crop."""
    min_mask_region_area: Count = 0
    """Holes and islands of fewer pixels are taken away."""


AnyEmbedding = one_of("embedding", Autoencoder, Efficientnet, Intensity)
AnyProposer = one_of("proposer", ByModel, SegmentAnything)


class Label(Section):
    """From a slide to tiles worth labelling, in the folder that `data.source: {queue: ...}` names."""

    slide: Folder
    """The image, of any size."""
    axes: str | None = None
    """What its stored axes are, where the file does not say."""
    tile: Positive = 128
    """Side of a tile, in pixels."""
    margin: Count = 4
    """Pixels on each side of a tile that its neighbours have too."""
    padding: Literal["zero", "reflect", "edge"] = "zero"
    """What tiles show beyond the slide."""
    region: Region | None = None
    """[y, x, height, width] that is cut into tiles; null is all of the slide."""
    test_region: Region | None = None
    """[y, x, height, width] whose tiles are for the test and never learnt from."""
    embed: AnyEmbedding = Autoencoder()
    """What tiles are compared by."""
    clusters: or_auto(Positive, "1 or more clusters") = 5
    """Groups of like tiles, by k-means; auto takes the number with the best silhouette."""
    select: Select = Select()
    """Which tiles are drawn."""
    propose: AnyProposer | None = ByModel()
    """What draws them first; null leaves them empty."""
