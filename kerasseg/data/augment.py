"""Random changes of training images: albumentations behind one function that a seed decides.

What a transform pulls in from outside the image is the image mirrored, and the mask with it, unless the
recipe says otherwise. Filled with black, a model would learn an edge from every second image and not meet it
again; set to "ignore", up to a third of the pixels that were computed would teach nothing; mirrored, they are
cells with right outlines. Where the recipe asks for a constant border, the mask is 255 (ignore) there.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import numpy as np

from kerasseg.data.transforms import Chain, build, mistakes
from kerasseg.errors import UserError

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
        Of an image ``(Y, X, C)`` (uint8, or float32 in [0, 1]), a mask ``(Y, X)`` and a seed; it returns both
        changed, of the same shapes and types. The same seed makes the same change, on whatever thread.

    Raises
    ------
    UserError
        If a transform or an argument is unknown or has a wrong value; all of them at once.
    """
    wrong = [f"{'.'.join(map(str, ('data', 'augment', *place)))}: {text}" for place, text in mistakes(chain)]
    if wrong:
        raise UserError(*wrong)
    local = threading.local()  # a Compose holds its random state, so each thread has its own

    def augment(image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        if not hasattr(local, "compose"):
            local.compose = _compose(chain)
        local.compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        changed = local.compose(image=image, mask=mask)
        _check_shape(changed["image"].shape[:2], image.shape[:2])
        return changed["image"].reshape(image.shape), changed["mask"]

    return augment if chain else _unchanged


def _unchanged(image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return image, mask


def _compose(chain: Chain) -> Callable[..., dict[str, np.ndarray]]:
    import albumentations

    return albumentations.Compose(build(chain))


def _check_shape(changed: tuple[int, int], size: tuple[int, int]) -> None:
    if changed != size:
        raise UserError(
            f"data.augment: the transforms turn an image of {size} (height, width) into {changed}; batches "
            "need one size: use data.resize or data.patch to choose it, and transforms that keep it"
        )
