"""Whole runs on synthetic strokes: points that rebuild digits, and a classifier that is shown these."""

import json
from pathlib import Path

import numpy as np
import pytest

from kerasseg.commands.compact import compact
from kerasseg.commands.train import run
from kerasseg.compact import keypoints_file
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.recipe import load
from kerasseg.segmenter import Segmenter
from kerasseg.synthetic.strokes import synthesize

SMALL = [
    "train.epochs=2",
    "train.batch_size=10",
    "export.saved_model=false",
    "data.split={train: 0.9, test: 0.1, validation: 0.2}",
]


@pytest.fixture(scope="module")
def strokes(tmp_path_factory):
    root = tmp_path_factory.mktemp("digits") / "strokes"
    synthesize(root, images=100, seed=1)
    return root


def trained(name, strokes, *overrides):
    recipe = Path(__file__).resolve().parents[1] / "recipes" / f"{name}.yaml"
    root = f"data.source.whole_images.root={strokes}"
    return run(load(recipe, [root, *SMALL, *overrides]), directory=strokes.parent / name)


@pytest.fixture(scope="module")
def chosen(strokes):
    return trained("gunet_mnist", strokes, "train.engine.guided.warmup=1", "evaluate.threshold=0.2")


def test_the_images_that_points_rebuild_are_measured_and_shown(chosen):
    rebuilt = json.loads((chosen / "metrics.json").read_text())["rebuilt"]
    assert set(rebuilt["averages"]) == {"model", "black", "bitmap"}
    assert len(rebuilt["images"]) == 10
    points = [files.read_values(path).sum() for path in (chosen / "predictions").glob("*.mask.png")]
    assert rebuilt["averages"]["model"]["points"] == pytest.approx(np.mean(points))
    assert len(list((chosen / "predictions" / "rebuilt").glob("*.png"))) == 3
    page = (chosen / "report.html").read_text()
    assert "one bit a pixel: above 0.5" in page
    assert "a 5 x 5 gaussian kernel normalised to its peak rebuilds it" in page
    assert "SYNTHETIC" in page


def test_the_history_shows_points_and_similarity(chosen):
    header = (chosen / "history.csv").read_text().partition("\n")[0].split(",")
    assert {"points", "ssim", "val_points", "val_ssim"} <= set(header)


def test_a_run_s_network_chooses_the_points_of_a_file(chosen, strokes, tmp_path):
    digit = np.load(strokes / "strokes.npz")["images"][0]
    files.write(tmp_path / "images" / "digit.png", digit)
    compact(tmp_path / "images", tmp_path / "kept", method="network", run=chosen.path, points="30")
    points = keypoints_file.read(tmp_path / "kept" / "digit.kpt")
    probabilities = Segmenter.load(chosen.path).probabilities(digit)[..., 0]
    least = probabilities[tuple(points.positions.T)].min()
    assert len(points) == 30
    assert np.count_nonzero(probabilities > least) < 30


def test_a_classifier_says_one_class_of_a_whole_image(strokes):
    plain = "model={classifier: {encoder: plain, levels: 3, base_filters: 4, batchnorm_momentum: 0.5}}"
    folder = trained("gunet_classify", strokes, plain)
    with pytest.raises(UserError, match="it did not learn key points"):
        compact(strokes, strokes.parent / "kept", method="network", run=folder.path)
    mask = Segmenter.load(folder.path).mask(np.load(strokes / "strokes.npz")["images"][0])
    assert mask.shape == (28, 28)
    assert len(np.unique(mask)) == 1
    averages = json.loads((folder / "metrics.json").read_text())["test"]["averages"]
    assert 0 <= averages["f1_micro"] <= 1
