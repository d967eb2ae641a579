"""Random changes of training images: albumentations behind one function that a seed decides.

What a transform pulls in from outside the image is the image mirrored, and the mask with it, unless the
recipe says otherwise. Filled with black, a model would learn an edge from every second image and not meet it
again; set to "ignore", up to a third of the pixels that were computed would teach nothing; mirrored, they are
cells with right outlines. Where the recipe asks for a constant border, the mask is 255 (ignore) there.
"""

from __future__ import annotations

import inspect
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseg.errors import UserError, unknown

if TYPE_CHECKING:
    import albumentations

Augmentation = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]

REFLECT = 4  # cv2.BORDER_REFLECT_101
IGNORED = 255


@cache
def transforms() -> dict[str, type[albumentations.BasicTransform]]:
    """Return what a recipe may name: albumentations' transforms of an image, or of an image and its mask."""
    import albumentations  # takes a second, which only those who augment should pay

    named = {name: getattr(albumentations, name) for name in dir(albumentations)}
    bases = (albumentations.ImageOnlyTransform, albumentations.DualTransform)
    return {
        name: transform
        for name, transform in named.items()
        if inspect.isclass(transform) and issubclass(transform, bases) and transform not in bases
    }


def augmentation(chain: Sequence[Mapping[str, Mapping[str, Any]]]) -> Augmentation:
    """Build the function that changes an image and its mask at random.

    Parameters
    ----------
    chain : sequence of mappings
        One transform each, by albumentations' name, with its arguments: ``[{"HorizontalFlip": {"p": 0.5}}]``.

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
    _check(chain)
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


def _compose(chain: Sequence[Mapping[str, Mapping[str, Any]]]) -> albumentations.Compose:
    import albumentations

    return albumentations.Compose([_transform(*item) for entry in chain for item in entry.items()])


def _transform(name: str, arguments: Mapping[str, Any]) -> albumentations.BasicTransform:
    """Make one transform; YAML's lists become the tuples that albumentations wants."""
    kind = transforms()[name]
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    return kind(**_border(kind, given), **given)


def _border(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Choose what lies outside the image, where the transform has a say in it and the recipe has none."""
    known = _parameters(kind)
    border = {"border_mode": REFLECT, "fill_mask": IGNORED} if "border_mode" in known else {}
    return {key: value for key, value in border.items() if key in known and key not in given}


def _parameters(kind: type) -> list[str]:
    return [name for name in inspect.signature(kind.__init__).parameters if name != "self"]


def _check(chain: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
    """Try every transform alone, so that each names its own mistakes."""
    problems = []
    for name, arguments in (item for entry in chain for item in entry.items()):
        if name not in transforms():
            problems.append(f"data.augment: {unknown('transform', name, transforms())}")
            continue
        known = _parameters(transforms()[name])
        strangers = [key for key in arguments if key not in known]
        problems += [f"data.augment: {unknown(f'argument of {name}', key, known)}" for key in strangers]
        problems += [] if strangers else _problems(name, arguments)
    if problems:
        raise UserError(*problems)


def _problems(name: str, arguments: Mapping[str, Any]) -> list[str]:
    try:
        _transform(name, arguments)
    except (ValueError, TypeError) as error:
        first = " ".join(line.strip() for line in str(error).splitlines()[1:3]) or str(error)
        return [f"data.augment: {name} cannot be made of {dict(arguments)}: {first}"]
    return []


def _check_shape(changed: tuple[int, int], size: tuple[int, int]) -> None:
    if changed != size:
        raise UserError(
            f"data.augment: the transforms turn an image of {size} (height, width) into {changed}; batches "
            "need one size: use data.resize or data.patch to choose it, and transforms that keep it"
        )
