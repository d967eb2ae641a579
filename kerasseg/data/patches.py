"""Where patches lie and what they hold: outside the image it is mirrored, and there is nothing to learn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kerasseg.classes import IGNORE


def random_origin(
    mask: np.ndarray, patch: tuple[int, int], foreground: float, rng: np.random.Generator
) -> tuple[int, int]:
    """Choose where to cut a patch for training.

    Parameters
    ----------
    mask : numpy.ndarray, shape (Y, X), uint8
        Class ids; 0 is background, 255 is ignore.
    patch : tuple of int
        Height and width of the patch.
    foreground : float
        Probability that the patch is centred on a random foreground pixel, as far as the borders allow.
    rng : numpy.random.Generator
        Decides.

    Returns
    -------
    tuple of int
        Row and column of the patch's first pixel. The patch lies inside the image where it fits, and has the
        image at its centre where it does not.
    """
    wanted = rng.random() < foreground
    pixels = np.flatnonzero((mask > 0) & (mask < IGNORE)) if wanted else ()
    if len(pixels):
        centre = np.unravel_index(pixels[rng.integers(len(pixels))], mask.shape)
        return tuple(
            _inside(int(c) - p // 2, s, p) for c, s, p in zip(centre, mask.shape, patch, strict=True)
        )
    return tuple(
        _inside(int(rng.integers(max(s - p, 0) + 1)), s, p) for s, p in zip(mask.shape, patch, strict=True)
    )


def grid(size: tuple[int, int], patch: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield origins of patches side by side that hold every pixel of an image of `size` exactly once."""
    for row in range(0, size[0], patch[0]):
        for column in range(0, size[1], patch[1]):
            yield row, column


def cut(
    image: np.ndarray, mask: np.ndarray, origin: tuple[int, int], patch: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a patch out of an image and its mask.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X, C)
        Mirrored outside its borders.
    mask : numpy.ndarray, shape (Y, X), uint8
        255 (ignore) outside its borders.
    origin : tuple of int
        Row and column of the patch's first pixel; it may lie outside.
    patch : tuple of int
        Height and width of the patch.

    Returns
    -------
    tuple of numpy.ndarray
        Views where the patch lies inside.
    """
    window = tuple(slice(max(o, 0), min(o + p, s)) for o, p, s in zip(origin, patch, mask.shape, strict=True))
    beyond = tuple((max(-o, 0), max(o + p - s, 0)) for o, p, s in zip(origin, patch, mask.shape, strict=True))
    if not np.any(beyond):
        return image[window], mask[window]
    return (
        np.pad(image[window], (*beyond, (0, 0)), mode="reflect"),
        np.pad(mask[window], beyond, constant_values=IGNORE),
    )


def _inside(origin: int, size: int, patch: int) -> int:
    return (size - patch) // 2 if patch > size else min(max(origin, 0), size - patch)
