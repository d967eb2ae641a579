"""What key points are worth: beside images' codecs at the same bytes and at the same likeness.

All images here are planes (Y, X) uint8, black and white being what `shown` makes of the original.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import imagecodecs
import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import skeletonize

from kerasseg.compact.keypoints import KeyPoints
from kerasseg.metrics import similarity

WHITE = 255
PERCENTILES = (0.1, 99.9)  # of the original, that become black and white
NEAR = 1.5  # pixels, within which two skeletons are one
LEAST_OBJECT = 20  # pixels of an object whose intensities are summed up


def shown(image: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Bring a plane to 8 bits, between the darkest and the brightest of the original but for 0.1 % each.

    Parameters
    ----------
    image, original : np.ndarray
        (Y, X) uint8 or uint16.

    Returns
    -------
    np.ndarray
        (Y, X) uint8.
    """
    low, high = np.percentile(original, PERCENTILES)
    scaled = (image.astype(np.float64) - low) / max(high - low, 1)
    return np.rint(WHITE * scaled.clip(0, 1)).astype(np.uint8)


@dataclass(frozen=True)
class Codec:
    """An image codec with loss.

    Attributes
    ----------
    name : str
    encode : callable
        From a plane and one of `qualities` to bytes.
    decode : callable
        From bytes to a plane.
    qualities : tuple of float
        Worst first.
    """

    name: str
    encode: Callable[[np.ndarray, float], bytes]
    decode: Callable[[bytes], np.ndarray]
    qualities: tuple[float, ...]


def _three(plane: np.ndarray) -> np.ndarray:
    """Make grey a colour: AVIF of a plane is lossless whatever its level, and WebP has no grey."""
    return np.repeat(plane[..., None], 3, axis=-1)


def _first(decode: Callable[[bytes], np.ndarray], content: bytes) -> np.ndarray:
    return decode(content)[..., 0]


CODECS = (
    Codec(
        "JPEG XL",
        lambda plane, distance: imagecodecs.jpegxl_encode(plane, distance=distance),
        imagecodecs.jpegxl_decode,
        tuple(np.geomspace(25, 0.1, 64).round(3).tolist()),
    ),
    Codec(
        "JPEG 2000",
        lambda plane, psnr: imagecodecs.jpeg2k_encode(plane, level=psnr, codecformat="j2k"),
        imagecodecs.jpeg2k_decode,
        tuple(np.arange(10, 56, 0.5).tolist()),
    ),
    Codec(
        "AVIF",
        lambda plane, level: imagecodecs.avif_encode(_three(plane), level=int(level), speed=6),
        partial(_first, imagecodecs.avif_decode),
        tuple(range(1, 100)),
    ),
    Codec(
        "WebP",
        lambda plane, level: imagecodecs.webp_encode(_three(plane), level=level, lossless=False, method=6),
        partial(_first, imagecodecs.webp_decode),
        tuple(range(101)),
    ),
)
LOSSLESS = {
    "PNG": partial(imagecodecs.png_encode, level=9),
    "JPEG XL, lossless": partial(imagecodecs.jpegxl_encode, lossless=True),
}


@dataclass(frozen=True)
class Contender:
    """One way to keep a plane.

    Attributes
    ----------
    name : str
    group : {"points", "lossless", "same bytes", "same SSIM", "trivial"}
    bytes : int
        What it takes on the disk.
    image : np.ndarray
        (Y, X) uint8, what is left of the plane.
    """

    name: str
    group: str
    bytes: int
    image: np.ndarray


def likeness(image: np.ndarray, other: np.ndarray) -> float:
    """Give the SSIM by which codecs are compared: in windows of 11 pixels, or global where none fits."""
    measure = similarity.ssim_global if min(image.shape) < similarity.WINDOW else similarity.ssim_11
    return measure(image, other, WHITE)


def contenders(stored: np.ndarray, rebuilt: np.ndarray, size: int) -> Iterator[Contender]:
    """Keep a plane in all ways that are compared, the key points first.

    Parameters
    ----------
    stored, rebuilt : np.ndarray
        (Y, X) uint8 or uint16: what was to be kept, and what key points made of it.
    size : int
        Bytes of their file.

    Yields
    ------
    Contender
        Of each codec with loss, which gets 8 bits, the best that takes at most 3 % more bytes than the
        points, and the smallest that is as much like the original; none where it reaches neither. Codecs
        without loss get what is stored.
    """
    original = shown(stored, stored)
    rebuilt = shown(rebuilt, stored)
    yield Contender("key points", "points", size, rebuilt)
    yield Contender("black", "trivial", 0, np.zeros_like(original))
    yield _bitmap(original)
    for name, encode in LOSSLESS.items():
        yield Contender(name, "lossless", len(encode(stored)), original)
    wanted = likeness(original, rebuilt)
    for codec in CODECS:
        kept = cache(partial(_kept, codec, original))
        smaller = _last(codec.qualities, lambda quality, kept=kept: kept(quality)[0] <= 1.03 * size)
        if smaller >= 0:
            yield Contender(codec.name, "same bytes", *kept(codec.qualities[smaller]))
        worse = _last(
            codec.qualities, lambda quality, kept=kept: likeness(original, kept(quality)[1]) < wanted
        )
        if worse + 1 < len(codec.qualities):
            yield Contender(codec.name, "same SSIM", *kept(codec.qualities[worse + 1]))


