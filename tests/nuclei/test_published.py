"""The paper's steps and numbers, kept as they are published."""

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.nuclei import published
from kerasseg.nuclei.linking import Sighting, link


def test_a_nucleus_of_the_papers_size_is_found_by_both_outlines_of_its_rim():
    ys, xs = np.indices((2000, 2200))
    image = np.where(np.hypot((ys - 900) / 450, (xs - 1000) / 380) <= 1, 180, 90).astype(np.uint8)
    found = [each for each in published.detect(image) if not each.reason]
    assert len(found) >= 2
    for each in found:
        assert each.centre == pytest.approx((900, 1000), abs=5)


def test_on_another_slice_its_numbers_find_nothing(real_slice):
    assert not [each for each in published.detect(real_slice("jrc_dauer-larva").image) if not each.reason]


def test_its_threshold_is_of_8_bits():
    with pytest.raises(UserError, match="--preset paper: the slices are uint16"):
        published.detect(np.zeros((10, 10), np.uint16))


def seen(at, x):
    return Sighting(at, 0.0, float(x), 800.0, 800.0, 0.0, 500_000.0, False, 1.0)


def test_its_ids_are_lost_under_drift_where_ours_are_kept():
    drifting = [seen(at, 150 * at) for at in range(5)]
    assert published.link(drifting) == [0, 0, 0, 1, 1]
    assert link(drifting, published.DIAMETER) == [0] * 5
