"""The BioImage Model Zoo's steps before and after a network, in the words of its format's version 0.5.

A step before the network may look at the whole image first, which is then seen in bands, as by every
`kerasseg.images.normalisation.Normalisation`; a step after it looks at each pixel by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.normalisation import Normalisation
from kerasseg.images.statistics import Bands, moments, percentiles

Change = Callable[[np.ndarray], np.ndarray]
"""From (..., C) float32 to the same, changed; channels may become others' copies."""


@dataclass(frozen=True)
class Step:
    """One of the format's steps, and its keyword arguments."""

    name: str
    arguments: Mapping[str, Any]

    def fitted(self, bands: Bands) -> Change:
        """Look at an image, (..., C) float32 in bands, where the step wants to, and give what it does."""
        try:
            if self.name in WHOLE:
                return WHOLE[self.name](_jointly(bands, self.arguments), **self._without("axes"))
            return PIXELS[self.name](**self._without("axis"))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"the step {self.name} cannot be done with {dict(self.arguments)} ({error})"
            ) from error

    def _without(self, key: str) -> dict[str, Any]:
        return {name: value for name, value in self.arguments.items() if name != key and value is not None}

    def check(self) -> None:
        """Refuse a step that is not known here, or that works along an axis other than that of channels.

        Raises
        ------
        UserError
        """
        if self.name not in (*PIXELS, *WHOLE):
            raise UserError(
                f"the step {self.name!r} is not known here; known are {', '.join(sorted((*PIXELS, *WHOLE)))}"
            )
        if self.arguments.get("reference_tensor") is not None:
            raise UserError(f"the step {self.name} looks at another tensor, which is not known here")
        if self.arguments.get("axis") not in (None, "channel"):
            raise UserError(f"the step {self.name} works along {self.arguments['axis']}; known is channel")


@dataclass(frozen=True)
class Steps(Normalisation):
    """The steps that a package of the zoo wants done before its network, on images of a type."""

    name: ClassVar[str] = "steps"

    steps: tuple[Step, ...]
    dtype: str

    def fitted(self, bands: Bands, dtype: np.dtype) -> Change:
        """Look at the image as often as there are steps that want to."""
        if not np.can_cast(dtype, self.dtype):
            raise UserError(
                f"the image is {dtype}, and the model was made for {self.dtype}; convert it, for its "
                "intensities would mean something else"
            )
        changes: list[Change] = []
        for step in self.steps:
            changes.append(step.fitted(_seen(bands, tuple(changes))))
        return lambda image: changed(image, changes)


def changed(image: np.ndarray, changes: Iterable[Change]) -> np.ndarray:
    """Do one step after the other: (..., C) of any type to (..., C) float32."""
    image = image.astype(np.float32)
    for change in changes:
        image = change(image).astype(np.float32, copy=False)
    return image


def _seen(bands: Bands, changes: Sequence[Change]) -> Bands:
    return lambda: (changed(band, changes) for band in bands())


def _jointly(bands: Bands, arguments: Mapping[str, Any]) -> Bands:
    """See all channels as one where a step takes them together; the axes in space always are."""
    axes = arguments.get("axes")
    if axes is not None and not set(axes) >= {"y", "x"}:
        raise UserError(
            f"a step looks at the axes {list(axes)} together; known are all in space, with channels or not"
        )
    if axes is not None and "channel" not in axes:
        return bands
    return lambda: (band.reshape(-1, 1) for band in bands())


def _scale_range(
    bands: Bands, min_percentile: float = 0.0, max_percentile: float = 100.0, eps: float = 1e-6
) -> Change:
    low, high = percentiles(bands, np.dtype(np.float32), (min_percentile, max_percentile))
    return lambda image: (image - low) / (high - low + eps)


def _zero_mean_unit_variance(bands: Bands, eps: float = 1e-6) -> Change:
    mean, deviation = moments(bands)
    return lambda image: (image - mean) / (deviation + eps)


def _fixed_zero_mean_unit_variance(mean: Any, std: Any) -> Change:
    mean, std = np.asarray(mean), np.asarray(std)
    return lambda image: (image - mean) / std


def _scale_linear(gain: Any = 1.0, offset: Any = 0.0) -> Change:
    gain, offset = np.asarray(gain), np.asarray(offset)
    return lambda image: image * gain + offset


def _clip(min: float | None = None, max: float | None = None) -> Change:
    return lambda image: np.clip(image, min, max)


def _binarize(threshold: Any) -> Change:
    threshold = np.asarray(threshold)
    return lambda image: image > threshold


def _ensure_dtype(dtype: str) -> Change:
    kind = np.dtype(dtype)
    return lambda image: image.astype(kind)


def _sigmoid() -> Change:
    return lambda image: 1 / (1 + np.exp(-image))


def _softmax() -> Change:
    def softmax(image: np.ndarray) -> np.ndarray:
        powers = np.exp(image - image.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    return softmax


WHOLE = {"scale_range": _scale_range, "zero_mean_unit_variance": _zero_mean_unit_variance}
PIXELS = {
    "fixed_zero_mean_unit_variance": _fixed_zero_mean_unit_variance,
    "scale_linear": _scale_linear,
    "clip": _clip,
    "binarize": _binarize,
    "ensure_dtype": _ensure_dtype,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
}
