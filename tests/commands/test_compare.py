"""Runs beside each other, on the images that all of them were tested on."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from specs import spec

from kerasseg.commands.compare import compare
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.inference import mask_files

RECIPE = """
name: cells
seed: 7
data:
  source: {{images_masks: {{root: {root}}}}}
  classes: [cell]
  split: {{test_where: {{folder: images}}}}
model: {{unet: {{encoder: plain, base_filters: {filters}}}}}
"""


@pytest.fixture
def data(tmp_path):
    """Ten images of one cell each, with their masks."""
    for number in range(10):
        mask = np.zeros((16, 16), np.uint8)
        mask[4:12, 4:12] = 1
        files.write(tmp_path / "data" / "images" / f"f{number}.png", mask * 200)
        files.write(tmp_path / "data" / "masks" / f"f{number}.png", mask)
    return tmp_path / "data"


def write_run(folder: Path, data: Path, dice: dict, filters: int = 8, label: str = "cell") -> Path:
    """Write what `compare` reads of a run that scored `dice` on its images."""
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(RECIPE.format(root=data, filters=filters))
    (folder / "spec.json").write_text(spec().to_json())
    (folder / "model.keras").touch()
    (folder / "model.json").write_text(json.dumps({"parameters": 1000 * filters}))
    images = {name: {label: {"dice": score, "iou": score / 2}} for name, score in dice.items()}
    metrics = {"test": {"images": images}, "test_original_size": None, "instances": None}
    (folder / "metrics.json").write_text(json.dumps({**metrics, "seconds_per_image": 0.5}))
    with (folder / "split.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("name", "part", "group", "image"))
        table.writerows((name, "test", name, data / "images" / f"{name}.png") for name in dice)
    for name in dice:
        mask_files.write(folder / "predictions" / name, np.eye(16, dtype=np.uint8), ("cell",))
    return folder


def scores(count=10, plus=0.0):
    return {f"f{number}": 0.5 + 0.03 * number + plus for number in range(count)}


def test_a_run_that_wins_on_all_images_is_said_to_be_better(data, tmp_path, capsys):
    runs = [
        write_run(tmp_path / "runs/cells/1", data, scores()),
        write_run(tmp_path / "runs/cells/2", data, scores(plus=0.1), filters=16),
    ]
    page = compare(runs, tmp_path / "out").read_text()
    shown = capsys.readouterr().out
    assert f"cell: Dice 0.7350  {runs[1]}, +0.1000: better" in shown
    assert "model.unet.base_filters" in page
    assert "data.classes" not in page, "it does not differ"
    assert "16\N{NARROW NO-BREAK SPACE}000" in page, "parameters"
    with (tmp_path / "out" / "compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"image": "f0", "score": "cell: Dice", str(runs[0]): "0.5", str(runs[1]): "0.6"}


def test_only_common_images_are_compared_and_that_is_said(data, tmp_path, capsys):
    one = write_run(tmp_path / "runs/cells/1", data, scores(10))
    other = write_run(tmp_path / "runs/cells/2", data, scores(7, plus=0.1))
    compare([one, other], tmp_path / "out")
    shown = capsys.readouterr().out
    assert f"compared on the 7 images that all were tested on (10 by {one}, 7 by {other})" in shown
    assert "cell: Dice 0.5900" in shown, "the mean over these seven alone"


def test_other_images_of_the_same_names_are_not_the_same(data, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    for number in range(10):
        pixels = np.full((16, 16), number, np.uint8)
        files.write(elsewhere / "images" / f"f{number}.png", pixels)
    one = write_run(tmp_path / "runs/cells/1", data, scores())
    other = write_run(tmp_path / "runs/cells/2", elsewhere, scores())
    with pytest.raises(UserError, match="no image of its test is in the tests of all other runs"):
        compare([one, other], tmp_path / "out")


def test_a_copy_of_the_data_is_the_same_data(data, tmp_path, capsys):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in data.rglob("*.png"):
        files.write(copy / path.relative_to(data), files.read_values(path)[..., 0])
    one = write_run(tmp_path / "runs/cells/1", data, scores())
    compare([one, write_run(tmp_path / "runs/cells/2", copy, scores())], tmp_path / "out")
    assert "chance would explain it" in capsys.readouterr().out


def test_without_the_data_there_are_scores_and_no_pictures(data, tmp_path, capsys):
    runs = [write_run(tmp_path / f"runs/cells/{number}", data, scores()) for number in (1, 2)]
    data.rename(tmp_path / "moved")
    page = compare(runs, tmp_path / "out").read_text()
    assert "the page has no pictures" in capsys.readouterr().out
    assert "where the runs differ most" not in page


@pytest.mark.parametrize("given", [[], ["1"]])
def test_fewer_than_two_runs_are_refused(data, tmp_path, given):
    paths = [write_run(tmp_path / name, data, scores()) for name in given]
    with pytest.raises(UserError, match="name two or more"):
        compare(paths, tmp_path / "out")


def test_all_that_cannot_be_compared_is_named(data, tmp_path):
    unscored = write_run(tmp_path / "runs/cells/1", data, scores())
    (unscored / "metrics.json").unlink()
    with pytest.raises(UserError) as refused:
        compare([unscored, tmp_path / "runs/cells/9"], tmp_path / "out")
    assert "has no scores yet" in refused.value.messages[0]
    assert "not a run" in refused.value.messages[1]


def test_runs_of_other_classes_are_refused(data, tmp_path):
    one = write_run(tmp_path / "runs/cells/1", data, scores())
    other = write_run(tmp_path / "runs/cells/2", data, scores(), label="nucleus")
    with pytest.raises(UserError, match="no class in common; they have cell, nucleus"):
        compare([one, other], tmp_path / "out")
