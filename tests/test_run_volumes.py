"""Whole runs on tiny drawn volumes: the recipes for Golgi, each as small as its engine lets it be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tifffile

from kerasseg.commands import preparation
from kerasseg.commands.build import seen_size
from kerasseg.commands.export import export
from kerasseg.commands.predict import predict
from kerasseg.commands.train import run
from kerasseg.images import files
from kerasseg.images.stores.store import open_store
from kerasseg.inference import mask_files
from kerasseg.recipe import load
from kerasseg.runs.rundirectory import RECIPE
from kerasseg.segmenter import Segmenter, load_trained
from kerasseg.synthetic.golgi import synthesize

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
SPACING = (1.0, 0.6, 0.6)
WHOLE = {"tile": 64, "overlap": 0, "blend": "crop"}
TINY = (
    "data.patch.size=16",
    "data.allow_empty=true",  # the one volume to learn from may have no Golgi
    "data.split={train: 0.67, test: 0.33, validation: 0.5}",
    "train.epochs=1",
    "train.steps_per_epoch=2",
    "train.batch_size=1",
    "train.optimizer.adam.learning_rate=0.01",
    "predict={tile: 16, overlap: 4}",
    "export.saved_model=false",
)
SMALL_JUDGE = "discriminator={patchgan: {base_filters: 2, levels: 1}}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golgi")
    drawn = {"size": (12, 24, 28), "pairs": (2, 2), "spacing": SPACING}
    synthesize(folder / "data", volumes=3, **drawn)
    synthesize(folder / "masks", volumes=1, masks_only=True, **drawn)
    return folder


def follow(folder, name, *overrides):
    root = f"data.source.volumes.root={folder / 'data'}"
    return run(load(RECIPES / f"{name}.yaml", [root, *TINY, *overrides]), directory=folder / "runs")


def judged(finished):
    return preparation.parts(load(finished / RECIPE)).test


def answer(finished, sample):
    """Ask a run's model as a program would that knows its folder alone."""
    segmenter = Segmenter.load(finished.path)
    whole = replace(segmenter.spec.tiling, **WHOLE)
    return replace(segmenter, spec=replace(segmenter.spec, tiling=whole)).predict(sample.read(), sample.name)


@pytest.fixture(scope="module")
def unet(folder):
    small = "model.unet.base_filters=2", "model.unet.levels=2"
    return follow(folder, "golgi_unet3d", *small, "export.saved_model=true")


def test_each_class_is_scored_by_the_channel_that_was_written_for_it(unet):
    scores = unet.read_json("metrics.json")["test"]["images"]
    (sample,) = judged(unet)
    truth = sample.annotate().mask.astype(bool)
    found = mask_files.read(unet / "predictions" / sample.name, exclusive=False).astype(bool)
    assert list(scores[sample.name]) == ["golgi", "nuclei"]
    for at, of in enumerate(scores[sample.name].values()):
        both = np.count_nonzero(truth[..., at] & found[..., at])
        sizes = np.count_nonzero(truth[..., at]) + np.count_nonzero(found[..., at])
        assert of["dice"] == pytest.approx(2 * both / sizes)


def test_masks_name_their_channels_and_their_voxels(unet):
    (path,) = (unet / "predictions").glob("*.mask.ome.tif")
    with tifffile.TiffFile(path) as file:
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
        assert (file.series[0].axes, file.series[0].shape) == ("ZCYX", (12, 2, 24, 28))
    assert [channel["Name"] for channel in pixels["Channel"]] == ["golgi", "nuclei"]
    assert tuple(pixels[f"PhysicalSize{axis}"] for axis in "ZYX") == SPACING


def test_the_page_shows_volumes(unet):
    page = (unet / "report.html").read_text(encoding="utf-8")
    shown = [*(unet / "examples").iterdir(), *(unet / "predictions" / "overlays").iterdir()]
    assert len(shown) == 2
    assert page.count("data:image/jpeg;base64,") == len(shown)
    assert "SYNTHETIC" in page


def test_the_saved_model_answers_a_volume_as_the_keras_model_does(unet):
    (sample,) = judged(unet)
    serve = tf.saved_model.load(str(unet / "export" / "1")).signatures["serving_default"]
    served = serve(image=tf.constant(sample.read()[None]))["probabilities"][0]
    np.testing.assert_allclose(served, answer(unet, sample), atol=1e-5)


def test_a_model_looks_at_patches_of_the_size_that_its_recipe_asks_for(unet):
    assert unet.read_json("model.json")["size"] == [16, 16, 16]
    assert unet.read_json("spec.json")["stride"] == [2, 2, 2]


def test_the_cost_is_measured_at_the_size_of_what_is_learnt_from(unet):
    samples = preparation.parts(load(unet / RECIPE)).train
    assert unet.read_json("model.json")["size"] == [16, 16, 16]
    whole = load(unet / "recipe.yaml", ["data.patch=null"])
    assert seen_size(whole, (2, 2, 2), samples) == (12, 24, 28)
    moments = [(unet / name).stat().st_mtime_ns for name in ("metrics.json", "model.json")]
    assert moments == sorted(moments)  # scores are not waited for


def test_vox2vox_leaves_its_generator_alone(folder):
    small = "{base_filters: 2, levels: 2, residual_blocks: 1}"
    against = f"train.engine.adversarial.{SMALL_JUDGE}"
    finished = follow(folder, "golgi_vox2vox", f"model.vox2vox={small}", against)
    _, model = load_trained(finished.path)
    assert (model.name, model.input_shape[-1], model.output_shape[-1]) == ("vox2vox", 2, 2)
    (sample,) = judged(finished)
    assert answer(finished, sample).shape == (12, 24, 28, 2)
    assert {"discriminator_loss", "generator_loss"} <= set(history(finished))


def test_cyclegan_shows_samples_and_segments_by_one_generator(folder, tmp_path):
    drawn = f"data.unpaired.volumes.root={folder / 'masks'}"
    small = "model.resnet={base_filters: 2, residual_blocks: 1, outer_kernel: 3}"
    finished = follow(folder, "golgi_cyclegan", drawn, small, f"train.engine.cycle.{SMALL_JUDGE}")
    rows, framed = 4, 16 + 2
    assert files.read(finished / "samples" / "epoch-0001.png").shape == (rows * framed, 6 * framed, 3)
    assert "epoch 0001" in (finished / "report.html").read_text(encoding="utf-8")

    (sample,) = judged(finished)
    volume = Path(str(sample.image))
    predict(Segmenter.load(finished.path), volume, tmp_path, what="probabilities", **WHOLE)
    (written,) = tmp_path.glob("*.ome.tif")
    with open_store(written) as store:
        found = store.read((slice(None),) * 3)
    export(finished.path)
    serve = tf.saved_model.load(str(finished / "export" / "1")).signatures["serving_default"]
    served = serve(image=tf.constant(sample.read()[None]))["probabilities"][0]
    np.testing.assert_allclose(served, found, atol=1e-5)


def history(finished):
    header, *_ = (finished / "history.csv").read_text().splitlines()
    return header.split(",")
