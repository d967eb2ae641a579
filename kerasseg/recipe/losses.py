"""What is minimised: one section for every entry of `kerasseg.training.losses.LOSSES`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kerasseg.recipe.section import Component, Share, one_of

NotNegative = Annotated[float, Field(ge=0)]
Weights = Annotated[tuple[NotNegative, ...], Field(strict=False, min_length=1)]


class Loss(Component):
    """What every loss can be told."""

    class_weights: Weights | None = None
    """What each class counts, as in data.classes (with softmax, the background first); null is 1 for each."""


class Combo(Loss):
    """alpha * weighted cross-entropy + (1 - alpha) * Dice loss (Taghanaki et al. 2019)."""

    name: ClassVar[str] = "combo"
    builder: ClassVar[str] = "kerasseg.training.losses:combo"

    alpha: Share = 0.5
    """Weight of the cross-entropy; the Dice loss has the rest."""
    beta: Share = 0.5
    """Weight of the foreground in the cross-entropy; at 0.5 that term is half the plain cross-entropy."""
    smooth: NotNegative = 1.0
    """Added above and below the Dice ratio, so that an empty image has one."""


class Bce(Loss):
    """Plain cross-entropy of every class against the rest."""

    name: ClassVar[str] = "bce"
    builder: ClassVar[str] = "kerasseg.training.losses:bce"


class Dice(Loss):
    """One minus the soft Dice coefficient."""

    name: ClassVar[str] = "dice"
    builder: ClassVar[str] = "kerasseg.training.losses:dice"

    smooth: NotNegative = 1.0
    """Added above and below the ratio, so that an empty image has one."""


class Focal(Loss):
    """Cross-entropy in which pixels that are nearly right count less (Lin et al. 2017)."""

    name: ClassVar[str] = "focal"
    builder: ClassVar[str] = "kerasseg.training.losses:focal"

    gamma: NotNegative = 2.0
    """How much less they count; 0 is the weighted cross-entropy."""
    beta: Share = 0.25
    """Weight of the foreground (Lin's alpha)."""


class Tversky(Loss):
    """An overlap in which missing a pixel and adding one cost differently (Salehi et al. 2017)."""

    name: ClassVar[str] = "tversky"
    builder: ClassVar[str] = "kerasseg.training.losses:tversky"

    alpha: NotNegative = 0.3
    """Cost of a false positive."""
    beta: NotNegative = 0.7
    """Cost of a false negative."""
    smooth: NotNegative = 1.0
    """Added above and below the ratio, so that an empty image has one."""


AnyLoss = one_of("loss", Combo, Bce, Dice, Focal, Tversky)
