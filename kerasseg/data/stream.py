"""Samples to batches: endless for training, once over every pixel for validation.

Both have ``batch(i)``, ``names(i)`` and a length, and any batch can be asked for at any time: training that
goes on after an interruption asks for the batches that it would have seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from functools import lru_cache, partial
from typing import Any

import numpy as np

from kerasseg.data.augment import augmentation, check_fit
from kerasseg.data.patches import Foreground, Place, cut, grid, random_origin
from kerasseg.data.prepared import BUDGET, Prepared
from kerasseg.data.sample import Sample
from kerasseg.data.targets import one_hot
from kerasseg.errors import UserError
from kerasseg.images.normalisation import Dtype, Normalisation

WHITE = 255  # of uint8
MULTIPLE_OF = 32  # pixels: the stride of the deepest encoder
PERMUTED, CHANGED = 0, 1  # what a seed is spent on

Batch = tuple[np.ndarray, np.ndarray]


class Batches:
    """What both streams share: prepared samples, the size of a batch's images, targets.

    Parameters
    ----------
    samples : sequence of Sample
        At least one.
    classes : list of str
        Names of the classes 1, 2, ...
    channels : int or None
        Channels of a batch's images; None as stored.
    normalise : Normalisation
        How intensities come into [0, 1].
    resize : tuple of int or None
        Height and width that 2-D images are brought to.
    patch : mapping or None
        ``size``, one number or one for each side, and ``foreground``, a share; cut after resizing.
    batch_size : int
        Images in a batch.
    activation : {"sigmoid", "softmax"}
        With softmax the targets have the background as their first channel.
    multiple_of : int or sequence of int
        What every side of a batch's images, or each of them, is a multiple of: the model's stride.
    budget : int
        Bytes of prepared samples to keep in memory.

    Attributes
    ----------
    shape : tuple of int
        Height and width of a batch's images, of volumes depth, height and width: those of patches or images,
        up to the next multiple of `multiple_of`.
    ids : range
        The class of each channel of the targets.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        classes: Sequence[str],
        channels: int | None = None,
        normalise: Normalisation = Dtype(),
        resize: tuple[int, int] | None = None,
        patch: Mapping[str, Any] | None = None,
        batch_size: int = 8,
        activation: str = "sigmoid",
        multiple_of: int | Sequence[int] = MULTIPLE_OF,
        budget: int = BUDGET,
    ) -> None:
        if not samples:
            raise UserError("there are no samples to make batches of")
        self.samples, self.batch_size, self.channels = list(samples), batch_size, channels
        self.images = Prepared(
            self.samples, channels=channels, normalise=normalise, resize=resize, budget=budget
        )
        self.patch = patch
        self.shape = _shape(self.images.sizes(), patch, multiple_of)
        self.ids = range(activation != "softmax", len(classes) + 1)

    def _batch(self, pairs: Sequence[Batch]) -> Batch:
        images = np.empty((len(pairs), *pairs[0][0].shape), np.float32)
        for slot, (image, _) in zip(images, pairs, strict=True):
            np.divide(image, WHITE if image.dtype == np.uint8 else 1, out=slot, dtype=np.float32)
        masks = np.stack([mask for _, mask in pairs])
        return images, masks if masks.ndim == images.ndim else one_hot(masks, self.ids)


