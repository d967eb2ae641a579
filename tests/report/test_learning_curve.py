"""A curve's picture and page from points that a reader can average."""

import re
from xml.etree import ElementTree

import pytest

from kerasseg.commands.learning_curve.points import Point
from kerasseg.report import learning_curve

PLAN = {"start": 5, "reviewed": 25, "rounds": 2, "seeds": 2, "tested": 12, "candidates": 40, "least_iou": 0.8}
RECIPE = {"train": {"epochs": 4, "steps_per_epoch": 50, "batch_size": 8}}
FACTS = {"root": "slides/<brain>", "synthetic": False, "plan": PLAN, "recipe": RECIPE}


def point(policy, tiles, f1, *, seed=0, round=0, **more):
    return Point(policy, "model" if round else "", tiles, round, seed, f1 / (2 - f1), 0.5, f1, 9.0, **more)


POINTS = [
    *(point(policy, 0, 0.02, seed=seed) for policy in ("random", "balanced") for seed in (0, 1)),
    *(point("random", 30, f1, seed=seed) for seed, f1 in enumerate((0.6, 0.8))),
    *(point("balanced", 30, f1, seed=seed) for seed, f1 in enumerate((0.8, 0.9))),
    point("random", 100, 0.9),
    point("random", 21, 0.5, round=1, accepted=16, empty=15, rejected=9),
    point("balanced", 25, 0.7, round=1, accepted=20, empty=3, rejected=5),
    point("balanced", 48, 0.75, round=2, accepted=43, empty=5, rejected=7),
]
ROWS = [vars(each) for each in POINTS]


def test_ways_to_label():
    table = {row["title"]: row for row in learning_curve.methods(ROWS, PLAN)}
    assert list(table) == [
        "untrained",
        "random",
        "balanced",
        "random, proposals, round 1",
        "balanced, proposals, round 1",
        "balanced, proposals, round 2",
    ]
    assert table["random"]["f1"] == pytest.approx(0.7)  # of 30 tiles, as many as proposals begin with
    assert (table["random"]["lowest"]["f1"], table["random"]["highest"]["f1"]) == (0.6, 0.8)
    assert table["random, proposals, round 1"]["empty"] == 15


def test_without_that_number_the_largest_is_compared():
    table = {row["title"]: row for row in learning_curve.methods(ROWS, PLAN | {"start": 6})}
    assert (table["random"]["tiles"], table["random"]["f1"]) == (100, 0.9)
    assert "balanced" not in table


def test_numbers_of_tiles_by_policy():
    table = learning_curve.sizes(ROWS)
    assert {size: list(by) for size, by in table.items()} == {
        0: ["random", "balanced"],
        30: ["random", "balanced"],
        100: ["random"],
    }
    assert table[30]["balanced"]["f1"] == pytest.approx(0.85)
    assert table[30]["balanced"]["seeds"] == 2


def test_the_page_holds_all_it_needs(tmp_path):
    page = learning_curve.write(tmp_path, ROWS, FACTS).read_text()
    text = " ".join(re.sub("<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())
    assert "&lt;brain&gt; · learning curve" in text
    assert re.search("0.850 0.800 . 0.900", text)
    assert "balanced, proposals, round 2 48 43 5 7 0.750" in text
    assert re.search("4 . 50 steps of 8 tiles", text)
    assert "SYNTHETIC" not in text
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_a_synthetic_slide_is_stamped(tmp_path):
    page = learning_curve.write(tmp_path, ROWS, FACTS | {"synthetic": True}).read_text()
    assert '<p class="warning">SYNTHETIC data' in page


def test_the_picture_has_a_line_a_policy_and_the_same_points_draw_it_again(tmp_path):
    learning_curve.write(tmp_path, ROWS, FACTS)
    first = (tmp_path / "curve.svg").read_bytes()
    axes = [g for g in ElementTree.fromstring(first).iter() if g.get("id", "").startswith("axes_")]
    lines = [sum(group.get("id", "").startswith("line2d") for group in each) for each in axes]
    assert lines == [6, 6]  # of each policy the means, its seeds and its proposals
    learning_curve.write(tmp_path, ROWS, FACTS)
    assert (tmp_path / "curve.svg").read_bytes() == first


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS[:4]])
def test_whatever_is_known_can_be_drawn(rows, tmp_path):
    assert learning_curve.write(tmp_path, rows, FACTS).is_file()
