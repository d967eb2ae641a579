"""A run's folder says how far the run is."""

import pytest

from kerasseg.errors import Blocked, UserError
from kerasseg.recipe import load
from kerasseg.runs import rundirectory
from kerasseg.runs.rundirectory import RECIPE, RunDirectory
from kerasseg.segmenter import load_trained


def create(recipe, root):
    return rundirectory.create(recipe.name, recipe.to_yaml(), root)


def unfinished(recipe, root):
    return rundirectory.unfinished(recipe.name, recipe.to_yaml(), root)


def test_an_error_is_kept_until_the_run_is_gone_on_with(tmp_path):
    run = RunDirectory(tmp_path)
    with pytest.raises(OSError, match="full"), run.kept():
        raise OSError("the disk is full")
    failed = run.read_json("status.json")
    assert (failed["state"], failed["error"]) == ("failed", "the disk is full")
    with run.kept():
        run.set_state("finished")
    finished = run.read_json("status.json")
    assert finished["state"] == "finished"
    assert "error" not in finished
    assert finished["started"] == failed["started"]


def test_a_run_that_is_refused_after_it_learnt_something_is_kept(tmp_path):
    run = create(load("sartorius_linknet"), tmp_path)
    (run / "checkpoints").mkdir()
    with pytest.raises(UserError, match="no image"), run.kept():
        raise UserError("no image")
    assert run.state == "failed"
    (run / "checkpoints").rmdir()
    with pytest.raises(UserError, match="no image"), run.kept():
        raise UserError("no image")
    assert not run.path.exists()


def test_a_run_that_goes_on_is_not_resumed(tmp_path):
    recipe = load("sartorius_linknet")
    with create(recipe, tmp_path).kept() as run:
        beside = unfinished(recipe, tmp_path)
        with pytest.raises(Blocked, match=rf"^{run.path}: process \d+ .* is at work there"), beside.kept():
            pass
        assert run.state == "running"
    with beside.kept():
        pass


def test_a_run_that_was_killed_before_it_had_a_recipe_is_resumed(tmp_path):
    recipe = load("sartorius_linknet")
    (tmp_path / recipe.name / "1").mkdir(parents=True)
    assert load(unfinished(recipe, tmp_path) / RECIPE) == recipe


def test_a_folder_of_runs_leads_to_the_last(tmp_path):
    for number in ("2", "10"):
        (tmp_path / "cells" / number).mkdir(parents=True)
    with pytest.raises(UserError, match=r"cells: this folder holds runs; name one, such as .*cells/10$"):
        rundirectory.existing(tmp_path / "cells")


def test_a_run_without_a_model_tells_why_it_failed(tmp_path):
    (tmp_path / "recipe.yaml").touch()
    with pytest.raises(
        UserError, match=r"no trained model yet; continue it with kerasseg run RECIPE --resume"
    ):
        load_trained(tmp_path)
    RunDirectory(tmp_path).set_state("failed", error="the split is empty\nand more")
    with pytest.raises(
        UserError, match=r"it failed: the split is empty; correct that and run the recipe again$"
    ):
        load_trained(tmp_path)
