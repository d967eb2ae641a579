"""Albumentations' transforms by name: those that a recipe may say, made from what it says, or what is wrong.

A chain is a list of mappings of one key, ``{name: arguments}``. `COMPOSITIONS` hold chains of their own in
their argument ``transforms``, to any depth.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, get_args

from kerasseg.errors import unknown
from kerasseg.images.masks import IGNORE

if TYPE_CHECKING:
    import albumentations

Arguments = Mapping[str, Any]
Chain = Sequence[Mapping[str, Arguments]]
Place = tuple[str | int, ...]

COMPOSITIONS = ("OneOf", "RandomOrder", "Sequential", "SomeOf")
GIVEN = {"image", "mask", "volume", "mask3d"}  # what a transform is called with
REFLECT = 4  # cv2.BORDER_REFLECT_101
AREA = 3  # cv2.INTER_AREA
NEAREST_EXACT = 6  # cv2.INTER_NEAREST_EXACT


def package() -> ModuleType:
    """Import albumentations, which takes a second, without its part for torch, which takes several more."""
    part = "albumentations.pytorch"
    absent = sys.modules.setdefault(part, None) is None  # as where torch is not installed
    import albumentations

    if absent:
        del sys.modules[part]
    return albumentations


@cache
def known_transforms() -> dict[str, type]:
    """Return what a recipe may name: what changes an image, or an image and its mask, and `COMPOSITIONS`."""
    named = {name: getattr(package(), name) for name in dir(package())}
    bases = (package().ImageOnlyTransform, package().DualTransform, package().Transform3D)
    compositions = {name: named[name] for name in COMPOSITIONS}
    return compositions | {
        name: transform
        for name, transform in named.items()
        if inspect.isclass(transform) and issubclass(transform, bases) and transform not in bases
    }


def build(chain: Chain) -> list[albumentations.BasicTransform | albumentations.BaseCompose]:
    """Make the transforms of a chain in which there are no `mistakes`; YAML's lists become tuples."""
    return [_make(name, arguments) for entry in chain for name, arguments in entry.items()]


def volumetric(chain: Chain) -> list[str]:
    """Name the transforms of a chain, and of the chains within it, that know a third axis."""
    names = []
    for name, arguments in (item for entry in chain for item in entry.items()):
        if name in COMPOSITIONS:
            names += volumetric(arguments["transforms"])
        elif issubclass(known_transforms()[name], package().Transform3D):
            names.append(name)
    return names


def mistakes(chain: Chain, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Find what is wrong with a chain, by trying every transform alone.

    Parameters
    ----------
    chain : sequence of mappings
        One transform each, by albumentations' name, with its arguments: ``[{"HorizontalFlip": {"p": 0.5}}]``.
    place : tuple, default ()
        Where the chain stands.

    Yields
    ------
    tuple
        Where a mistake stands, such as ``(0, "OneOf", "transforms", 1)``, and what it is.
    """
    for index, entry in enumerate(chain):
        for name, arguments in entry.items():
            yield from _mistakes_of(name, arguments, (*place, index))


def _mistakes_of(name: str, arguments: Arguments, place: Place) -> Iterator[tuple[Place, str]]:
    if name not in known_transforms():
        yield place, unknown("transform", name, known_transforms())
        return
    known = _parameters(known_transforms()[name])
    strangers = [key for key in arguments if key not in known]
    yield from ((place, unknown(f"argument of {name}", key, known)) for key in strangers)
    inner = []
    if name in COMPOSITIONS:
        inner = list(mistakes(arguments.get("transforms", ()), (*place, name, "transforms")))
        yield from inner
    if not strangers and not inner and (problem := _problem(name, arguments)):
        yield place, f"{name} cannot be made from {dict(arguments)}: {problem}"


def _problem(name: str, arguments: Arguments) -> str | None:
    """Say why one transform cannot be made, if it cannot."""
    if name in COMPOSITIONS and (problem := _composition_problem(arguments)):
        return problem
    try:
        transform = _make(name, arguments)
    except (ValueError, TypeError, ArithmeticError) as error:
        return " ".join(line.strip() for line in str(error).splitlines()[1:3]) or str(error)
    lacking = sorted(set(getattr(transform, "targets_as_params", ())) - GIVEN)
    lacking += ["bboxes"] if "BBox" in name else []
    return f"it needs {' and '.join(lacking)}, which a recipe cannot give" if lacking else None


def _composition_problem(arguments: Arguments) -> str | None:
    """Check what albumentations does not: it would fail in the middle of a training."""
    p = arguments.get("p", 1)
    n = arguments.get("n", 1)
    if not arguments.get("transforms"):
        return "transforms is empty; expected a list, such as [HorizontalFlip, VerticalFlip]"
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        return f"p is {p!r}; expected a number from 0 to 1"
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        return f"n is {n!r}; expected how many of them to take, from 1"
    return None


def _make(name: str, arguments: Arguments) -> albumentations.BasicTransform | albumentations.BaseCompose:
    kind = known_transforms()[name]
    if name in COMPOSITIONS:
        return kind(**{**arguments, "transforms": build(arguments["transforms"])})
    tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    return kind(**_defaults(kind) | tuples)


def _defaults(kind: type) -> dict[str, Any]:
    """Choose what the recipe may leave open: what lies outside the image, and that masks stay on images.

    OpenCV's INTER_NEAREST takes the pixel left of and above the nearest, so a mask that is resized by it
    moves by half a pixel; INTER_NEAREST_EXACT takes the nearest. What warps rounds to the nearest and does
    not take INTER_NEAREST_EXACT. `CropNonEmptyMaskIfExists` would be content with ignored pixels. `Downscale`
    and `MotionBlur` would move the image and leave the mask: by up to half of an enlarged pixel, and half of
    the blur.
    """
    parameters = _parameters(kind)
    defaults = {
        "interpolation_pair": {"downscale": AREA, "upscale": NEAREST_EXACT},
        "allow_shifted": False,
        "direction_range": (0.0, 0.0),
        "ignore_values": [IGNORE],
    }
    if "border_mode" in parameters:
        defaults |= {"border_mode": REFLECT, "fill_mask": IGNORE}
    if "mask_interpolation" in parameters:
        choices = get_args(kind.InitSchema.model_fields["mask_interpolation"].annotation)
        if NEAREST_EXACT in choices:
            defaults["mask_interpolation"] = NEAREST_EXACT
    return {name: value for name, value in defaults.items() if name in parameters}


def _parameters(kind: type) -> list[str]:
    return [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