def _kept(codec: Codec, original: np.ndarray, quality: float) -> tuple[int, np.ndarray]:
    encoded = codec.encode(original, quality)
    return len(encoded), codec.decode(encoded)


def _last(qualities: tuple[float, ...], holds: Callable[[float], bool]) -> int:
    """Bisect for the last quality of which something holds that holds of all worse ones; -1 for none."""
    low, high = -1, len(qualities)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(qualities[middle]) else (low, middle)
    return low


def _bitmap(original: np.ndarray) -> Contender:
    """Keep one bit a pixel, above Otsu's threshold or not, as the better of CCITT G4 and zlib."""
    bright = original > _threshold(original)
    packed = zlib.compress(np.packbits(bright).tobytes(), 9)
    fax = io.BytesIO()
    Image.fromarray(bright).save(fax, "TIFF", compression="group4")
    return Contender(
        "1-bit bitmap", "trivial", min(len(packed), len(fax.getvalue())), bright.astype(np.uint8) * WHITE
    )


def scored(contender: Contender, original: np.ndarray) -> dict[str, float]:
    """Measure how much of a plane is left.

    Returns
    -------
    dict of str to float
        The measures of `kerasseg.metrics.similarity`, NaN where the plane is smaller than a window; and of
        `measured_afterwards`.
    """
    scores = {}
    for name, measure in similarity.MEASURES.items():
        small = min(original.shape) < similarity.WINDOWS.get(name, 1)
        scores[name] = math.nan if small else measure(original, contender.image, WHITE)
    return scores | measured_afterwards(original, contender.image)


def measured_afterwards(original: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Measure what a microscopist measures, on the original and on what is left of it.

    Returns
    -------
    dict of str to float
        ``dice`` of the pixels above Otsu's threshold, each image having its own; ``skeleton_f``, the F-score
        of that mask's skeleton, whose pixels count as found within 1.5 pixels; ``intensity_error``, the
        median over the original's objects of at least 20 pixels of the relative error of their summed
        intensity. NaN where the original has none of it.
    """
    mask, other_mask = original > _threshold(original), other > _threshold(other)
    both, either = (mask & other_mask).sum(), mask.sum() + other_mask.sum()
    return {
        "dice": float(2 * both / either) if mask.any() else math.nan,
        "skeleton_f": _skeleton_f(mask, other_mask),
        "intensity_error": _intensity_error(mask, original, other),
    }


def _threshold(image: np.ndarray) -> float:
    """Give Otsu's threshold; of an image of one value that value, which nothing is above."""
    return threshold_otsu(image) if image.min() < image.max() else image.max()


def _skeleton_f(mask: np.ndarray, other: np.ndarray) -> float:
    if not mask.any():
        return math.nan
    lines, others = skeletonize(mask), skeletonize(other)
    if not others.any():
        return 0.0
    recall, precision = (
        (ndimage.distance_transform_edt(~there)[here] <= NEAR).mean()
        for here, there in ((lines, others), (others, lines))
    )
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _intensity_error(mask: np.ndarray, original: np.ndarray, other: np.ndarray) -> float:
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    large = np.flatnonzero(np.bincount(labels.ravel(), minlength=count + 1)[1:] >= LEAST_OBJECT) + 1
    if not len(large):
        return math.nan
    true, left = (ndimage.sum_labels(image.astype(np.float64), labels, large) for image in (original, other))
    return float(np.median(np.abs(left - true) / true))


def sizes(points: KeyPoints, written: int) -> dict[str, float]:
    """Count the bytes of key points in four ways.

    Returns
    -------
    dict of str to float
        ``paper``: 2 n + 2, which is too few for sides above 256; ``file``: what is on the disk;
        ``positions``: the entropy of n points anywhere, log2 of the binomial coefficient; ``amplitudes``: the
        zero-order entropy of the amplitudes, which a better model may go below.
    """
    pixels, count = math.prod(points.grid), len(points)
    natural = math.lgamma(pixels + 1) - math.lgamma(count + 1) - math.lgamma(pixels - count + 1)
    amplitudes = [] if points.amplitudes is None else points.amplitudes.T
    return {
        "paper": 2 * count + 2,
        "file": written,
        "positions": natural / math.log(2) / 8,
        "amplitudes": sum(map(_entropy, amplitudes)) / 8,
    }


def _entropy(values: np.ndarray) -> float:
    """Give the bits that values take, each by how often it is there."""
    counts = np.unique(values, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum())
