"""Samples to batches: endless for training, once over every pixel for validation.

All have ``batch(i)``, ``names(i)`` and a length, and any batch can be asked for at any time: training that
goes on after an interruption asks for the batches that it would have seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np

from kerasseg.console import track
from kerasseg.data.augment import augmentation, check_fit
from kerasseg.data.patches import Foreground, Place, Regions, cut_patch, grid, random_origin
from kerasseg.data.sample import Annotation, Sample
from kerasseg.errors import UserError, naming
from kerasseg.images.masks import IGNORE, one_hot
from kerasseg.images.preprocessing import Preprocessing, resize_mask
from kerasseg.postprocess.splitting import landscape

BUDGET = 2 << 30  # bytes
WHITE = 255  # of uint8
MULTIPLE_OF = 32  # pixels: the stride of the deepest encoder
PERMUTED, CHANGED = 0, 1  # what a seed is spent on

Pair = tuple[np.ndarray, np.ndarray]  # an image and its mask, or, of large samples, `Regions` of them


class SampleCache:
    """Preprocessed images and masks by their sample's index, kept in memory as far as a budget goes.

    Of large samples nothing is kept but what was found out by looking through them once: they are read
    by region.

    Parameters
    ----------
    samples : sequence of Sample
        What to read.
    preprocessing : Preprocessing
        What images go through; masks are resized with them.
    budget : int
        Bytes to keep; what does not fit is read each time.
    landscape : bool
        Whether the landscape of the objects is a channel of the mask too.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        preprocessing: Preprocessing,
        budget: int = BUDGET,
        *,
        landscape: bool = False,
    ) -> None:
        self.samples = samples
        self.preprocessing = preprocessing
        self.landscape = landscape
        self._kept: dict[int, Pair] = {}
        self._foregrounds: dict[int, Foreground] = {}
        self._left = budget
        self._looking = Lock()

    def sizes(self) -> list[tuple[int, ...]]:
        """Return the size of every preprocessed image, without reading any."""
        return [tuple(self.preprocessing.resize or sample.size) for sample in self.samples]

    def __getitem__(self, index: int) -> Pair:
        """Return an image as `Preprocessing.image` does, and its mask; neither is to be written to.

        Where the model sees further channels, or a landscape is learnt, the mask has a last axis: classes,
        then channels of 0 and 1, then the landscape, all of which so are cut and turned as it is, and
        brightened as little.
        """
        if index in self._kept:
            return self._kept[index]
        if self.is_large(index):
            return self._by_region(index)
        sample, resize = self.samples[index], self.preprocessing.resize
        with naming(str(sample.image)):
            image = self.preprocessing.image(sample.read())
        annotation = sample.annotate()
        channels = [annotation.mask, *(channel() for channel in sample.channels)]
        if self.landscape:
            channels.append(_landscape(annotation, sample))
        mask = np.stack(channels, axis=-1) if len(channels) > 1 else annotation.mask
        pair = image, mask if resize is None else resize_mask(mask, resize)
        needed = sum(array.nbytes for array in pair)
        if needed <= self._left:
            self._kept[index] = pair
            self._left -= needed
        return pair

    def is_large(self, index: int) -> bool:
        """Tell whether a sample is read by region; what is resized, or of whole objects, is read whole."""
        by_region = self.preprocessing.resize is None and not self.landscape
        return by_region and self.samples[index].is_large

    def foreground(self, index: int, mask: np.ndarray | Regions) -> Foreground:
        """Find where a sample's mask has foreground, looking through it the first time."""
        if index not in self._foregrounds:
            sample, rank, bands = self.samples[index], len(self.samples[index].size), None
            with self._looking:
                if self.is_large(index):
                    bands = track(sample.parts(), f"{sample.name}: looking for what is annotated")
                if index not in self._foregrounds:
                    self._foregrounds[index] = Foreground(mask, rank, bands)
        return self._foregrounds[index]

    def _by_region(self, index: int) -> Pair:
        """Look through a large image, and give what reads regions of it and of its mask."""
        sample = self.samples[index]
        with self._looking:
            if index not in self._kept:
                change = self.preprocessing.fitted(sample.opened())
                readers = lambda part: change(sample.read(part)), lambda part: sample.annotated(part).mask
                corner = (slice(0, 1),) * len(sample.size)  # tells how many channels, and classes, there are
                image, mask = (
                    Regions(read, (*sample.size, *read(corner).shape[len(corner) :])) for read in readers
                )
                self._kept[index] = image, mask
        return self._kept[index]


