"""Proposals: shapes that draw the very masks, a score and an uncertainty."""

import numpy as np
import pytest
from discs import Discs, disc, picture

from kerasseg.annotations.draw import draw_mask
from kerasseg.labelling.segment_anything.automatic import automatic_masks
from kerasseg.labelling.segment_anything.proposals import by_segment_anything, shapes
from kerasseg.recipe.labelling import SegmentAnything

SIZE = (64, 96)
IMAGE = picture(SIZE, [(14, 14, 8), (40, 60, 12)])


def test_shapes_draw_the_masks_and_scores_are_means():
    network, settings = Discs({1: 0.9, 2: 0.96}), SegmentAnything(points_per_side=16)
    proposal = by_segment_anything(network, "cell", settings)(IMAGE, "000-001")
    assert [(shape.label, shape.shape_type) for shape in proposal.shapes] == 2 * [("cell", "polygon")]
    exact = shapes(automatic_masks(IMAGE, network, settings), "cell", tolerance=0)
    drawn = draw_mask(exact, SIZE, ["cell"])
    np.testing.assert_array_equal(drawn, disc(SIZE, 14, 14, 8) | disc(SIZE, 40, 60, 12))
    assert proposal.score == pytest.approx(0.93)
    assert proposal.uncertainty == pytest.approx(0)


def test_larger_shapes_come_first():
    first, second = by_segment_anything(Discs(), "cell", SegmentAnything(points_per_side=16))(
        IMAGE, "000-001"
    ).shapes
    assert np.ptp(first.points[:, 0]) == 24
    assert np.ptp(second.points[:, 0]) == 16


def test_what_is_too_small_or_too_large_is_no_proposal():
    propose = by_segment_anything(Discs(), "cell", SegmentAnything(points_per_side=16, smallest=300))
    assert len(propose(IMAGE, "000-001").shapes) == 1
    propose = by_segment_anything(Discs(), "cell", SegmentAnything(points_per_side=16, largest=0.05))
    assert len(propose(IMAGE, "000-001").shapes) == 1


def test_where_nothing_is_found_there_is_nothing_to_say():
    proposal = by_segment_anything(Discs(), "cell", SegmentAnything(points_per_side=4))(
        np.zeros((*SIZE, 1), np.uint8), "000-001"
    )
    assert (proposal.shapes, proposal.score, proposal.uncertainty) == ([], None, None)
