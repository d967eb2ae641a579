"""Every way of looking at a tile is undone, and no two are the same."""

import numpy as np
import pytest
from specs import tiling

from kerasseg.errors import UserError
from kerasseg.inference.backends import Backend
from kerasseg.inference.tiled import predict
from kerasseg.inference.tta import averaged, symmetries

WAYS = {(2, "none"): 1, (2, "flips"): 4, (2, "d4"): 8, (3, "none"): 1, (3, "flips"): 8, (3, "d4"): 16}


@pytest.mark.parametrize(("rank", "which"), WAYS)
def test_each_way_is_another_one_and_is_undone(rank, which):
    batch = np.random.default_rng(0).random((2, *[3] * rank, 2))
    seen = [way.apply(batch) for way in symmetries(rank, which)]
    assert len({view.tobytes() for view in seen}) == len(seen) == WAYS[rank, which]
    for way, view in zip(symmetries(rank, which), seen, strict=True):
        np.testing.assert_array_equal(way.undo(view), batch)


def test_the_mean_of_what_a_model_says_of_each_view():
    rows = lambda batch: np.broadcast_to(np.arange(2.0)[:, None, None], batch.shape)  # noqa: E731
    answer = averaged(rows, "flips")(np.zeros((1, 2, 2, 1), np.float32))
    np.testing.assert_array_equal(answer, np.full((1, 2, 2, 1), 0.5))


def test_symmetries_of_an_unknown_name_are_refused():
    with pytest.raises(UserError, match="unknown tta 'D4': choose one of d4, flips, none"):
        averaged(np.copy, "D4")


def test_what_treats_all_views_alike_stays_as_it_is():
    square = lambda batch: batch**2  # noqa: E731
    image = np.random.default_rng(0).random((37, 50, 1), np.float32)
    one, all_ways = (
        predict(image, Backend(square), tiling(tile=16, overlap=2, tta=which), stride=4)
        for which in ("none", "d4")
    )
    np.testing.assert_allclose(all_ways, one, atol=1e-6)
