"""A whole run on tiny synthetic data: what it leaves behind, and what can be asked of it afterwards."""

import csv
import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import keras
import numpy as np
import pytest
import tensorflow as tf
import tifffile
from typer.testing import CliRunner

from kerasseg import postprocess
from kerasseg.annotations.masks import read_mask
from kerasseg.annotations.values import class_ids
from kerasseg.cli import app
from kerasseg.commands import check, preparation
from kerasseg.commands.evaluate import evaluate, evaluate_on
from kerasseg.commands.export import export
from kerasseg.commands.predict import predict
from kerasseg.commands.train import _to_be_the_same, run
from kerasseg.errors import UserError, changes
from kerasseg.images import files
from kerasseg.models.saved import load_model
from kerasseg.recipe import load
from kerasseg.runs import rundirectory
from kerasseg.segmenter import Segmenter
from kerasseg.synthetic.cells import synthesize

TINY = """
name: tiny
seed: 3
data:
  source: {{sartorius: {{root: {root}}}}}
  classes: [cell]
  channels: 1
  resize: [32, 64]
  split: {{train: 0.75, test: 0.25, validation: 0.34, group_by: sample_id}}
  augment: [HorizontalFlip]
model: {{unet: {{encoder: plain, base_filters: 4, decoder_filters: [16, 12, 8, 4], batchnorm_momentum: 0.5}}}}
train: {{epochs: 2, batch_size: 2, steps_per_epoch: 3, optimizer: {{adam: {{learning_rate: 1.0e-2}}}}}}
predict: {{tile: 64, overlap: 8}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def recipe(folder):
    synthesize(folder / "data", images=16, size=(64, 96), seed=1)
    path = folder / "tiny.yaml"
    path.write_text(TINY.format(root=folder / "data"))
    return load(path)


@pytest.fixture(scope="module")
def finished(folder, recipe):
    return run(recipe, directory=folder / "runs")


def test_a_run_leaves_what_it_promises(finished):
    promised = (
        "recipe.yaml environment.json data.json split.csv history.csv model.json model.keras metrics.json "
        "spec.json status.json report.html log.txt export/1/saved_model.pb export/1/README.md checkpoints "
        "predictions"
    )
    assert [name for name in promised.split() if not (finished / name).exists()] == []
    assert finished.state == "finished"


def test_the_resolved_recipe_is_the_recipe(finished, recipe):
    assert load(finished / rundirectory.RECIPE) == recipe


def test_every_fallback_is_kept_and_said(finished):
    (fallback,) = finished.read_json("metrics.json")["fallbacks"]
    assert fallback.startswith("SYNTHETIC data")
    assert "FALLBACK: SYNTHETIC data" in (finished / "log.txt").read_text()
    assert finished.read_json("data.json")["origin"] == "SYNTHETIC"
    card = (finished / "export" / "1" / "README.md").read_text()
    assert "SYNTHETIC DATA" in card
    assert fallback in card


def test_no_group_is_in_two_parts(finished):
    with (finished / "split.csv").open(newline="") as file:
        groups = {}
        for row in csv.DictReader(file):
            groups.setdefault(row["part"], set()).add(row["group"])
    assert set(groups) == {"train", "validation", "test"}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["validation"]
    assert not groups["test"] & groups["validation"]


def test_scores_are_those_of_the_masks_that_were_written(finished, recipe):
    scores = finished.read_json("metrics.json")["test_original_size"]["images"]
    for name, of in scores.items():
        predicted = read_mask(finished / "predictions" / f"{name}.mask.png", class_ids(1))
        sample = next(each for each in samples(recipe) if each.name == name)
        truth = sample.annotate().mask > 0
        both = np.count_nonzero(truth & (predicted > 0))
        assert of["cell"]["dice"] == pytest.approx(2 * both / (truth.sum() + (predicted > 0).sum()))


def test_objects_are_those_of_the_masks_that_were_written(finished, recipe):
    of = finished.read_json("metrics.json")["instances"]
    predicted = [
        postprocess.labels(read_mask(finished / "predictions" / f"{name}.mask.png", class_ids(1))).max()
        for name in of["images"]
    ]
    true = [
        np.unique(each.annotate().labels).size - 1 for each in samples(recipe) if each.name in of["images"]
    ]
    assert [each["cell"]["predicted_objects"] for each in of["images"].values()] == predicted
    assert of["classes"]["cell"]["true_objects"] == sum(true)
    assert 0 <= of["classes"]["cell"]["average_precision_coco"] <= 1
    assert f"cell: {sum(predicted)} objects for {sum(true)} true ones" in (finished / "log.txt").read_text()


def samples(recipe):
    from kerasseg.commands import preparation

    return preparation.samples(recipe)


def test_the_saved_model_is_the_one_whose_scores_are_told(finished):
    before = finished.read_json("metrics.json")["test"]
    evaluate(finished.path)
    assert finished.read_json("metrics.json")["test"] == before


def test_a_higher_threshold_finds_less(finished):
    evaluate(finished.path, threshold=0.99)
    assert finished.read_json("metrics.json")["threshold"] == 0.99
    evaluate(finished.path)


def test_other_images_are_scored_and_those_that_were_learnt_from_are_counted(finished, tmp_path, capsys):
    recipe = load(finished / "recipe.yaml")
    scored = evaluate_on(finished.path, recipe.data.source.root, out=tmp_path / "scored")
    metrics = json.loads((scored / "metrics.json").read_text())
    samples = preparation.samples(recipe)
    assert (
        len(metrics["test"]["images"])
        == len(list((scored / "predictions").glob("*.mask.png")))
        == len(samples)
    )
    learnt = len(samples) - len(preparation.parts(recipe).test)
    assert f"{learnt} of these {len(samples)} images were learnt from" in capsys.readouterr().out
    assert finished.read_json("metrics.json").keys() >= metrics.keys() - {"data"}


def test_images_of_any_size_are_predicted_and_bad_ones_named(finished, tmp_path, capsys):
    images = tmp_path / "images"
    files.write(images / "odd.png", np.random.default_rng(0).integers(0, 255, (37, 83, 1), np.uint8))
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UserError, match=r"broken\.png"):
        predict(Segmenter.load(finished / "model.keras"), images, tmp_path / "masks")
    assert read_mask(tmp_path / "masks" / "odd.mask.png", class_ids(1)).shape == (37, 83)


def test_predicting_again_leaves_what_is_there_and_refuses_to_replace_it(finished, tmp_path, capsys):
    files.write(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (40, 50, 1), np.uint8))
    model = Segmenter.load(finished.path, engine="tensorflow")
    predict(model, tmp_path / "a.png", tmp_path / "out")
    before = (tmp_path / "out" / "a.mask.png").stat().st_mtime_ns
    predict(model, tmp_path / "a.png", tmp_path / "out")
    assert "wrote 0 of 1 result" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"threshold: 0.5 then, 0.3 now") as refused:
        predict(model, tmp_path / "a.png", tmp_path / "out", threshold=0.3)
    assert "--force" in refused.value.messages[0]
    by_openvino = replace(model, backend=replace(model.backend, name="openvino"))
    with pytest.raises(UserError, match=r"engine: 'tensorflow' then, 'openvino' now"):
        predict(by_openvino, tmp_path / "a.png", tmp_path / "out")
    assert (tmp_path / "out" / "a.mask.png").stat().st_mtime_ns == before
    predict(model, tmp_path / "a.png", tmp_path / "out", threshold=0.3, force=True)
    assert (tmp_path / "out" / "a.mask.png").stat().st_mtime_ns != before


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
def test_a_run_keeps_its_network_for_openvino(finished):
    facts = finished.read_json("openvino/facts.json")
    assert facts["weights"] == finished.read_json("spec.json")["weights"]
    assert facts["largest_difference"] < 1e-4


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
def test_another_engine_finds_the_same(finished, tmp_path):
    files.write(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (40, 50, 1), np.uint8))
    for engine in ("tensorflow", "openvino"):
        model = Segmenter.load(finished.path, engine=engine)
        predict(model, tmp_path / "a.png", tmp_path / engine, what="probabilities")
    found = [next((tmp_path / engine).glob("a.*")) for engine in ("tensorflow", "openvino")]
    np.testing.assert_allclose(*map(files.read, found), atol=1e-4)


def test_a_wrong_setting_is_named(finished, tmp_path):
    model = Segmenter.load(finished.path)
    with pytest.raises(UserError, match=r"blend.*'hann'"):
        predict(model, tmp_path, tmp_path / "out", blend="han", tile=64)


def test_a_model_that_is_sent_to_another_process_opens_itself_there(finished):
    model, tiles = Segmenter.load(finished.path), np.random.default_rng(0).random((2, 32, 64, 1), np.float32)
    sent = pickle.loads(pickle.dumps(model.backend.elsewhere))
    np.testing.assert_array_equal(sent(tiles), model.backend.forward(tiles))
    with pytest.raises(UserError, match="another model"):
        replace(sent, weights="ab")(tiles)


def test_an_export_gets_the_next_number_and_answers_without_kerasseg(finished):
    export(finished.path)
    script = (
        "import sys; sys.modules['kerasseg'] = None\n"
        "import numpy as np, tensorflow as tf\n"
        f"serve = tf.saved_model.load({str(finished / 'export' / '2')!r}).signatures['serving_default']\n"
        "print(serve(image=tf.zeros((1, 50, 70, 1), tf.uint8))['probabilities'].shape)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "(1, 50, 70, 1)"


def test_a_run_that_was_killed_just_before_its_end_goes_on_to_the_same_scores(finished, recipe, tmp_path):
    again = rundirectory.RunDirectory(tmp_path / "tiny" / "1")
    shutil.copytree(finished.path, again.path)
    again.set_state("running")
    (again / "model.keras").unlink()
    run(recipe, directory=tmp_path, resume=True)
    assert again.state == "finished"
    assert again.read_json("metrics.json")["test"] == finished.read_json("metrics.json")["test"]
    assert (again / "model.keras").is_file()


@pytest.mark.parametrize(("to", "result"), [("coco", "a.coco.json"), ("png", "a.mask.png")])
def test_outlines_are_those_of_objects_unless_something_else_is_wanted(finished, tmp_path, to, result):
    files.write(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (40, 50, 1), np.uint8))
    words = f"predict {finished.path} {tmp_path / 'a.png'} {tmp_path / 'out'} --to {to}"
    assert CliRunner().invoke(app, words.split()).exit_code == 0
    assert (tmp_path / "out" / result).is_file()
    refused = CliRunner().invoke(app, [*words.split(), "--what", "probabilities"])
    assert refused.exit_code == 2


def test_a_finished_run_is_not_resumed(finished, recipe, folder):
    with pytest.raises(UserError, match="has finished"):
        run(recipe, directory=folder / "runs", resume=True)


def test_an_unfinished_run_of_another_recipe_is_refused_with_what_differs(recipe, tmp_path):
    rundirectory.create(recipe.name, recipe.to_yaml(), tmp_path)
    other = load_with(recipe, tmp_path, "train.epochs=9")
    with pytest.raises(UserError, match=r"train\.epochs: 2 then, 9 now"):
        run(other, directory=tmp_path, resume=True)


def load_with(recipe, folder, *overrides):
    path = folder / "other.yaml"
    path.write_text(recipe.to_yaml())
    return load(path, overrides)


def test_resuming_where_nothing_ran_says_so(recipe, tmp_path):
    with pytest.raises(UserError, match="no run to resume"):
        run(recipe, directory=tmp_path, resume=True)


def test_a_run_that_is_refused_leaves_its_number_to_the_next(recipe, tmp_path):
    bad = load_with(recipe, tmp_path, f"data.source.sartorius.root={tmp_path / 'nowhere'}")
    with pytest.raises(UserError, match="nowhere"):
        run(bad, directory=tmp_path / "runs")
    assert rundirectory.create("tiny", "", tmp_path / "runs").path == tmp_path / "runs" / "tiny" / "1"


def test_what_workers_must_agree_on_tells_recipes_and_images_apart(recipe):
    parts = preparation.parts(recipe)
    told = _to_be_the_same(recipe, parts, False)
    assert json.loads(json.dumps(told)) == told
    fewer = replace(parts, train=parts.train[1:])
    other = recipe.model_copy(update={"seed": 4})
    (seed,) = changes(told, _to_be_the_same(other, parts, False))
    assert seed == "recipe.seed: 3 then, 4 now"
    assert [line.partition(":")[0] for line in changes(told, _to_be_the_same(recipe, fewer, True))] == [
        "--resume",
        "data.train.images",
        "data.train.names and sizes",
    ]


def test_check_counts_without_reading_pixels(recipe, capsys):
    check.check(recipe)
    said = capsys.readouterr().out
    assert "16 images of 64x96" in said
    assert "8 train, 4 validation, 4 test" in said
    assert "3 an epoch in batches of 2 at 32x64" in said


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_that_is_no_model_is_refused(content, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a Keras model"):
        load_model(path)


def test_a_model_that_carries_code_is_refused(tmp_path):
    image = keras.Input((4,))
    keras.Model(image, keras.layers.Lambda(lambda x: x)(image)).save(tmp_path / "model.keras")
    with pytest.raises(UserError, match="safely"):
        load_model(tmp_path / "model.keras")


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"holds recipe\.yaml"):
        Segmenter.load(tmp_path)


def test_an_exported_file_is_not_replaced_unless_that_was_asked_for(finished, tmp_path):
    (tmp_path / "cells.onnx").write_text("mine")
    with pytest.raises(UserError, match=r"cells\.onnx: it exists; replace it by --overwrite"):
        export(finished.path, tmp_path / "cells.onnx", to="onnx")
    assert (tmp_path / "cells.onnx").read_text() == "mine"
    with pytest.raises(UserError, match=r"cells\.onnx: expected the name of a file that ends with \.zip"):
        export(finished.path, tmp_path / "cells.onnx", to="bioimageio")


def test_a_landscape_is_learnt_predicted_in_bands_and_exported(recipe, folder):
    changes = [
        "train.epochs=1",
        "instances={deep_watershed: {smallest: 4}}",
        "predict={tile: 32, overlap: 8}",
    ]
    path = folder / "deep.yaml"
    path.write_text(recipe.to_yaml())
    finished = run(load(path, ["name=deep", "data.resize=null", *changes]), directory=folder / "runs")
    segmenter = Segmenter.load(finished.path)
    assert segmenter.spec.output_names == ("cell", "landscape")
    image = next((folder / "data").rglob("*.png"))
    labels = segmenter.labels(image)
    predict(segmenter, image, folder / "deep", what="labels", to="tiff")
    (written,) = (folder / "deep").glob("*.labels.ome.tif")
    np.testing.assert_array_equal(tifffile.imread(written), labels)
    served = tf.saved_model.load(str(finished.path / "export" / "1")).signatures["tiles"]
    assert served.structured_outputs["probabilities"].shape[-1] == 2
