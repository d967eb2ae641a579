"""Random changes of training images: albumentations behind one function that a seed decides.

What a transform pulls in from outside the image is the image mirrored, and the mask with it, unless the
recipe says otherwise. Filled with black, a model would learn an edge from every second image and not meet it
again; set to "ignore", up to a third of the pixels that were computed would teach nothing; mirrored, they are
cells with right outlines. Where the recipe asks for a constant border, the mask is 255 (ignore) there.

A volume is changed plane by plane, each plane alike: it is turned, bent and brightened as one thing, and what
draws noise draws the same for all planes. `CubicSymmetry` and `CoarseDropout3D` know the third axis.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from kerasseg.data.transforms import Chain, build, mistakes, package, volumetric
from kerasseg.errors import UserError

FAILURES = (  # albumentations'
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    cv2.error,
)
TURNING = "CubicSymmetry"  # the one transform that makes z of y and x
MOST_UNEQUAL = 1.1  # sides of a voxel that may still take each other's place

Augmentation = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def augmentation(chain: Chain) -> Augmentation:
    """Build the function that changes an image and its mask at random.

    Parameters
    ----------
    chain : sequence of mappings
        One transform each, by albumentations' name, with its arguments: ``[{"HorizontalFlip": {"p": 0.5}}]``.
        ``OneOf``, ``SomeOf``, ``RandomOrder`` and ``Sequential`` take a chain in ``transforms``.

    Returns
    -------
    callable
        Of an image ``(Y, X, C)`` or ``(Z, Y, X, C)`` (uint8, or float32 in [0, 1]), its mask, which may have
        a last axis of K, and a seed; it returns both changed, of the same shapes and types. The same seed
        makes the same change, on whatever thread.

    Raises
    ------
    UserError
        If a transform or an argument is unknown or has a wrong value; all of them at once.
    """
    messages = [
        f"{'.'.join(map(str, ('data', 'augment', *place)))}: {text}" for place, text in mistakes(chain)
    ]
    if messages:
        raise UserError(*messages)
    if not chain:
        return lambda image, mask, seed: (image, mask)
    local = threading.local()  # a Compose holds its random state, so each thread has its own

    def augment(image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        if not hasattr(local, "compose"):
            local.compose = package().Compose(build(chain))
        local.compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        changed_image, changed_mask = _changed(local.compose, image, mask)
        rank = image.ndim - 1
        if changed_image.shape[:rank] != image.shape[:rank]:
            sides = "(height, width)" if rank == 2 else "(depth, height, width)"
            raise UserError(
                f"data.augment: the transforms turn an image of {image.shape[:rank]} {sides} into "
                f"{changed_image.shape[:rank]}; batches need one size: use data.resize or data.patch to "
                "choose it, and transforms that keep it"
            )
        return changed_image.reshape(image.shape), changed_mask.reshape(mask.shape)

    return augment


def check_fit(chain: Chain, shape: tuple[int, ...], spacings: Sequence[tuple[float, ...] | None]) -> None:
    """Refuse transforms that would do nothing to what they are given, or what nobody means.

    Parameters
    ----------
    chain : sequence of mappings
        As in :func:`augmentation`.
    shape : tuple of int
        Size of a batch's images.
    spacings : sequence of tuple of float or None
        Size of a voxel in each sample, where it is known.

    Raises
    ------
    UserError
        If a transform of volumes is to change 2-D images; or `CubicSymmetry`, which makes z of y and x, a
        patch or voxels that are not cubes: there it makes shapes that no microscope shows.
    """
    spatial = volumetric(chain)
    if spatial and len(shape) == 2:
        raise UserError(f"data.augment: {spatial[0]} changes volumes, and these are 2-D images; take it out")
    if TURNING not in spatial:
        return
    if len(set(shape)) > 1:
        raise UserError(
            f"data.augment: {TURNING} makes z of y and x, and patches are {shape} (depth, height, width); "
            "set data.patch.size to one number, or take RandomRotate90 and HorizontalFlip"
        )
    for spacing in filter(None, spacings):
        if max(spacing) > MOST_UNEQUAL * min(spacing):
            shown = " x ".join(f"{side:.3g}" for side in spacing)
            raise UserError(
                f"data.augment: {TURNING} makes z of y and x, and voxels are {shown} micrometres (z, y, x); "
                "take RandomRotate90 and HorizontalFlip, which turn planes only"
            )


def _changed(
    compose: Callable[..., Any], image: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ask albumentations, and say what it was given where it fails."""
    try:
        if image.ndim == 3:
            changed = compose(image=image, mask=mask)
            return changed["image"], changed["mask"]
        plane = image[len(image) // 2]  # what some transforms look at before they change the volume
        changed = compose(image=plane, volume=image, mask3d=mask)
        return changed["volume"], changed["mask3d"]
    except FAILURES as error:
        problem = str(error).strip().split("\n")[0]
        raise UserError(
            f"data.augment: the transforms cannot change an image of {image.shape} with a mask of "
            f"{mask.shape} ({problem}); leave out the one that does not fit"
        ) from error
