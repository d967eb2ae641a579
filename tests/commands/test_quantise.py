"""What calibrates a network in int8, what it costs, and when it is not kept."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from specs import segmenter, spec, write_run

from kerasseg.commands import quantise as module
from kerasseg.commands.predict import predict
from kerasseg.commands.quantise import calibration_tiles, check, quantise, scored, summary
from kerasseg.data.sample import Annotation, Sample
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.recipe import load
from kerasseg.segmenter import Segmenter

RECIPE = """
name: bright
data:
  source: {{images_masks: {{root: {root}, images: images, masks: masks}}}}
  classes: [cell]
  channels: 1
  normalise: dtype
  split: {{train: 0.5, test: 0.5, validation: 0.34}}
model: {{unet: {{encoder: plain, base_filters: 4}}}}
train: {{epochs: 1}}
"""


def sample(folder, name, image, mask=None):
    files.write(folder / f"{name}.png", image[..., None])
    return Sample(name, folder / f"{name}.png", image.shape, lambda: Annotation(mask))


def test_tiles_are_of_all_images_and_from_all_over_each(tmp_path, monkeypatch):
    ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    samples = [sample(tmp_path, "a", ramp), sample(tmp_path, "b", ramp + 100)]
    whole = segmenter(None, {"tile": 4, "overlap": 0})
    tiles = calibration_tiles(samples, whole)
    np.testing.assert_allclose(tiles[1][0, :, :, 0] * 255, ramp[:4, 4:])
    assert [tile.shape for tile in tiles] == [(1, 4, 4, 1)] * 8
    monkeypatch.setattr(module, "PIXELS", 4 * 16)  # room for four tiles
    firsts = [round(float(tile[0, 0, 0, 0]) * 255) for tile in calibration_tiles(samples, whole)]
    assert firsts == [0, 32, 100, 132]
    monkeypatch.setattr(module, "PIXELS", 1)
    assert len(calibration_tiles(samples, whole)) == 1


def test_scores_are_those_of_the_masks_that_come_of_the_answers(tmp_path):
    image = np.zeros((4, 4), np.uint8)
    image[:2] = 255
    mask = np.zeros((4, 4), np.uint8)
    mask[0] = 1
    samples = [sample(tmp_path, "a", image, mask)]
    (tmp_path / "r.yaml").write_text(RECIPE.format(root=tmp_path))
    scores = scored(lambda batch: batch, spec(), load(tmp_path / "r.yaml"), samples)
    assert scores == {"cell": {"dice": pytest.approx(2 * 4 / (4 + 8))}}
    samples = [sample(tmp_path, "a", np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8))]
    assert scored(lambda batch: batch, spec(), load(tmp_path / "r.yaml"), samples) == {"cell": {}}


def test_every_class_that_loses_too_much_is_told():
    full = {"cell": {"dice": 0.9}, "gap": {"dice": 0.5}, "edge": {"dice": 0.7}, "none": {}}
    lost = {"cell": {"dice": 0.88}, "gap": {"dice": 0.4}, "edge": {"dice": 0.691}, "none": {}}
    with pytest.raises(UserError) as refused:
        check({"full": full, "int8": lost}, "runs/a/1")
    assert [re.sub(", and.*", "", message) for message in refused.value.messages] == [
        "runs/a/1: in int8 the Dice of cell is 0.8800 instead of 0.9000",
        "runs/a/1: in int8 the Dice of gap is 0.4000 instead of 0.5000",
    ]
    assert "at most 0.01 is given away" in refused.value.messages[0]
    check({"full": lost, "int8": full}, "runs/a/1")  # which is better


def test_without_truth_nothing_is_kept():
    with pytest.raises(UserError, match="no test image has a true pixel"):
        check({"full": {"cell": {}}, "int8": {"cell": {}}}, "runs/a/1")


def test_scores_and_times_stand_beside_those_in_full():
    scores = {
        "full": {"cell": {"dice": 0.9, "pq": 0.8}, "gap": {}},
        "int8": {"cell": {"dice": 0.891, "pq": 0.79}, "gap": {}},
    }
    assert summary({"scores": scores, "seconds": {"tensorflow": 0.31, "full": 0.4, "int8": 0.3}}) == [
        "cell: Dice 0.9000 in full, 0.8910 in int8; PQ 0.8000 in full, 0.7900 in int8",
        "a tile takes OpenVINO 400 ms of the processor in full, 300 ms in int8; TensorFlow 310 ms",
    ]


def test_a_shipped_model_wants_images():
    with pytest.raises(UserError, match=r"nuclei-2d: a shipped model brings no images; .* --data FOLDER"):
        quantise(Path("nuclei-2d"))


@pytest.fixture
def run(tmp_path):
    """A run that finds what is brighter than half, on six images of bright squares."""
    for number in range(6):
        image = np.random.default_rng(number).integers(0, 100, (48, 48), np.uint8)
        image[8 + number : 30, 8:40] += 120
        files.write(tmp_path / f"images/{number}.png", image[..., None])
        files.write(tmp_path / f"masks/{number}.png", (image > 110).astype(np.uint8)[..., None])
    image = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(4, 1, activation="relu", kernel_initializer="ones")(image)
    head = {"kernel_initializer": keras.initializers.Constant(10), "activation": "sigmoid"}
    bias = keras.initializers.Constant(-10 * 4 * 110 / 255)
    model = keras.Model(image, keras.layers.Conv2D(1, 1, bias_initializer=bias, **head)(x))
    write_run(tmp_path / "run", model)
    (tmp_path / "run/recipe.yaml").write_text(RECIPE.format(root=tmp_path))
    return tmp_path / "run"


def test_a_run_is_quantised_reported_and_asked(run, capsys):
    pytest.importorskip("openvino", reason="openvino is not installed")
    pytest.importorskip("nncf", reason="nncf is not installed")
    (run / "report.html").touch()
    quantise(run)
    facts = json.loads((run / "int8/facts.json").read_text())
    assert (facts["tiles"], facts["test_images"], facts["data"]) == (8, 3, None)  # four of each of two images
    full, quantised = (facts["scores"][network]["cell"]["dice"] for network in ("full", "int8"))
    assert min(full, quantised) > 0.99
    assert f"cell: Dice {full:.4f} in full, {quantised:.4f} in int8" in capsys.readouterr().out
    assert "In int8" in (run / "report.html").read_text()
    predict(Segmenter.load(run, engine="int8"), run.parent / "images", run / "out")
    record = json.loads((run / "out/predictions.json").read_text())
    assert {of["engine"] for of in record.values()} == {"int8"}


def test_what_loses_too_much_is_not_kept(run, monkeypatch):
    pytest.importorskip("openvino", reason="openvino is not installed")
    pytest.importorskip("nncf", reason="nncf is not installed")
    monkeypatch.setattr(module, "MOST_LOST", -1)
    with pytest.raises(UserError, match="It is not kept; predict by --engine openvino"):
        quantise(run)
    assert not (run / "int8").exists()
