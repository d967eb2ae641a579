"""A finished run becomes a model that comes with the package: small, and nothing of its maker's in it."""

import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from ship_model import MODELS, WEIGHTS, compared, for_any_size, ship, store_half

import kerasseg
from kerasseg.commands import preparation
from kerasseg.commands.evaluate import evaluate_on
from kerasseg.commands.export import export
from kerasseg.commands.train import run
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.recipe import load
from kerasseg.runs import shipped
from kerasseg.runs.rundirectory import RECIPE

ROOT = Path(__file__).resolve().parents[2]
RECIPE_TEXT = """
name: squares
data:
  source: {{instances: {{root: {root}}}}}
  classes: [square]
  channels: 1
  patch: {{size: 32, foreground: 0.5}}
  split: {{train: 0.7, test: 0.3, validation: 0.3}}
model: {{unet: {{encoder: plain, base_filters: 4, levels: 2, attention: false, batchnorm_momentum: 0.5}}}}
train: {{epochs: 2, batch_size: 2, steps_per_epoch: 4, optimizer: {{adam: {{learning_rate: 1.0e-2}}}}}}
predict: {{tile: 64, overlap: 8}}
instances: {{components: {{}}}}
export: {{saved_model: false}}
"""


def write_field(root, name, seed):
    """Write a dark field with two bright squares of 10 pixels."""
    image = np.random.default_rng(seed).integers(0, 60, (48, 40), np.uint8)
    for number, corner in enumerate((4, 24)):
        square = np.zeros(image.shape, np.uint8)
        square[corner : corner + 10, corner : corner + 10] = 255
        image[square == 255] = 200
        files.write(root / name / "masks" / f"{number}.png", square)
    files.write(root / name / "images" / f"{name}.png", image)


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    root = tmp_path_factory.mktemp("makers") / "fields"
    for number in range(8):
        write_field(root, f"field{number}", number)
    return root


@pytest.fixture(scope="module")
def finished(fields):
    recipe = fields.parent / "squares.yaml"
    recipe.write_text(RECIPE_TEXT.format(root=fields))
    return run(load(recipe), directory=fields.parent / "runs")


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    return ship(finished, "squares-2d", MODELS["nuclei-2d"], tmp_path_factory.mktemp("shipped"))


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """Stand elsewhere, where the model is a shipped one."""
    monkeypatch.setattr(shipped, "FOLDER", folder.parent)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_answers_are_the_run_s_within_what_float16_can_say(folder, finished, fields, here):
    image = files.read(fields / "field0" / "images" / "field0.png")
    then, now = kerasseg.Segmenter.load(finished.path), kerasseg.Segmenter.load("squares-2d")
    np.testing.assert_allclose(now.probabilities(image), then.probabilities(image), atol=0.01)
    assert replace(now.spec, weights="") == replace(then.spec, weights="")


def test_it_knows_the_scale_that_it_learnt_at(here):
    spec = kerasseg.Segmenter.load("squares-2d").spec
    assert spec.diameter == pytest.approx(2 * np.sqrt(100 / np.pi))
    assert spec.pixel_size is None


def test_kernels_alone_are_in_half_precision(folder, finished, tmp_path):
    store_half(finished / "model.keras", tmp_path / "half.keras")
    zipfile.ZipFile(tmp_path / "half.keras").extract(WEIGHTS, tmp_path)
    with h5py.File(tmp_path / WEIGHTS) as file:
        nodes = []
        file.visititems(lambda _, node: nodes.append(node))
        kinds = {(node.ndim > 1, node.dtype.name) for node in nodes if isinstance(node, h5py.Dataset)}
    assert kinds == {(True, "float16"), (False, "float32")}


def test_nothing_tells_of_the_maker_s_machine(folder, fields):
    for path in folder.iterdir():
        assert str(fields.parents[1]).encode() not in path.read_bytes(), path.name
    assert load(folder / RECIPE).data.source.root == Path("fields")


def test_the_card_says_what_it_is_worth_and_what_it_is_not_for(folder):
    facts, text = shipped.card_of(folder)
    assert facts["test_images"] == 2
    assert {*facts["scores"]["square"]} == {"Dice", "AP (COCO)", "PQ", "AJI"}
    for words in ("CC0-1.0", "not for", "| square |", "recipes copy squares", "| objects of |"):
        assert words in text


def test_one_size_of_all_images_becomes_a_scale_for_images_of_any(finished, fields):
    segmenter, recipe = kerasseg.Segmenter.load(finished.path), load(finished / RECIPE)
    parts = preparation.parts(recipe)  # of images of 48 x 40
    resizing = replace(segmenter.spec, resize=(24, 20), diameter=None)
    scaling = for_any_size(resizing, recipe, parts)
    assert (scaling.resize, scaling.scale, scaling.diameter) == (None, 0.5, segmenter.spec.diameter / 2)
    image = files.read(fields / "field0" / "images" / "field0.png")
    then, now = (replace(segmenter, spec=each).probabilities(image) for each in (resizing, scaling))
    np.testing.assert_allclose(now, then, atol=1e-5)
    with pytest.raises(UserError, match=r"to scales from 0\.5 to 0\.6"):
        for_any_size(replace(resizing, resize=(24, 24)), recipe, parts)


def test_answers_that_change_too_much_are_refused(folder, finished):
    segmenter = kerasseg.Segmenter.load(finished.path)
    shifted = replace(segmenter, spec=replace(segmenter.spec, threshold=0.01))
    with pytest.raises(UserError, match="--float32"):
        compared(segmenter, shifted, preparation.parts(load(finished / RECIPE)).test)


def test_it_is_exported_and_evaluated_like_a_run_and_what_comes_of_it_lies_here(here, fields):
    export(Path("squares-2d"), to="bioimageio")
    assert (here / "runs/squares-2d/squares.zip").is_file()
    assert evaluate_on(Path("squares-2d"), fields) == Path("runs/squares-2d/evaluations/fields")
    assert (here / "runs/squares-2d/evaluations/fields/metrics.json").is_file()


def test_wheel_and_source_carry_it(folder, tmp_path):
    copied = tmp_path / "kerasseg"
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        copied.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, copied)
    for name in ("kerasseg", "recipes"):
        shutil.copytree(ROOT / name, copied / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(folder, copied / "kerasseg" / "shipped" / "squares-2d")
    build = "from setuptools import build_meta as b; b.build_wheel('out'); b.build_sdist('out')"
    subprocess.run([sys.executable, "-c", build], cwd=copied, check=True, capture_output=True)
    (wheel,), (source,) = (copied / "out").glob("*.whl"), (copied / "out").glob("*.tar.gz")
    files_there = {f"kerasseg/shipped/squares-2d/{path.name}" for path in folder.iterdir()}
    assert files_there <= {*zipfile.ZipFile(wheel).namelist()}
    shutil.unpack_archive(source, tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert all((unpacked / name).is_file() for name in files_there)