class Stream(Batches):
    """Endless batches of augmented samples; batch i is a function of the seed and i alone.

    Samples come in an order drawn anew for each pass over them; a batch may hold the end of one pass and the
    beginning of the next, so all batches are full and all samples are seen equally often.

    Parameters
    ----------
    samples, classes, channels, normalise, resize, patch, batch_size, activation, multiple_of, budget
        As in :class:`Batches`.
    augment : sequence of mappings
        As in :func:`kerasseg.data.augment.augmentation`.
    seed : int
        Decides order, patches and augmentation.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        classes: Sequence[str],
        augment: Sequence[Mapping[str, Mapping[str, Any]]] = (),
        seed: int,
        **arguments: Any,
    ) -> None:
        super().__init__(samples, classes=classes, **arguments)
        self.augment, self.seed = augmentation(augment), seed
        check_fit(augment, self.shape, [sample.spacing for sample in self.samples])
        self._order = lru_cache(maxsize=4)(self._order)
        self._foregrounds: dict[int, Foreground] = {}

    def reseeded(self, seed: int) -> Stream:
        """Return a stream of the same samples in another order, which shares what is in memory."""
        other = copy(self)
        other.seed, other._order = seed, lru_cache(maxsize=4)(partial(Stream._order, other))
        return other

    def __len__(self) -> int:
        """Count the batches in which every sample is seen."""
        return math.ceil(len(self.samples) / self.batch_size)

    def names(self, index: int) -> list[str]:
        """Name the samples of a batch."""
        return [self.samples[sample].name for _, sample in self._drawn(index)]

    def batch(self, index: int) -> Batch:
        """Make a batch.

        Parameters
        ----------
        index : int
            From 0 without end.

        Returns
        -------
        images : numpy.ndarray, shape (B, Y, X, C) or (B, Z, Y, X, C), float32
            In [0, 1].
        targets : numpy.ndarray, shape (B, Y, X, K) or (B, Z, Y, X, K), uint8
            1 where a pixel is of the class, 255 where it is ignored.
        """
        return self._batch([self._example(*drawn) for drawn in self._drawn(index)])

    def _drawn(self, index: int) -> list[tuple[int, int]]:
        """List pass and sample of each place in a batch."""
        places = range(index * self.batch_size, (index + 1) * self.batch_size)
        passes = (divmod(place, len(self.samples)) for place in places)
        return [(number, int(self._order(number)[at])) for number, at in passes]

    def _order(self, number: int) -> np.ndarray:
        return np.random.default_rng([self.seed, PERMUTED, number]).permutation(len(self.samples))

    def _example(self, number: int, sample: int) -> Batch:
        rng = np.random.default_rng([self.seed, CHANGED, number, sample])
        image, mask = self.images[sample]
        origin = self._origin(sample, mask, rng) if self.patch else (0,) * len(self.shape)
        image, mask = cut(image, mask, origin, self.shape)
        return self.augment(image, mask, int(rng.integers(1 << 32)))

    def _origin(self, sample: int, mask: np.ndarray, rng: np.random.Generator) -> Place:
        """Choose where to cut a patch, around foreground as often as the recipe says."""
        rank, centre = len(self.shape), None
        if rng.random() < self.patch.get("foreground", 0.0):
            if sample not in self._foregrounds:
                self._foregrounds[sample] = Foreground(mask, rank)
            centre = self._foregrounds[sample].draw(mask, rng)
        return random_origin(mask.shape[:rank], self.shape, rng, centre)


class Fixed(Batches):
    """Batches that hold every pixel of every sample exactly once, unchanged, in the order of the samples.

    Images larger than a patch are cut into patches side by side; what sticks out is the image mirrored, and
    ignored in the targets. The last batch may be smaller. Parameters are those of :class:`Batches`.
    """

    def __init__(self, samples: Sequence[Sample], **arguments: Any) -> None:
        super().__init__(samples, **arguments)
        sizes = enumerate(self.images.sizes())
        self._windows = [(sample, origin) for sample, size in sizes for origin in grid(size, self.shape)]

    def __len__(self) -> int:
        """Count the batches."""
        return math.ceil(len(self._windows) / self.batch_size)

    def names(self, index: int) -> list[str]:
        """Name the samples of a batch."""
        return [self.samples[sample].name for sample, _ in self._drawn(index)]

    def batch(self, index: int) -> Batch:
        """Make a batch from 0 to ``len(self) - 1``; see :meth:`Stream.batch`."""
        return self._batch([cut(*self.images[at], origin, self.shape) for at, origin in self._drawn(index)])

    def _drawn(self, index: int) -> list[tuple[int, Place]]:
        return self._windows[index * self.batch_size : (index + 1) * self.batch_size]


def _shape(
    sizes: Sequence[Place], patch: Mapping[str, Any] | None, multiple_of: int | Sequence[int]
) -> Place:
    """Find the one size that all images of a batch have."""
    if patch is not None:
        sizes = [tuple(np.broadcast_to(patch["size"], len(sizes[0])).tolist())]
    different = sorted(set(sizes))
    if len(different) > 1:
        raise UserError(_several_sizes(different))
    multiples = np.broadcast_to(multiple_of, len(different[0])).tolist()
    return tuple(-(-side // of) * of for side, of in zip(different[0], multiples, strict=True))


def _several_sizes(different: Sequence[Place]) -> str:
    found = f"of {len(different)} sizes, from {different[0]} to {different[-1]}"
    if len(different[0]) == 3:
        return (
            f"the volumes are {found} (depth, height, width), and a batch holds one: set data.patch to "
            "{size: 64}, or to {size: [depth, height, width]}"
        )
    return (
        f"the images are {found} (height, width), and a batch holds one: set data.resize to [height, width], "
        "or data.patch to {size: 256}"
    )
