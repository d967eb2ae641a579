"""Beyond an image there is what the padding says."""

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images.padding import cut

ROW = np.arange(1, 4, dtype=np.float32).reshape(1, 3, 1)


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("inside", [3, 2, 1, 2, 3, 2, 1, 2]),
        ("reflect", [3, 2, 1, 2, 3, 2, 1, 2]),
        ("edge", [1, 1, 1, 2, 3, 3, 3, 3]),
        ("zero", [0, 0, 1, 2, 3, 0, 0, 0]),
    ],
)
def test_by_eye(padding, expected):
    assert cut(ROW, (slice(0, 1), slice(-2, 6)), padding)[0, :, 0].tolist() == expected


def test_one_pixel_is_repeated_however_it_is_mirrored():
    assert cut(ROW[:, :1], (slice(0, 2), slice(0, 3)))[..., 0].tolist() == [[1, 1, 1]] * 2


def test_what_lies_inside_is_not_copied():
    assert np.shares_memory(cut(ROW, (slice(0, 1), slice(0, 2))), ROW)


def test_an_unknown_padding_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'reflect'"):
        cut(ROW, (slice(0, 1), slice(0, 9)), "reflet")
