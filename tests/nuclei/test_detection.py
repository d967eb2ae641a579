"""Nuclei are found on real slices by one setting, the diameter apart; nothing is found twice or nested."""

import math

import numpy as np
import pytest

from kerasseg.nuclei import detection
from kerasseg.nuclei.detection import Outline, detect, shared_area
from kerasseg.nuclei.linking import sighted

# The mean diameter of the nuclei drawn by eye, and how many of the whole ones and what else may be found.
REAL = [
    ("jrc_dauer-larva", 134, 14, 4),
    ("jrc_ctl-id8-1", 107, 2, 0),
    ("jrc_mus-pancreas-1", 56, 2, 2),
]


def found_in(image, diameter, **options):
    return [outline for outline in detect(image, diameter, **options) if not outline.reason]


@pytest.mark.parametrize(("name", "diameter", "fewest", "most_false"), REAL)
def test_real_nuclei_are_found_once_each(real_slice, name, diameter, fewest, most_false):
    real = real_slice(name)
    outlines = found_in(real.image, diameter)
    hits = [[nucleus for nucleus in real.nuclei if nucleus.is_met(sighted(each, 0))] for each in outlines]
    met = [nucleus for hit in hits for nucleus in hit]
    assert sum(nucleus in met for nucleus in real.whole) >= fewest
    assert len(met) == len(set(met))
    assert sum(not hit for hit in hits) <= most_false


@pytest.mark.parametrize("name", [name for name, *_ in REAL])
def test_no_nucleus_lies_in_another(real_slice, name):
    diameter = next(diameter for known, diameter, *_ in REAL if known == name)
    outlines = found_in(real_slice(name).image, diameter)
    for one in outlines:
        assert all(shared_area(one, other) < 0.2 * one.area for other in outlines if other is not one)


def test_a_disc_is_measured_where_it_is(discs):
    (disc,) = found_in(discs((70, 90, 20)), 40)
    assert disc.centre == pytest.approx((70, 90), abs=0.5)
    major, minor, _ = disc.ellipse
    assert (major, minor) == pytest.approx(
        (40, 40), rel=0.08
    )  # on so clean a ground it is found with its blur
    assert disc.area == pytest.approx(math.pi * major * minor / 4, rel=0.02)
    assert not disc.touches_border
    assert disc.score > 0.9


def test_a_disc_that_was_scanned_finer_is_the_same_disc(discs):
    fine = discs((70, 90, 20)).repeat(4, axis=0).repeat(4, axis=1)
    (disc,) = found_in(fine, 160)
    assert disc.centre == pytest.approx((281.5, 361.5), abs=2)
    assert disc.diameter == pytest.approx(160, rel=0.08)


def test_the_axes_are_those_of_an_ellipse(discs):
    image = discs()
    ys, xs = np.indices(image.shape)
    turn = math.radians(30)
    along = (xs - 100) * math.cos(turn) + (ys - 80) * math.sin(turn)
    across = (ys - 80) * math.cos(turn) - (xs - 100) * math.sin(turn)
    image[np.hypot(along / 40, across / 20) <= 1] = 160
    (oval,) = found_in(image, 56)
    major, minor, angle = oval.ellipse
    assert (major, minor) == pytest.approx((80, 40), rel=0.08)
    assert angle == pytest.approx(30, abs=2)


def test_what_the_border_cuts_is_found_and_marked(discs):
    (disc,) = found_in(discs((70, 5, 20)), 40)
    assert disc.touches_border


def test_polarity_chooses_what_is_lighter_or_darker(discs):
    light = discs((70, 90, 20))
    assert found_in(light, 40, polarity="bright")
    assert not found_in(light, 40, polarity="dark")
    assert found_in(255 - light, 40, polarity="dark")


def test_less_is_asked_where_the_score_is_low(discs):
    image = discs((70, 90, 20))
    image[:, 90:] = image[:, 89:90]  # half a disc, and a bar to the right
    assert not found_in(image, 40)
    assert found_in(image, 40, score=0.3)


def test_a_nucleolus_is_no_nucleus(discs):
    image = discs((80, 90, 40))
    ys, xs = np.indices(image.shape)
    image[np.hypot(ys - 84, xs - 98) <= 21] = 60
    (nucleus,) = found_in(image, 80)
    assert nucleus.diameter == pytest.approx(80, abs=4)


@pytest.mark.parametrize(("radius", "diameter"), [(20, 102), (40, 46)])
def test_a_wrong_size_is_the_reason(discs, radius, diameter):
    (disc,) = detect(discs((80, 100, radius)), diameter)
    assert disc.reason == f"{disc.diameter / diameter:.2f} diameters across"


def test_a_long_bar_is_told_to_be_long():
    image = np.full((160, 200), 60, np.uint8)
    image[76:84, 50:150] = 160
    assert [each.reason for each in detect(image, 40) if "long" in each.reason]
    assert not found_in(image, 40)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_grey_levels_may_be_of_any_type(discs, dtype):
    image = discs((70, 90, 20), (120, 160, 18))
    expected = [each.centre for each in found_in(image, 40)]
    assert len(expected) == 2
    assert [each.centre for each in found_in(image.astype(dtype) * 3, 40)] == expected


def test_an_empty_slice_holds_nothing():
    assert detect(np.zeros((100, 100), np.uint8), 40) == []


def test_pixels_that_are_no_number_hide_nothing_elsewhere(discs):
    image = discs((70, 90, 20)).astype(np.float32)
    image[:, 150:] = np.nan
    (disc,) = found_in(image, 40)
    assert disc.centre == pytest.approx((70, 90), abs=0.5)


def test_a_frame_of_zeros_changes_nothing_inside(discs):
    image = discs((70, 90, 20))
    framed = np.pad(image, 200)
    (disc,) = [each for each in found_in(framed, 40) if each.diameter < 60]
    assert disc.centre == pytest.approx((270, 290), abs=1)


def square(x, y, side, score):
    corners = np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)], np.float32)
    return Outline(corners, False, score)


def test_of_one_place_the_best_of_nested_the_outermost_and_of_neighbours_the_better_is_kept():
    best, same = square(0, 0, 10, 0.9), square(1, 0, 10, 0.8)
    outer, inner = square(100, 0, 20, 0.8), square(105, 5, 8, 0.99)
    better, worse = square(200, 0, 10, 0.9), square(206, 0, 10, 0.8)
    kept = detection.one_a_place([same, inner, worse, outer, best, better])
    assert sorted(each.box[0] for each in kept) == [0, 100, 200]
    assert outer in kept
