"""A tiny cascade from its file to its results: cells, and spots that are looked for within cells."""

import json
import re
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from kerasseg.cascade import Cascade
from kerasseg.cli.main import app
from kerasseg.commands import cascade as verb
from kerasseg.commands import preparation
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.inference import mask_files
from kerasseg.recipe import load
from kerasseg.recipe.cascade import load_cascade
from kerasseg.runs.rundirectory import RunDirectory
from kerasseg.segmenter import Segmenter

TINY = """
name: tiny
stages:
  spots:
    within: cells.cell
    recipe:
      data:
        source: {{images_masks: {{root: {root}, masks: both}}}}
        classes: [cell, spot]
        channels: 1
        split: {{train: 0.75, test: 0.25, validation: 0.34}}
      model: &model {{unet: {{encoder: plain, levels: 2, base_filters: 4, attention: false}}}}
      train: &train
        {{epochs: 1, batch_size: 2, steps_per_epoch: 20, optimizer: {{adam: {{learning_rate: 0.02}}}}}}
      predict: &predict {{tile: 32, overlap: 4}}
      export: {{saved_model: false}}
  cells:
    recipe:
      data:
        source: {{images_masks: {{root: {root}, masks: cells}}}}
        classes: [cell]
        channels: 1
        split: {{train: 0.75, test: 0.25, validation: 0.34}}
      model: *model
      train: *train
      predict: *predict
      export: {{saved_model: false}}
merge: [spots.spot, cells.cell]
"""
STEPS = {"cells": 19, "spots": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight images of a grey cell with a white spot."""
    folder = tmp_path_factory.mktemp("cascade")
    rng = np.random.default_rng(0)
    for number in range(8):
        mask = np.zeros((32, 40), np.uint8)
        y, x = rng.integers(2, 12, 2)
        mask[y : y + 16, x : x + 16], mask[y + 4 : y + 10, x + 4 : x + 10] = 1, 2
        image = np.array([20, 120, 220], np.uint8)[mask] + rng.integers(0, 20, mask.shape, np.uint8)
        files.write(folder / "data" / "images" / f"{number}.png", image)
        files.write(folder / "data" / "both" / f"{number}.png", mask)
        files.write(folder / "data" / "cells" / f"{number}.png", (mask > 0).astype(np.uint8))
    (folder / "tiny.yaml").write_text(TINY.format(root=folder / "data"))
    return folder


def follow(folder, *overrides, **options):
    return verb.run(load_cascade(folder / "tiny.yaml", overrides), directory=folder / "runs", **options)


@pytest.fixture(scope="module")
def trained(folder):
    return follow(folder)


@pytest.fixture
def copied(trained, tmp_path):
    """The folder of a copy, to be changed, as if it had been trained there."""
    shutil.copytree(trained.parents[0], tmp_path / "runs")
    shutil.copy(trained.parents[1] / "tiny.yaml", tmp_path)
    recipe = tmp_path / "runs" / "tiny" / "spots" / "1" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace(str(trained), str(tmp_path / "runs" / "tiny")))
    return tmp_path


def test_each_stage_is_a_run(trained):
    assert json.loads((trained / "cascade.json").read_text()) == {
        "name": "tiny",
        "stages": {
            "cells": {"run": "cells/1", "within": None, "sees": []},
            "spots": {"run": "spots/1", "within": ["cells", "cell"], "sees": []},
        },
        "merge": [["spots", "spot"], ["cells", "cell"]],
    }
    assert [RunDirectory(trained / name / "1").state for name in ("cells", "spots")] == ["finished"] * 2


def region_of(run):
    return load(run / "recipe.yaml").data.region.masks


def test_a_stage_learns_nothing_outside_its_region(trained):
    region = region_of(trained / "spots" / "1")
    assert region.parent == trained / "cells" / "1" / "masks"
    cells = [mask_files.read(region / str(number)) for number in range(8)]
    ignored = json.loads((trained / "spots" / "1" / "data.json").read_text())["ignored"]
    assert ignored == sum(np.count_nonzero(mask != 1) for mask in cells)
    assert 0.5 < ignored / (8 * 32 * 40) < 1  # most of an image, which is no mistake here


def test_masks_are_merged_and_traced(folder, trained):
    image = files.read(folder / "data" / "images" / "0.png")
    cascade = Cascade.load(trained)
    cells, spots = (cascade.stage_mask(name, image) for name in ("cells", "spots"))
    np.testing.assert_array_equal(cascade.mask(image), np.where(spots == 2, 1, np.where(cells == 1, 2, 0)))
    np.testing.assert_array_equal(cascade.origins(image), np.where(spots == 2, 2, np.where(cells == 1, 1, 0)))
    np.testing.assert_array_equal(cells, mask_files.read(region_of(trained / "spots" / "1") / "0"))


def test_the_merged_classes_are_scored_on_images_that_no_stage_learnt_from(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["stage"] == "spots"
    assert metrics["left_out"] == 0
    assert list(metrics["test"]["classes"]) == ["spot", "cell"]
    (name, _), *_ = metrics["test"]["images"].items()
    truth = files.read_values(trained.parents[1] / "data" / "both" / f"{name}.png")[..., 0]
    found = mask_files.read(trained / "predictions" / name)
    both = np.count_nonzero((truth == 2) & (found == 1))
    dice = 2 * both / (np.count_nonzero(truth == 2) + np.count_nonzero(found == 1))
    assert metrics["test"]["images"][name]["spot"]["dice"] == pytest.approx(dice)


def test_images_that_a_stage_has_learnt_from_judge_nothing(copied, monkeypatch):
    tested = [
        verb._file(sample)
        for sample in preparation.parts(load_cascade(copied / "tiny.yaml").recipe("spots")).test
    ]
    monkeypatch.setattr(verb, "_learnt", lambda recipes: {tested[0]})
    place = follow(copied)
    metrics = json.loads((place / "metrics.json").read_text())
    assert metrics["left_out"] == 1
    assert list(metrics["test"]["images"]) == [tested[1].stem]
    monkeypatch.setattr(verb, "_learnt", lambda recipes: {*tested})
    reason = "some stage has learnt from each of the 2 test images of spots"
    assert json.loads((follow(copied) / "metrics.json").read_text()) == {"unscored": reason}
    assert f"The merged classes are not scored, as {reason}" in (place / "report.html").read_text()


def test_the_report_links_the_stages_reports(trained):
    links = re.findall(r'href="([^"]+)"', (trained / "report.html").read_text())
    assert links == ["cells/1/report.html", "spots/1/report.html"]
    assert all((trained / link).is_file() for link in links)


def test_the_verb_predicts_and_refuses_what_is_the_stages_own(folder, trained, tmp_path):
    def predict(*options):
        arguments = ["predict", trained, folder / "data" / "images", tmp_path / "out", *options]
        return CliRunner().invoke(app, [*map(str, arguments)])

    refused = predict("--threshold", 0.4, "--tile", 64)
    assert refused.exit_code == 2
    assert "--threshold, --tile" in refused.output
    refused = predict("--what", "probabilities")
    assert refused.exit_code == 2
    assert "has no probabilities" in refused.output
    assert not (tmp_path / "out").exists()
    for what, suffix in (("mask", "mask"), ("stages", "stages"), ("labels", "labels")):
        assert predict("--what", what).exit_code == 0
        assert len([*(tmp_path / "out").glob(f"*.{suffix}.png")]) == 8
    whole = Cascade.load(trained)
    image = files.read(folder / "data" / "images" / "3.png")
    for what, expected in (("mask", whole.mask), ("stages", whole.origins), ("labels", whole.labels)):
        written = files.read_values(tmp_path / "out" / f"3.{what}.png")[..., 0]
        np.testing.assert_array_equal(written, expected(image))


def runs_of(place):
    """Name the runs that a cascade is made of."""
    stages = json.loads((place / "cascade.json").read_text())["stages"]
    return [stage["run"] for stage in stages.values()]


def test_a_changed_recipe_trains_its_stage_again_and_what_looks_within_it(copied, capsys):
    assert runs_of(follow(copied)) == ["cells/1", "spots/1"]
    assert "spots: trained already" in capsys.readouterr().out
    assert runs_of(follow(copied, "stages.spots.recipe.train.steps_per_epoch=2")) == ["cells/1", "spots/2"]
    changed = [f"stages.{name}.recipe.train.steps_per_epoch={steps}" for name, steps in STEPS.items()]
    assert runs_of(follow(copied, *changed)) == ["cells/2", "spots/3"]


def test_regions_are_those_of_the_images_that_are_learnt_from(folder, copied):
    for path in (folder / "data").glob("*/*.png"):
        files.write(copied / "flipped" / path.relative_to(folder / "data"), files.read_values(path)[:, ::-1])
    flipped = f"stages.spots.recipe.data.source.images_masks.root={copied / 'flipped'}"
    place = follow(copied, flipped, "stages.spots.recipe.train.steps_per_epoch=2")
    assert runs_of(place) == ["cells/1", "spots/2"]
    image = files.read(copied / "flipped" / "images" / "0.png")
    cascade = Cascade.load(place)
    for run, learnt_from in (
        ("spots/2", image),
        ("spots/1", image[:, ::-1]),
    ):  # its own still
        region = mask_files.read(region_of(place / run) / "0")
        np.testing.assert_array_equal(region, cascade.stage_mask("cells", learnt_from))


def test_an_interrupted_stage_is_gone_on_with(copied):
    for run, resume in (("spots/1", True), ("spots/2", False)):
        interrupted = RunDirectory(copied / "runs" / "tiny" / "spots" / "1")
        interrupted.set_state("interrupted")
        (interrupted / "model.keras").unlink()
        assert runs_of(follow(copied, resume=resume)) == ["cells/1", run]


def test_a_stage_fails_alone(folder, tmp_path):
    cells_fail = ("stages.cells.recipe.data.source.images_masks.masks=nowhere",)
    with pytest.raises(UserError) as error:
        verb.run(load_cascade(folder / "tiny.yaml", cells_fail), directory=tmp_path)
    assert "nowhere" in error.value.messages[0]
    assert error.value.messages[-1].startswith("spots: it sees something of cells, which is not trained")
    everywhere = load_cascade(folder / "tiny.yaml", [*cells_fail, "stages.spots.within=null"])
    with pytest.raises(UserError, match="nowhere"):
        verb.run(everywhere, directory=tmp_path)
    assert RunDirectory(tmp_path / "tiny" / "spots" / "1").state == "finished"


def test_a_stage_alone_needs_what_it_looks_within(folder, tmp_path):
    cascade = load_cascade(folder / "tiny.yaml")
    with pytest.raises(UserError, match="spots: it sees something of cells, which is not trained"):
        verb.run(cascade, directory=tmp_path, stage="spots")
    with pytest.raises(UserError, match="unknown stage 'spot'"):
        verb.run(cascade, directory=tmp_path, stage="spot")
    assert not (tmp_path / "tiny").exists()
    verb.run(cascade, directory=tmp_path, stage="cells")
    assert not (tmp_path / "tiny" / "cascade.json").exists()
    verb.run(cascade, directory=tmp_path, stage="spots")
    assert (tmp_path / "tiny" / "cascade.json").exists()


def test_a_verb_of_one_model_names_the_stages(trained):
    result = CliRunner().invoke(app, ["evaluate", str(trained)])
    assert result.exit_code == 2
    runs = f"{trained / 'cells/1'}, {trained / 'spots/1'}"
    assert f"it is a cascade; name the run of one of its stages: {runs}" in result.output


def test_the_whole_is_exported_and_its_page_written_again(copied):
    place = copied / "runs" / "tiny"
    (place / "report.html").unlink()
    exported = CliRunner().invoke(app, ["export", str(place), str(copied / "served" / "tiny")])
    assert "served/tiny/1; 0 of the pixels differ" in exported.output
    written = {path.name for path in (copied / "served" / "tiny" / "1").iterdir()}
    assert {"README.md", "saved_model.pb"} <= written
    assert CliRunner().invoke(app, ["report", str(place)]).output == f"wrote {place / 'report.html'}\n"
    assert (place / "report.html").is_file()


def test_stages_are_checked_one_by_one_and_their_mistakes_told_together(folder):
    def check(*overrides):
        return CliRunner().invoke(app, ["check", str(folder / "tiny.yaml"), *overrides])

    checked = check()
    assert checked.exit_code == 0
    assert re.findall(r"^(cells|spots|merged): ?(.*)$", checked.output, re.MULTILINE) == [
        ("cells", ""),
        ("spots", ""),
        ("merged", "spots.spot, cells.cell"),
    ]
    assert checked.output.count("8 images of 32x40") == 2
    roots = [
        f"stages.{name}.recipe.data.source.images_masks.masks={name}_lost" for name in ("cells", "spots")
    ]
    checked = check(*roots)
    assert checked.exit_code == 2
    assert all(f"{name}_lost: there is no such folder" in checked.output for name in ("cells", "spots"))


def test_a_recipe_has_no_stages():
    refused = CliRunner().invoke(app, ["run", "phase_unet", "--stage", "spots"])
    assert refused.exit_code == 2
    assert "only a cascade has stages" in refused.output


def test_mistakes_are_told_before_anything_is_begun(folder, tmp_path):
    wrong = "merge=[spots.spot, cells.membrane]"
    told = CliRunner().invoke(
        app, ["run", str(folder / "tiny.yaml"), wrong, "--directory", str(tmp_path / "runs")]
    )
    assert told.exit_code == 2
    assert "unknown class of cells 'membrane'" in told.output
    assert not (tmp_path / "runs").exists()


def test_real_slices_of_nerve_cord(shared_data, tmp_path):
    """Mitochondria are found by a network that sees membranes, and compared with one network for both.

    Glia is ignored by all (CC BY-NC-SA, https://doi.org/10.6084/m9.figshare.856713).
    """
    source = shared_data / "em" / "vnc_sstem"
    for number in range(5):
        for kind in ("image", "mask"):
            whole = files.read_values(source / kind / f"z{number:02}.png")
            files.write(tmp_path / "vnc" / f"{kind}s" / f"z{number:02}.png", whole[256:512, 256:512])
    values = "{background: 0, membrane: 1, mitochondrion: 2, synapse: 3, ignore: 255}"
    (tmp_path / "vnc.yaml").write_text(f"""
name: vnc
stages:
  tissue:
    recipe: &tissue
      data: &data
        source: {{images_masks: {{root: {tmp_path / "vnc"}, values: {values}}}}}
        classes: [membrane, mitochondrion, synapse]
        channels: 1
        patch: {{size: 64}}
        augment: [D4]
        allow_empty: true
      model: {{tunable_unet: {{levels: 2, base_filters: 4, normalisation: batch, activation: softmax}}}}
      train: {{epochs: 1, batch_size: 4, steps_per_epoch: 15, optimizer: {{adam: {{learning_rate: 0.02}}}}}}
      predict: {{tile: 128, overlap: 16}}
      export: {{saved_model: false}}
  bodies:
    recipe: {{<<: *tissue, data: {{<<: *data, classes: [mitochondrion], background: [membrane, synapse]}}}}
    sees: [tissue.membrane, tissue.synapse]
merge: [bodies.mitochondrion, tissue.membrane]
baseline: *tissue
""")
    place = verb.run(load_cascade(tmp_path / "vnc.yaml"), directory=tmp_path / "runs")
    metrics = json.loads((place / "metrics.json").read_text())
    assert metrics["stage"] == "baseline"
    (name,) = metrics["test"]["images"]
    image = tmp_path / "vnc" / "images" / f"{name}.png"
    truth = files.read_values(tmp_path / "vnc" / "masks" / f"{name}.png")[..., 0]
    cascade, counted = Cascade.load(place), truth != 255
    found = {"test": cascade.mask(image), "baseline": Segmenter.load(place / "baseline" / "1").mask(image)}
    for which, order in (("test", (1, 2)), ("baseline", (2, 1))):  # a synapse is background here
        table = np.array(metrics[which]["confusion"])
        assert table.sum() == counted.sum()
        np.testing.assert_array_equal(table.sum(axis=1)[1:], [(truth == number).sum() for number in (2, 1)])
        np.testing.assert_array_equal(
            table.sum(axis=0)[1:], [(found[which][counted] == number).sum() for number in order]
        )
    page = (place / "report.html").read_text()
    assert "single network" in page
    assert "the image, tissue.membrane, tissue.synapse" in page
    np.testing.assert_array_equal(cascade.mask(files.read(image)), found["test"])
    assert cascade.stages["bodies"].segmenter.spec.beside == 2
    alone = cascade.stage_mask("bodies", files.read(image))  # which its own run has scored with what it sees
    both = ((alone == 1) & (truth == 2)).sum()
    dice = 2 * both / ((truth == 2).sum() + (alone[counted] == 1).sum())
    scored = json.loads((place / "bodies" / "1" / "metrics.json").read_text())["test"]["classes"]
    assert scored["mitochondrion"]["dice"] == pytest.approx(dice)
