"""A model that comes with the package is found by its name, wherever a run is taken."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from specs import write_run
from typer.testing import CliRunner

import kerasseg
from kerasseg.cli import app
from kerasseg.errors import Blocked, Notice, UserError
from kerasseg.images import files
from kerasseg.runs import rundirectory, shipped

CARD = """---
finds: bright spots
data: noise
license: Apache-2.0
recipe: spots
scores: {spot: {Dice: 0.9, PQ: 0.8}}
test_images: 3
---
# spots-2d

Finds bright spots.
"""
IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Stand in an empty folder, and let a model come with the package that answers with the image itself."""
    image = keras.Input((None, None, 1))
    identity = keras.layers.Conv2D(1, 1, kernel_initializer="ones")
    folder = tmp_path / "shipped" / "spots-2d"
    write_run(folder, keras.Model(image, identity(image)))
    (folder / shipped.CARD).write_text(CARD)
    monkeypatch.setattr(shipped, "FOLDER", folder.parent)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def typed(*words):
    return CliRunner().invoke(app, list(words), prog_name="kerasseg", env={"COLUMNS": "100"})


def test_a_model_is_loaded_by_its_name(place):
    segmenter = kerasseg.Segmenter.load("spots-2d")
    np.testing.assert_allclose(segmenter.probabilities(IMAGE)[..., 0], IMAGE / 255, atol=1e-6)


def test_a_folder_of_that_name_comes_first_and_that_is_said(place):
    shutil.copytree(shipped.FOLDER / "spots-2d", "spots-2d")
    with pytest.warns(Notice, match="spots-2d: taking what lies here, and not the shipped model"):
        run = rundirectory.existing(Path("spots-2d"))
    assert run.path == Path("spots-2d")
    assert not run.is_shipped


@pytest.mark.parametrize("name", ["../shipped/spots-2d/..", "spots-2d/..", "/spots-2d", "."])
def test_a_name_is_no_path(place, name):
    with pytest.raises(UserError, match="not a run"):
        rundirectory.existing(Path(name))


def test_a_misspelt_name_is_answered_with_the_nearest_ones(place):
    answer = r"runs/NAME/1.*one of spots-2d; did you mean 'spots-2d'.*kerasseg models"
    with pytest.raises(UserError, match=answer):
        kerasseg.Segmenter.load("spot-2d")


def test_models_are_listed_and_a_card_is_shown(place):
    listed = typed("models")
    assert listed.exit_code == 0
    for word in ("spots-2d", "bright spots", "Dice 0.9", "spots"):
        assert word in listed.output
    assert "Finds bright spots." in typed("models", "spots-2d").output
    assert "did you mean 'spots-2d'?" in typed("models", "spots2d").output
    shutil.rmtree(shipped.FOLDER)
    assert typed("models").exit_code == 2


def test_an_altered_file_of_weights_is_refused(place):
    file = shipped.FOLDER / "spots-2d" / "model.keras"
    other = keras.models.load_model(file)
    other.set_weights([weight + 1e-3 for weight in other.get_weights()])
    other.save(file)
    with pytest.raises(Blocked, match=r"its weights are not those of spec\.json"):
        kerasseg.Segmenter.load("spots-2d").mask(IMAGE)


def test_images_are_segmented_by_a_name_that_is_typed(place):
    files.write(place / "images" / "a.png", IMAGE)
    shown = typed("predict", "spots-2d", "images", "results", "--what", "labels")
    assert shown.exit_code == 0
    found = files.read_values(place / "results" / "a.labels.png")[..., 0]
    np.testing.assert_array_equal(found, kerasseg.Segmenter.load("spots-2d").labels(IMAGE))
    refused = typed("predict", "spots-2d", "images", "others", "--diameter", "30")
    assert refused.exit_code == 2
    assert "does not know the diameter" in " ".join(refused.output.split())
    assert not (place / "others").exists()


@pytest.mark.parametrize("verb", [("evaluate", "spots-2d"), ("report", "spots-2d")])
def test_what_needs_the_results_of_training_is_refused(place, verb):
    answer = typed(*verb)
    assert answer.exit_code == 2
    assert "a shipped model" in " ".join(answer.output.split())
    assert "evaluate spots-2d --data" in " ".join(answer.output.split())


def test_what_is_made_of_a_shipped_model_goes_here(place):
    assert rundirectory.existing(Path("spots-2d")).results == Path("runs/spots-2d")
    own = place / "runs" / "cells" / "1"
    assert rundirectory.RunDirectory(own).results == own
