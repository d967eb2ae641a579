"""Charts are well-formed SVG with a line for each column."""

import re
from xml.etree import ElementTree

import numpy as np

from kerasseg.report import charts


def lines(svg: bytes) -> int:
    """Count plotted lines: groups that matplotlib names line2d and that stand right in an axes."""
    axes = [group for group in ElementTree.fromstring(svg).iter() if re.match("axes_", group.get("id", ""))]
    return sum(group.get("id", "").startswith("line2d") for each in axes for group in each)


def row(epoch, **more):
    values = {"loss": 1 / epoch, "val_loss": 1.1 / epoch, "val_dice": 0.5, "learning_rate": 1e-3}
    return {"epoch": epoch, **values, **more}


def test_every_column_is_a_line_and_the_best_epoch_is_marked_twice():
    history = [row(1), row(2), row(3)]
    assert lines(charts.curves(history)) == 4
    assert lines(charts.curves(history, best=2)) == 6
    assert lines(charts.curves([row(epoch, dice=0.4) for epoch in (1, 2)])) == 5


def test_one_epoch_and_no_number_can_be_drawn():
    assert lines(charts.curves([row(1)], best=1)) == 6
    assert lines(charts.curves([row(1), row(2, val_loss=float("nan"))])) == 4


def test_there_is_a_chart_for_what_is_known():
    contest = [row(epoch, generator_loss=2.0, discriminator_loss=1.0, difference=0.1) for epoch in (1, 2)]
    assert lines(charts.curves(contest)) == 6
    assert lines(charts.curves(contest, best=2)) == 9
    bare = [{"epoch": 1, "loss": 1.0, "val_loss": 1.0, "learning_rate": 1e-3}]
    assert lines(charts.curves(bare)) == 3


def test_the_threshold_in_use_is_marked():
    curve = {"threshold": [0.1, 0.5, 0.9], "dice": [0.5, 0.8, 0.4], "iou": [0.4, 0.7, 0.3]}
    assert lines(charts.threshold_curve(curve, 0.5)) == 3


def test_each_of_several_classes_has_its_own_threshold_curve():
    curve = {"threshold": [0.1, 0.9], "dice": [0.5, 0.8], "iou": [0.4, 0.7]}
    one = curve | {"classes": {"a": {"dice": [0.5, 0.8]}}}
    several = curve | {"classes": {name: {"dice": [0.5, 0.8]} for name in "abcdefg"}}
    assert (lines(charts.threshold_curve(one, 0.5)), lines(charts.threshold_curve(several, 0.5))) == (3, 8)


def test_the_same_numbers_draw_the_same_file():
    assert charts.curves([row(1), row(2)]) == charts.curves([row(1), row(2)])


def texts(svg: bytes) -> list[str]:
    """Read what is written: matplotlib draws glyphs, and keeps the words as comments."""
    return re.findall(r"<!-- (.*?) -->", svg.decode())


def test_each_true_class_is_100_percent_of_what_it_was_taken_for():
    drawn = charts.confusion([[900, 100, 0], [1, 9_998, 1], [0, 0, 0]], ["background", "cell", "rod"])
    shares = [text for text in texts(drawn) if re.fullmatch(r"(?:&[lg]t;)?[<>]?[\d.]+", text)]
    assert shares == ["90.0", "10.0", "0.0", "&lt;0.1", "&gt;99.9", "&lt;0.1"]
    assert {"background", "cell", "rod", "predicted"} < set(texts(drawn))


def test_every_cumulative_histogram_is_a_line_in_each_channel():
    counts = {name: np.eye(2, 65536, dtype=np.int64) for name in ("before", "after", "reference")}
    assert lines(charts.histograms(counts)) == 6
    assert lines(charts.histograms({"nothing": np.zeros((1, 65536), np.int64)})) == 1


def test_every_image_with_objects_has_a_median_and_every_group_a_histogram():
    sizes = {"a": [3.0, 4.0, 5.0], "b": [4.0], "c": [], "d": [9.0, 1.0]}
    groups = {"a": "first", "b": "first", "c": "second", "d": "second"}
    svg = charts.objects(sizes, groups, "area, pixels")
    axes = [group for group in ElementTree.fromstring(svg).iter() if re.match("axes_", group.get("id", ""))]
    medians, histograms = (
        [group.get("id") for group in each if re.match(kind, group.get("id", ""))]
        for each, kind in zip(axes, ("line2d", "patch"), strict=True)
    )
    assert len(medians) == 3
    background_and_spines = 3
    assert len(histograms) == background_and_spines + 2


def test_images_that_are_groups_of_their_own_have_one_histogram():
    sizes = {"a": [1.0], "b": [2.0]}
    together = dict.fromkeys(sizes, "all images")
    assert charts.objects(sizes, {"a": "a", "b": "b"}, "area") == charts.objects(sizes, together, "area")
