"""What numbers the settings of automatic masks may be, all mistakes said at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kerasseg.errors import UserError


def check_image(shape: Sequence[int]) -> None:
    """Refuse what is no image.

    Raises
    ------
    UserError
        If there are no pixels, or the axes are not three.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise UserError(
            f"Segment Anything was given an array of shape {tuple(shape)}; expected an image (Y, X, C) "
            "of at least one pixel"
        )


def check_numbers(
    *, positive: Mapping[str, float], not_negative: Mapping[str, float], shares: Mapping[str, float]
) -> None:
    """Refuse numbers that are out of range.

    Parameters
    ----------
    positive, not_negative, shares : mapping of str to float
        Settings by name: at least 1, at least 0, and in [0, 1].

    Raises
    ------
    UserError
        Naming each that is wrong.
    """
    wrong = [f"{name} is {value}; expected at least 1" for name, value in positive.items() if not value >= 1]
    wrong += [
        f"{name} is {value}; expected at least 0" for name, value in not_negative.items() if not value >= 0
    ]
    wrong += [
        f"{name} is {value}; expected a number from 0 to 1"
        for name, value in shares.items()
        if not 0 <= value <= 1
    ]
    if wrong:
        raise UserError(*wrong)


def check_points(points_per_side: int, crop_n_layers: int, crop_n_points_downscale_factor: int) -> None:
    """Refuse layers in which not a single point is left.

    Raises
    ------
    UserError
        With the number of layers that there may be.
    """
    if points_per_side // crop_n_points_downscale_factor**crop_n_layers < 1:
        raise UserError(
            f"points_per_side {points_per_side} leaves no point in layer {crop_n_layers} of crops, which has "
            f"{crop_n_points_downscale_factor}^{crop_n_layers} times fewer along a side; lower crop_n_layers "
            "or crop_n_points_downscale_factor"
        )
