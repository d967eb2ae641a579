"""Table 3 of the paper that the recipe follows, beside our own figures.

Abbas and Abdulmunim, Iraqi Journal of Science 64(4), 2023, DOI 10.24996/ijs.2023.64.4.37.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

CITATION = "Abbas and Abdulmunim, Iraqi Journal of Science 64(4), 2023, DOI 10.24996/ijs.2023.64.4.37"
BYTES_PER_PARAMETER = 12  # a float32 weight and Adam's two slots: what the paper's memory comes to


class Published(NamedTuple):
    """A row of the paper's Table 3, in its own units."""

    model: str
    parameters: float  # millions
    flops: float  # millions, as printed
    latency: float  # ms
    memory: float  # MB
    iou: float  # %
    dice: float  # %

    @property
    def highest_dice(self) -> float:
        """The Dice that pooled pixels of this IoU have, and that no mean over images exceeds, in %.

        ``2 x / (1 + x)`` is concave, so the mean of it is at most what it makes of the mean.
        """
        return 100 * 2 * self.iou / (100 + self.iou)


TABLE = (
    Published("U-Net without gates", 32.0, 64.08, 205, 370.8, 88.2, 97.2),
    Published("U-Net with gates", 10.15, 24.3, 57, 127.3, 89.24, 95.02),
    Published("LinkNet with gates", 6.09, 13.7, 38, 77.6, 95.47, 98.34),
)


def applies(recipe: Mapping) -> bool:
    """Whether a recipe builds one of the paper's networks: U-Net or LinkNet on EfficientNet-B0."""
    model = recipe.get("model")
    name, arguments = next(iter(model.items())) if isinstance(model, Mapping) and model else (model, None)
    encoder = (arguments or {}).get("encoder", "efficientnetb0")
    return name in ("linknet", "unet") and encoder == "efficientnetb0"


def comparable_memory(parameters: int) -> float:
    """Memory by the paper's apparent rule, in MB: 12 bytes a parameter."""
    return BYTES_PER_PARAMETER * parameters / 1e6