class Batches:
    """What batches for training and for validation share.

    Parameters
    ----------
    samples : sequence of Sample
        At least one.
    class_ids : range
        The class of each channel of the targets: of a softmax they begin with 0, the background.
    preprocessing : Preprocessing
        What images go through.
    patch : mapping or None
        ``size``, one number or one for each side, and ``foreground``, a share; cut after resizing.
    batch_size : int
        Images in a batch.
    multiple_of : int or sequence of int
        What every side of a batch's images, or each of them, is a multiple of: the model's stride.
    budget : int
        Bytes of preprocessed samples to keep in memory.
    landscape : bool
        Whether the targets' last channel is the landscape of the objects, for samples that tell them apart:
        see `kerasseg.postprocess.splitting.landscape`.

    Attributes
    ----------
    shape : tuple of int
        Height and width of a batch's images, of volumes depth, height and width: those of patches or images,
        up to the next multiple of `multiple_of`.
    channels : int or None
        Channels of a batch's images, those beside them included; None as stored.
    outputs : int
        Channels of its targets.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        class_ids: range,
        preprocessing: Preprocessing,
        patch: Mapping[str, Any] | None,
        batch_size: int,
        multiple_of: int | Sequence[int],
        budget: int = BUDGET,
        landscape: bool = False,
    ) -> None:
        if not samples:
            raise UserError("there are no samples to make batches of")
        self.samples = list(samples)
        self.pairs = SampleCache(self.samples, preprocessing, budget, landscape=landscape)
        self.patch = patch
        self.batch_size = batch_size
        self._beside = len(self.samples[0].channels)
        self.channels = preprocessing.channels and preprocessing.channels + self._beside
        self.shape = _shape(self.pairs.sizes(), patch, multiple_of)
        self.class_ids = class_ids
        self.outputs = len(class_ids) + landscape

    def look_through(self) -> None:
        """Look through large samples now, rather than when the first batch is waited for."""
        for index in range(len(self.samples)):
            if self.pairs.is_large(index):
                _, mask = self.pairs[index]
                if self.patch and self.patch.get("foreground"):
                    self.pairs.foreground(index, mask)

    def names(self, index: int) -> list[str]:
        """Name the samples of a batch."""
        return [self.samples[sample].name for sample, _ in self._entries(index)]

    def batch(self, index: int) -> Pair:
        """Make a batch.

        Parameters
        ----------
        index : int
            From 0: of training batches without end, of others to ``len(self) - 1``.

        Returns
        -------
        images : numpy.ndarray, shape (B, Y, X, C) or (B, Z, Y, X, C), float32
            In [0, 1].
        targets : numpy.ndarray, shape (B, Y, X, K) or (B, Z, Y, X, K), uint8
            1 where a pixel is of the class, 255 where it is ignored; a landscape is of 0 to 254.
        """
        pairs = [self._example(*entry) for entry in self._entries(index)]
        *shape, channels = pairs[0][0].shape
        images = np.empty((len(pairs), *shape, channels + self._beside), np.float32)
        for slot, (image, mask) in zip(images, pairs, strict=True):
            pixels = slot[..., :channels]
            np.divide(image, WHITE if image.dtype == np.uint8 else 1, out=pixels, dtype=np.float32)
            if self._beside:
                slot[..., channels:] = mask[..., 1 : 1 + self._beside] == 1
        masks = np.stack([self._classes(mask) for _, mask in pairs])
        targets = masks if masks.ndim == images.ndim else one_hot(masks, self.class_ids)
        if not self.pairs.landscape:
            return images, targets
        landscapes = np.stack([mask[..., -1:] for _, mask in pairs])
        return images, np.concatenate([targets, landscapes], axis=-1)

    def _classes(self, mask: np.ndarray) -> np.ndarray:
        """Leave out the channels that are seen, and the landscape: see `SampleCache`."""
        return mask[..., 0] if self._beside or self.pairs.landscape else mask

    def _entries(self, index: int) -> list[tuple[int, Any]]:
        """List what a batch holds: the sample's index, and what else its `_example` depends on."""
        raise NotImplementedError

    def _example(self, sample: int, which: Any) -> Pair:
        """Make one image of a batch, and its mask."""
        raise NotImplementedError


