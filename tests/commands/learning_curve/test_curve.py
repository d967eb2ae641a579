"""A learning curve of a tiny slide: what it leaves behind, and how it goes on."""

import csv
import json
import shutil

import numpy as np
import pytest
from scipy import ndimage

from kerasseg.annotations import labelme
from kerasseg.annotations.shapes import Drawing
from kerasseg.annotations.trace import trace_labels
from kerasseg.commands.learning_curve.curve import compute_curve
from kerasseg.commands.learning_curve.points import Plan
from kerasseg.commands.learning_curve.simulation import true_samples
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.labelling import clustering, queue
from kerasseg.labelling.folder import drawing_path
from kerasseg.labelling.selection import SelectedTile
from kerasseg.labelling.tiles import crop
from kerasseg.recipe import load

RECIPE = """
name: tiny
seed: 3
data: {source: {images_masks: {root: nowhere}}, classes: [cell], channels: 1, patch: {size: 32}}
model: {unet: {encoder: plain, levels: 2, base_filters: 4, attention: false, batchnorm_momentum: 0.5}}
train: {epochs: 2, batch_size: 2, steps_per_epoch: 10, optimizer: {adam: {learning_rate: 1.0e-2}}}
predict: {tile: 32, overlap: 0}
"""
PLAN = Plan((0, 4), ("balanced",), seeds=1, start=4, reviewed=5, rounds=2, least_iou=0.5, tested=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A slide (160, 256) of bright discs, its truth, its tiles, and the recipe."""
    root = tmp_path_factory.mktemp("curve")
    rng = np.random.default_rng(1)
    seeds = rng.random((160, 256)) > 0.997
    seeds[:, :48] = False  # nothing in the first tiles
    labels, _ = ndimage.label(ndimage.distance_transform_edt(~seeds) < 5)
    slide = np.where(labels > 0, 200, 30) + rng.integers(0, 20, labels.shape)
    files.write(root / "slide.tif", slide.astype(np.uint8))
    (root / "SYNTHETIC").touch()
    files.write(root / "truth" / "labels.tif", labels.astype(np.int32))
    window = {"tile": 32, "margin": 4, "padding": "zero", "region": None, "test_region": (0, 144, 160, 112)}
    cut = crop(root / "slide.tif", root / "tiny", **window)
    dark = np.array([each.mean > 0.2 for each in cut]).astype(int)
    found = clustering.Clusters(dark, np.zeros(len(cut), np.float32))
    clustering.write(root / "tiny", [each.name for each in cut], found)
    (root / "recipe.yaml").write_text(RECIPE)
    return root


def compute(folder, plan=PLAN, *changes, directory="out", **where):
    where = {"root": folder / "tiny", "truth": folder / "truth" / "labels.tif"} | where
    return compute_curve(load(folder / "recipe.yaml", changes), plan, **where, directory=folder / directory)


def lines(folder, directory="out"):
    with (folder / directory / "curve.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def computed(folder):
    compute(folder)
    return lines(folder)


def test_there_is_a_point_for_each_number_of_tiles_and_each_round(computed, folder):
    told = [(line["policy"], line["proposals"], line["round"]) for line in computed]
    assert told == [("balanced", "", "0")] * 2 + [("balanced", "model", "1"), ("balanced", "model", "2")]
    assert [line["tiles"] for line in computed[:2]] == ["0", "4"]
    facts = json.loads((folder / "out" / "curve.json").read_text())
    assert facts["plan"]["tested"] == 6
    assert facts["synthetic"]
    assert "SYNTHETIC data" in (folder / "out" / "curve.html").read_text()


def test_what_was_learnt_is_better_than_nothing(computed):
    untrained, learnt = (float(line["f1"]) for line in computed[:2])
    assert learnt > 0.5 > untrained


def test_tiles_are_those_drawn_and_those_accepted(computed):
    for line, shown in zip(computed[2:], (5, 10), strict=True):
        counts = {name: int(line[name]) for name in ("tiles", "accepted", "empty", "rejected")}
        assert counts["tiles"] == PLAN.start + counts["accepted"]
        assert counts["accepted"] + counts["rejected"] == shown
        assert counts["empty"] <= counts["accepted"]
    assert int(computed[3]["accepted"]) > 0


def test_a_curve_that_was_killed_goes_on_to_the_same_points(computed, folder, capsys):
    path = folder / "out" / "curve.csv"
    whole = path.read_text().splitlines(keepends=True)
    path.write_text("".join(whole[:4]))
    capsys.readouterr()
    compute(folder)
    said = capsys.readouterr().out
    without = [{k: v for k, v in line.items() if k != "seconds"} for line in lines(folder)]
    assert without == [{k: v for k, v in line.items() if k != "seconds"} for line in computed]
    assert "round 2" in said
    assert "round 1" not in said


def test_another_curve_is_not_mixed_in(computed, folder):
    with pytest.raises(UserError, match=r"plan\.start: 4 then, 3 now"):
        compute(folder, Plan(**{**vars(PLAN), "start": 3}))


def test_tiles_that_persons_labelled_take_the_place_of_a_truth(folder):
    root = shutil.copytree(folder / "tiny", folder / "labelled")
    samples = true_samples(root, folder / "truth" / "labels.tif", ["cell"])
    for part, count in {"train": 4, "test": 2}.items():
        drawn = [sample for sample in samples if sample.attributes["part"] == part][-count:]
        queue.add(root, [SelectedTile(sample.name, 0, "random", "") for sample in drawn], part, 1)
        for sample in drawn:
            shapes = trace_labels(sample.annotate().labels, lambda _: "cell")
            labelme.write(drawing_path(root, sample.name), Drawing("", sample.size, shapes))
            queue.decide(root, sample.name, "accepted", "eva")
    plan = Plan((4,), ("random",), seeds=1, rounds=0)
    compute(folder, plan, directory="by persons", root=root, truth=None)
    facts = json.loads((folder / "by persons" / "curve.json").read_text())
    assert (facts["plan"]["candidates"], facts["plan"]["tested"]) == (4, 2)
    (point,) = lines(folder, "by persons")
    assert float(point["f1"]) > 0.5
    with pytest.raises(UserError, match="5 tiles are to be drawn, and 4"):
        compute(folder, Plan((5,), ("random",), seeds=1, rounds=0), directory="more", root=root, truth=None)


def test_trainings_of_different_lengths_are_refused(folder):
    with pytest.raises(UserError, match="steps_per_epoch") as refused:
        compute(folder, PLAN, "train.steps_per_epoch=null", "train.early_stopping.patience=2")
    assert "early_stopping" in refused.value.messages[1]


def test_too_few_tiles_are_named(folder):
    with pytest.raises(UserError, match="1000 tiles are to be drawn, and 35"):
        compute(folder, Plan((1000,), ("random",), seeds=1, rounds=0), directory="many")
    assert not (folder / "many").exists()
