"""How a slide is labelled tile by tile: the section `label`, which `kerasseg label` and `run` follow."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from kerasseg.recipe.models import EfficientNet, Weights
from kerasseg.recipe.section import Component, Count, Positive, Rate, Section, Share, one_of, or_auto
from kerasseg.recipe.sources import Folder

Region = Annotated[tuple[Count, Count, Positive, Positive], Field(strict=False)]


class Autoencoder(Component):
    """Features of a small convolutional autoencoder that learns to reproduce the tiles of this slide."""

    name: ClassVar[str] = "autoencoder"

    epochs: Positive = 20
    """Passes over the tiles that it learns from."""
    batch_size: Positive = 32
    """Tiles in each training step."""
    tiles: Positive = 1500
    """Most tiles that it learns from, drawn from all."""


class Efficientnet(Component):
    """The deepest features of a network that was trained on ImageNet, averaged over the tile."""

    name: ClassVar[str] = "efficientnet"

    encoder: EfficientNet = "efficientnetb0"
    """Which EfficientNet."""
    encoder_weights: Weights = "imagenet"
    """Its weights, by name or from an .h5 file; null draws them at random."""
    encoder_weights_fallback: Literal["error", "random"] = "error"
    """What to do where the weights are neither installed nor can be downloaded."""


class Intensity(Component):
    """How bright and how uneven a tile is, by its histogram; it needs no network and no training."""

    name: ClassVar[str] = "intensity"


class Select(Section):
    """Which tiles are worth a person's time."""

    policy: Literal["random", "proportional", "balanced", "inverse", "farthest_point"] = "balanced"
    """How the budget is shared out over clusters; `farthest_point` takes the tiles that are least alike."""
    budget: Positive = 80
    """Tiles to learn from that are selected in each round."""
    test: Count = 0
    """Tiles of `test_region` to test models on, drawn at random in the first round."""


class ByModel(Component):
    """The model that was trained last proposes shapes."""

    name: ClassVar[str] = "model"


class SegmentAnything(Component):
    """Segment Anything proposes shapes; these are the parameters of its automatic mask generator."""

    name: ClassVar[str] = "segment_anything"

    preset: str = "sam_base_sa1b"
    """KerasHub's name of its weights, which are downloaded, or a folder that holds them."""
    smallest: Count = 0
    """Fewest pixels that an object has."""
    largest: Share = 1.0
    """Largest share of the tile that an object covers; what covers nearly all of it is background."""
    points_per_side: Positive = 32
    """Points along each side of the grid at which the network is asked for objects."""
    points_per_batch: Positive = 64
    """Points at which the network is asked at once."""
    pred_iou_thresh: Share = 0.88
    """Masks are kept of which the network predicts a larger IoU with the truth."""
    stability_score_thresh: Share = 0.95
    """Masks are kept whose IoU between a lower and a higher threshold, their stability, is at least this."""
    stability_score_offset: Rate = 1.0
    """How far these two thresholds are from the usual one, in logits."""
    box_nms_thresh: Share = 0.7
    """IoU of their boxes above which two masks are taken for one object."""
    crop_n_layers: Count = 0
    """Layers of crops, of 2 x 2, 4 x 4, ..., that the network sees in addition to the whole tile."""
    crop_nms_thresh: Share = 0.7
    """As `box_nms_thresh`, for masks of different crops; the one of the smaller crop is kept."""
    crop_overlap_ratio: Share = 512 / 1500
    """Share of the tile's side by which crops overlap."""
    crop_n_points_downscale_factor: Positive = 1
    """How many times fewer points along its side a crop has than one of the layer before."""
    min_mask_region_area: Count = 0
    """Holes and islands of fewer pixels are filled and removed; 0 leaves them."""


AnyEmbedding = one_of("embedding", Autoencoder, Efficientnet, Intensity)
AnyProposer = one_of("proposer", ByModel, SegmentAnything)


class Label(Section):
    """From a slide to tiles worth labelling, in the folder that `data.source: {queue: ...}` names."""

    slide: Folder
    """The image to label, of any size."""
    axes: str | None = None
    """The axes of the stored image, such as YXC, where the file does not say."""
    tile: Positive = 128
    """Side of a tile, in pixels."""
    margin: Count = 4
    """Pixels on each side of a tile that its neighbours show too."""
    padding: Literal["zero", "reflect", "edge"] = "zero"
    """What tiles show beyond the slide: black, the slide mirrored, or its last pixels repeated."""
    region: Region | None = None
    """[y, x, height, width] that is cut into tiles; null is all of the slide."""
    test_region: Region | None = None
    """[y, x, height, width] whose tiles are for the test and never learnt from."""
    embed: AnyEmbedding = Autoencoder()
    """The embedding by which tiles are compared."""
    clusters: or_auto(Positive, "1 or more clusters") = 5
    """Groups of like tiles, by k-means; auto takes the number with the best silhouette."""
    select: Select = Select()
    """Which tiles are selected for labelling."""
    propose: AnyProposer | None = ByModel()
    """What proposes shapes on the selected tiles; null leaves them empty."""

    @property
    def window(self) -> dict[str, Any]:
        """The keyword arguments of `kerasseg.labelling.sliding_window.SlidingWindow`, but for the size."""
        return {name: getattr(self, name) for name in ("tile", "margin", "padding", "region", "test_region")}
