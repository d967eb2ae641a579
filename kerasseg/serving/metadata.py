"""What whoever asks a served model must know; an export carries it, so nobody needs the run directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

ADDED = {"exclusive": True}  # what exports from before there were volumes do not say


@dataclass(frozen=True)
class Metadata:
    """What a model takes, what it gives, and which model it is.

    Attributes
    ----------
    classes : tuple of str
        Names of the foreground classes.
    channels : int
        Channels that the model takes.
    normalise : {"dtype", "minmax", "percentile"}
        How intensities come into [0, 1].
    resize : tuple of int or None
        Height and width at which the model looks at an image; None is the image's own.
    activation : {"sigmoid", "softmax"}
        Of the model's head.
    threshold : float
        From which probability on a pixel belongs to a class.
    stride : tuple of int
        What the sizes of tiles are multiples of, so that none is padded: a number for each axis in space.
    exclusive : bool
        Whether a pixel is of one class at most; otherwise each class is decided by the threshold alone.
    weights : str
        SHA-256 of the weights: two models that answer differently have two.
    """

    classes: tuple[str, ...]
    channels: int
    normalise: str
    resize: tuple[int, int] | None
    activation: str
    threshold: float
    stride: tuple[int, ...]
    exclusive: bool = True
    weights: str = ""

    @property
    def outputs(self) -> int:
        """K, the probabilities of a pixel."""
        return len(self.classes) + (self.activation == "softmax")

    @property
    def rank(self) -> int:
        """Axes in space: 2 of images, 3 of volumes."""
        return len(self.stride)

    def to_json(self) -> str:
        """Write it as the signature `metadata` gives it."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Metadata:
        """Read it back; what a newer kerasseg may add is left out, what an older one left out is as it was.

        Raises
        ------
        ValueError
            If it is no JSON, or says too little.
        """
        told = json.loads(text)
        try:
            told = ADDED | told
            known = {name: told[name] for name in cls.__dataclass_fields__}
        except (TypeError, KeyError) as error:
            raise ValueError(f"{error} is missing") from error
        known["classes"] = tuple(known["classes"])
        known["resize"] = known["resize"] and tuple(known["resize"])
        images_only = isinstance(known["stride"], int)
        known["stride"] = (known["stride"],) * 2 if images_only else tuple(known["stride"])
        return cls(**known)