class TrainingBatches(Batches):
    """Endless batches of augmented samples; batch i is a function of the seed and i alone.

    Samples come in an order drawn anew for each pass over them; a batch may hold the end of one pass and the
    beginning of the next, so all batches are full and all samples are seen equally often.

    Parameters
    ----------
    samples, **arguments
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
        augment: Sequence[Mapping[str, Mapping[str, Any]]],
        seed: int,
        **arguments: Any,
    ) -> None:
        super().__init__(samples, **arguments)
        self.augment = augmentation(augment)
        self.seed = seed
        self.worker, self.workers = 0, 1
        check_fit(augment, self.shape, [sample.spacing for sample in self.samples])

    def with_seed(self, seed: int) -> TrainingBatches:
        """Return batches of the same samples in another order, which share what is in memory."""
        other = copy(self)
        other.seed = seed
        return other

    def share(self, worker: int, workers: int) -> TrainingBatches:
        """Return one worker's part of every batch: put one after the other, the parts are the batch.

        Raises
        ------
        UserError
            If a batch does not divide into equal parts.
        """
        if self.batch_size % workers:
            raise UserError(
                f"train.batch_size is {self.batch_size}, which {workers} workers cannot share: set it to a "
                f"multiple of {workers}"
            )
        other = copy(self)
        other.worker, other.workers, other.batch_size = worker, workers, self.batch_size // workers
        return other

    def __len__(self) -> int:
        """Count the batches in which every sample is seen."""
        return math.ceil(len(self.samples) / (self.batch_size * self.workers))

    def _entries(self, index: int) -> list[tuple[int, int]]:
        """List sample and pass of each place in a batch."""
        first = (index * self.workers + self.worker) * self.batch_size
        places = range(first, first + self.batch_size)
        entries = []
        for place in places:
            epoch, position = divmod(place, len(self.samples))
            entries.append((int(order(self.seed, epoch, len(self.samples))[position]), epoch))
        return entries

    def _example(self, sample: int, epoch: int) -> Pair:
        rng = np.random.default_rng([self.seed, CHANGED, epoch, sample])
        image, mask = self.pairs[sample]
        origin = self._origin(sample, self._classes(mask), rng) if self.patch else (0,) * len(self.shape)
        image, mask = cut_patch(image, mask, origin, self.shape)
        return self.augment(image, mask, int(rng.integers(1 << 32)))

    def _origin(self, sample: int, mask: np.ndarray, rng: np.random.Generator) -> Place:
        """Choose where to cut a patch, around foreground as often as the recipe says."""
        rank, centre = len(self.shape), None
        if rng.random() < self.patch.get("foreground", 0.0):
            centre = self.pairs.foreground(sample, mask).draw(mask, rng)
        return random_origin(mask.shape[:rank], self.shape, rng, centre)


@lru_cache(maxsize=8)
def order(seed: int, epoch: int, count: int) -> np.ndarray:
    """Draw the order in which so many samples come in one pass over them."""
    return np.random.default_rng([seed, PERMUTED, epoch]).permutation(count)


class ValidationBatches(Batches):
    """Batches that hold every pixel of every sample exactly once, unchanged, in the order of the samples.

    Images larger than a patch are cut into patches side by side; what sticks out is the image mirrored, and
    ignored in the targets. The last batch may be smaller. Parameters are those of :class:`Batches`.
    """

    def __init__(self, samples: Sequence[Sample], **arguments: Any) -> None:
        super().__init__(samples, **arguments)
        sizes = enumerate(self.pairs.sizes())
        self._windows = [(sample, origin) for sample, size in sizes for origin in grid(size, self.shape)]

    def __len__(self) -> int:
        """Count the batches."""
        return math.ceil(len(self._windows) / self.batch_size)

    def _entries(self, index: int) -> list[tuple[int, Place]]:
        return self._windows[index * self.batch_size : (index + 1) * self.batch_size]

    def _example(self, sample: int, origin: Place) -> Pair:
        return cut_patch(*self.pairs[sample], origin, self.shape)


class UnpairedBatches:
    """Endless batches of images and of masks that are not theirs; batch i is a function of the seeds and i.

    A network that learns to translate between images and masks sees no true pair.

    Parameters
    ----------
    images : TrainingBatches
        Gives the images; its targets are left out.
    masks : TrainingBatches
        Gives the targets; its images are left out. Where both are of the same samples, another seed.

    Attributes
    ----------
    batch_size, shape, channels, class_ids, outputs
        As of the two, which agree in them.

    Raises
    ------
    UserError
        If images and masks are not of one shape.
    """

    def __init__(self, images: TrainingBatches, masks: TrainingBatches) -> None:
        if images.shape != masks.shape:
            raise UserError(
                f"data.unpaired: its masks are {masks.shape} and the images {images.shape}, which a batch "
                "does not hold together; set data.patch to a size for both"
            )
        self.images = images
        self.masks = masks
        self.batch_size = images.batch_size
        self.shape = images.shape
        self.channels = images.channels
        self.class_ids, self.outputs = masks.class_ids, masks.outputs

    def share(self, worker: int, workers: int) -> UnpairedBatches:
        """Return one worker's part of every batch, as :meth:`TrainingBatches.share`."""
        return UnpairedBatches(self.images.share(worker, workers), self.masks.share(worker, workers))

    def __len__(self) -> int:
        """Count the batches in which every image is seen."""
        return len(self.images)

    def look_through(self) -> None:
        """Look through large images and large masks: see `Batches.look_through`."""
        self.images.look_through()
        self.masks.look_through()

    def names(self, index: int) -> list[str]:
        """Name the samples of a batch: whose images, and whose masks."""
        return [*self.images.names(index), *self.masks.names(index)]

    def batch(self, index: int) -> Pair:
        """Make a batch, from 0 without end: images and targets as of :meth:`Batches.batch`."""
        return self.images.batch(index)[0], self.masks.batch(index)[1]


def _landscape(annotation: Annotation, sample: Sample) -> np.ndarray:
    """Draw the landscape of a sample's objects, (...) uint8: 255 where the mask is to be ignored."""
    if annotation.labels is None:
        raise UserError(f"{sample.image}: its objects are not told apart, so there is no landscape to learn")
    drawn = landscape(annotation.labels, sample.spacing)
    drawn[annotation.mask == IGNORE] = IGNORE
    return drawn


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
