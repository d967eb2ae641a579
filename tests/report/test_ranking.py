"""Order and titles of images."""

import pytest

from kerasseg.report.ranking import ranks, shown


def scored(*dice):
    names = ("dice", "iou", "precision", "recall")
    return {"a": dict.fromkeys(names, dice[0]), "b": dict.fromkeys(names, dice[-1])}


def test_worst_first_by_the_mean_over_classes():
    found = ranks({"x": scored(0.9, 0.5), "y": scored(0.6), "z": scored(0.8)})
    assert [(rank.name, rank.title) for rank in found] == [("y", "worst"), ("x", "median"), ("z", "best")]
    assert found[1].scores["dice"] == pytest.approx(0.7)


def test_equals_are_ordered_by_name():
    assert [rank.name for rank in ranks({"b": scored(1), "a": scored(1)})] == ["a", "b"]


def test_only_images_with_a_picture_are_shown_best_first():
    found = ranks({"p/x": scored(0.9), "y": scored(0.6), "z": scored(0.8)})
    assert [rank.name for rank in shown(found, {"p__x", "y"})] == ["p/x", "y"]
