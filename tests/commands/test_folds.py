"""Each part of the data is the test once, and the scores of all images are summed up."""

import csv
import json

import pytest

from kerasseg.commands import folds
from kerasseg.errors import UserError
from kerasseg.recipe import load
from kerasseg.runs import rundirectory

RECIPE = """
name: cells
data: {source: {labelme: {root: drawn}}, classes: [cell], split: {folds: 3}}
model: {unet: {encoder: plain}}
"""
SCORES = {1: {"a": 0.9, "b": 0.7}, 2: {"c": 0.5}, 3: {"d": None}}


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "cells.yaml").write_text(RECIPE)
    return load(tmp_path / "cells.yaml")


@pytest.fixture
def trainings(monkeypatch):
    """Write a finished run with known scores in the place of a training; list which folds were trained."""
    trained = []

    def train(recipe, *, directory, resume):
        run = rundirectory.create(recipe.name, recipe.to_yaml(), directory)
        fold = recipe.data.split.fold
        images = {name: {"cell": {"dice": dice}} for name, dice in SCORES[fold].items()}
        run.write_json(
            "metrics.json", {"test": {"images": images}, "test_original_size": None, "instances": None}
        )
        run.set_state(rundirectory.FINISHED)
        trained.append(fold)
        return run

    monkeypatch.setattr(folds, "train", train)
    return trained


def test_every_fold_is_trained_once_and_all_images_are_summed_up(recipe, trainings, tmp_path, capsys):
    folder = folds.run(recipe, directory=tmp_path / "runs")
    assert trainings == [1, 2, 3]
    with (folder / "folds.csv").open(newline="") as file:
        rows = {row["image"]: (row["fold"], row["dice"]) for row in csv.DictReader(file)}
    assert rows == {"a": ("1", "0.9"), "b": ("1", "0.7"), "c": ("2", "0.5"), "d": ("3", "")}
    summary = json.loads((folder / "folds.json").read_text())["cell"]
    assert (summary["images"], summary["dice"]) == (3, pytest.approx(0.7))
    assert summary["dice_interval"][0] < 0.7 < summary["dice_interval"][1]
    assert summary["dice_by_fold"][:2] == [pytest.approx(0.8), 0.5]
    assert "cell: Dice 0.7000" in capsys.readouterr().out
    folds.run(recipe, directory=tmp_path / "runs")
    assert trainings == [1, 2, 3], "what is trained is not trained again"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.split.fold=4", "fold is 4, and there are 3 folds"),
        ("data.split.folds=1", "2"),
        ("data.split.test_where={folder: a}", "folds and test_where both say"),
    ],
)
def test_folds_that_say_two_things_are_refused(recipe, tmp_path, override, message):
    with pytest.raises(UserError, match=rf"data\.split.*{message}"):
        load(tmp_path / "cells.yaml", [override])
