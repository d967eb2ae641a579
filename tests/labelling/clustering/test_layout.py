import numpy as np
import pytest

from kerasseg.labelling.clustering import codes as looked_at
from kerasseg.labelling.clustering.layout import layout


def two_kinds(first, second, filters=2):
    """Codes around 0, and codes around 10 in every dimension."""
    centres = np.repeat([0, 10], (first, second))[:, None]
    return np.float32(centres + np.random.default_rng(0).normal(0, 0.1, (len(centres), filters)))


def test_tiles_that_are_alike_lie_together_in_the_plane():
    codes = two_kinds(20, 20, filters=60)
    places = layout(codes, seed=0)
    assert (places.shape, places.dtype) == ((40, 2), np.float32)
    first, second = places[:20], places[20:]
    apart = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert apart > 2 * max(np.ptp(first, axis=0).max() / 2, np.ptp(second, axis=0).max() / 2)
    np.testing.assert_array_equal(layout(codes, seed=0), places)


def test_only_so_many_tiles_are_laid_out(monkeypatch):
    monkeypatch.setattr(looked_at, "MOST_COMPARED", 12)
    places = layout(two_kinds(20, 10), seed=0)
    assert np.isfinite(places).all(axis=1).sum() == 12
    assert np.isnan(places).all(axis=1).sum() == 18


@pytest.mark.parametrize("codes", [[[1], [1], [1]], [[3]], [[1], [2]], [[1], [1], [1], [2], [5]]])
def test_few_or_equal_tiles_have_places_too(codes):
    assert np.isfinite(layout(np.float32(codes), seed=0)).all()
