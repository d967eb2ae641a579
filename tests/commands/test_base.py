"""A run that goes on from another: what it takes, says, keeps and refuses."""

from dataclasses import replace

import numpy as np
import pytest

from kerasseg.commands import base, build, check
from kerasseg.commands.train import run
from kerasseg.errors import UserError
from kerasseg.models.saved import load_model
from kerasseg.recipe import load
from kerasseg.runs import rundirectory
from kerasseg.runs.rundirectory import BASE, RunDirectory
from kerasseg.segmenter import read_spec
from kerasseg.synthetic.cells import synthesize

TINY = """
name: {name}
data:
  source: {{sartorius: {{root: {root}}}}}
  classes: [cell]
  channels: 1
  resize: [32, 64]
  split: {{train: 0.75, test: 0.25, validation: 0.34, group_by: sample_id}}
model: {{unet: {{encoder: plain, levels: 2, base_filters: 2, attention: false}}}}
train: {{epochs: 1, batch_size: 2, steps_per_epoch: 1}}
instances: null
export: {{saved_model: false}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    synthesize(folder / "data", images=8, size=(32, 64), seed=1)
    return folder


@pytest.fixture(scope="module")
def before(folder):
    """The run that others go on from."""
    return run(recipe(folder, "before"), directory=folder / "runs").path


def recipe(folder, name, *overrides):
    path = folder / f"{name}.yaml"
    path.write_text(TINY.format(name=name, root=folder / "data"))
    return load(path, overrides)


@pytest.fixture(scope="module")
def after(folder, before):
    """A run of which the encoder is frozen all the time."""
    going_on = (f"train.start_from={before}", "train.encoder.frozen_epochs=1", "data.normalise=minmax")
    return run(recipe(folder, "after", *going_on), directory=folder / "runs")


def test_the_encoder_is_that_of_the_base(before, after):
    ours, theirs = (load_model(each / rundirectory.MODEL) for each in (after.path, before))
    for name in ("encoder0a_conv", "encoder1b_bn"):
        for mine, others in zip(
            ours.get_layer(name).get_weights(), theirs.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, others)
    assert not np.array_equal(*(each.get_layer("head_conv").get_weights()[0] for each in (ours, theirs)))


def test_the_run_keeps_and_says_what_it_went_on_from(before, after):
    facts = {"run": str(before), "weights": read_spec(before).weights, "taken": "all weights"}
    assert after.read_json(BASE) == facts
    log = (after / rundirectory.LOG).read_text()
    assert f"going on from {before} ({facts['weights'][:12]}): all weights" in log
    assert f"warning: {before} has learnt with normalise dtype, and gets minmax" in log
    for page in (rundirectory.REPORT,):
        text = (after / page).read_text()
        assert str(before) in text
        assert facts["weights"][:12] in text


def test_check_finds_what_does_not_fit(folder, before, capsys):
    check.check(recipe(folder, "fits", f"train.start_from={before}", "model.unet.attention=true"))
    assert "the encoder's weights" in capsys.readouterr().out
    larger = recipe(folder, "larger", f"train.start_from={before}", "model.unet.base_filters=4")
    with pytest.raises(UserError, match=r"encoder0a_conv is Conv2D with weights of 3x3x1x4 here"):
        check.check(larger)
    with pytest.raises(UserError, match=r"train\.start_from: runs.nowhere.1: not a run"):
        check.check(recipe(folder, "nowhere", "train.start_from=runs/nowhere/1"))


def test_objects_of_another_size_are_new(before):
    spec = replace(read_spec(before), diameter=20.0)
    assert base._news(spec, replace(spec, diameter=24.0)) == []
    (line,) = base._news(spec, replace(spec, diameter=60.0))
    assert line == "objects 20 pixels across, and gets such of 60"


def test_batch_normalisation_stays_frozen_where_the_recipe_says_so(folder):
    """Without a look at ImageNet's weights, which are replaced."""
    encoder = "model={unet: {encoder: efficientnetlite0}}"
    model = build.network(recipe(folder, "lite", encoder, "train.start_from=runs/lite/1"), 1)
    frozen = [layer.name for layer in model.layers if not layer.trainable]
    assert {"stem_bn", "block1a_bn"} <= {*frozen}
    assert all(name.endswith("_bn") and name.startswith(("stem", "block")) for name in frozen)


def test_an_encoder_that_knows_nothing_is_not_frozen(folder):
    with pytest.raises(UserError, match="all weights are drawn at random"):
        recipe(folder, "random", "train.encoder.frozen_epochs=1")


def test_a_base_that_has_changed_is_noticed(tmp_path, before):
    began = RunDirectory(tmp_path)
    facts = {"run": str(before), "weights": "0" * 64, "taken": "all weights"}
    base.keep(facts, began)
    assert not base.is_current(began)
    with pytest.raises(UserError, match="has changed"):
        base.keep(facts | {"weights": read_spec(before).weights}, began)


def test_a_base_that_is_gone_changes_nothing(tmp_path):
    began = RunDirectory(tmp_path)
    base.keep({"run": str(tmp_path / "gone"), "weights": "0" * 64, "taken": "all weights"}, began)
    assert base.is_current(began)
