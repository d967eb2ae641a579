"""A cascade's file: what it may say, and that everything wrong with it is told at once."""

import pytest

from kerasseg.errors import UserError
from kerasseg.recipe import CascadeRecipe, load, load_any
from kerasseg.recipe.cascade import load_cascade

RECIPE = "{{data: {{source: {{images_masks: {{root: data}}}}, classes: {classes}}}, model: unet}}"
INTERIOR = RECIPE.format(classes="[nucleus, nucleolus]")
MEMBRANE = RECIPE.format(classes="[membrane]")


def written(folder, stages, merge="[membrane.membrane, interior.nucleolus]"):
    path = folder / "cascade.yaml"
    lines = [f"  {name}: {stage}" for name, stage in stages.items()]
    path.write_text("\n".join(["name: fibsem", "stages:", *lines, f"merge: {merge}"]) + "\n")
    return path


def mistakes(path, *overrides):
    with pytest.raises(UserError) as error:
        load_cascade(path, overrides)
    return [message.removeprefix(f"{path}:") for message in error.value.messages]


@pytest.fixture
def stages():
    return {
        "membrane": f"{{recipe: {MEMBRANE}, within: interior.nucleus}}",
        "interior": f"{{recipe: {INTERIOR}}}",
    }


def test_stages_come_after_what_they_look_within(tmp_path, stages):
    cascade = load_cascade(written(tmp_path, stages))
    assert cascade.order == ["interior", "membrane"]
    assert cascade.within("membrane") == ("interior", "nucleus")
    assert cascade.within("interior") is None
    assert cascade.merged == (("membrane", "membrane"), ("interior", "nucleolus"))


def test_a_stages_run_is_named_after_it_and_learns_within_its_region(tmp_path, stages):
    cascade = load_cascade(written(tmp_path, stages))
    recipe = cascade.recipe("membrane", {"interior": tmp_path / "masks"})
    assert recipe.name == "membrane"
    assert recipe.dump()["data"]["region"] == {"masks": str(tmp_path / "masks"), "id": 1}


def test_a_stage_sees_classes_of_others_as_channels(tmp_path, stages):
    stages["membrane"] = stages["membrane"].replace("within: interior.nucleus", "sees: [interior.nucleolus]")
    cascade = load_cascade(written(tmp_path, stages))
    assert cascade.order == ["interior", "membrane"]
    assert cascade.sees("membrane") == (("interior", "nucleolus"),)
    data = cascade.recipe("membrane", {"interior": tmp_path / "masks"}).dump()["data"]
    assert data["sees"] == [{"masks": str(tmp_path / "masks"), "id": 2}]
    assert data["region"] is None


def test_a_recipe_may_be_a_file_beside_the_cascade_or_a_shipped_one(tmp_path, stages):
    (tmp_path / "inside.yaml").write_text(f"{{name: any, {INTERIOR[1:]}")
    stages |= {"interior": "{recipe: inside.yaml}", "phase": "{recipe: phase_unet}"}
    merge = "[interior.nucleolus, phase.cell, membrane.membrane]"
    path = written(tmp_path, stages, merge)
    cascade = load_cascade(path)
    assert cascade.recipe("interior").data.classes == ["nucleus", "nucleolus"]


def test_overrides_reach_into_the_stages(tmp_path, stages):
    path = written(tmp_path, stages)
    cascade = load_cascade(path, ["stages.interior.recipe.train.epochs=7"])
    assert cascade.recipe("interior").train.epochs == 7
    (wrong,) = mistakes(path, "stages.interior.recipe.train.epoch=7")
    assert wrong == "override: stages.interior.recipe.train.epoch: unknown key; did you mean 'epochs'?"


def test_overrides_reach_into_recipes_that_are_named(tmp_path, stages):
    (tmp_path / "inside.yaml").write_text(f"{{name: any, {INTERIOR[1:]}")
    stages["interior"] = "{recipe: inside.yaml}"
    path = written(tmp_path, stages)
    path.write_text(path.read_text() + "baseline: em_unet\n")
    epochs = [
        "stages.interior.recipe.train.epochs=7",
        "baseline.train.epochs=8",
        "stages.membrane.recipe.seed=3",
    ]
    classes = "baseline.data.classes=[nucleolus, membrane]"
    cascade = load_cascade(path, [*epochs, classes])
    assert [cascade.recipe(name).train.epochs for name in ("interior", "baseline")] == [7, 8]
    assert cascade.recipe("membrane").seed == 3
    (wrong,) = mistakes(path, classes, "baseline.train.epohs=7")
    assert wrong.endswith("baseline: override: train.epohs: unknown key; did you mean 'epochs'?")


def test_all_that_is_wrong_with_stages_is_told_at_once_each_with_its_line(tmp_path, stages):
    stages["membrane"] = f"{{recipe: {MEMBRANE}, within: inferior.nucleus}}"
    stages["complex"] = f"{{recipe: {MEMBRANE}, within: interior.nuclei}}"
    stages["a.b"] = f"{{recipe: {MEMBRANE}}}"
    multilabel = MEMBRANE.replace("[membrane]", "[membrane], multilabel: true")
    stages["several"] = f"{{recipe: {multilabel}}}"
    stages["deep"] = f"{{recipe: {MEMBRANE.replace('images_masks', 'volumes')}}}"
    said = mistakes(written(tmp_path, stages))
    assert [message.partition(": ")[0] for message in said] == ["6", "7", "8", "3", "5"]
    assert "a stage's name must be a letter, and letters" in said[0]
    assert "stages.several.recipe.data.multilabel: is true" in said[1]
    assert "stages.deep.recipe.data.source: is of volumes, and the first stage is of images" in said[2]
    assert "unknown stage 'inferior': choose one of" in said[3]
    assert "did you mean 'interior'?" in said[3]
    assert "'interior.nuclei': unknown class of interior 'nuclei'" in said[4]


def test_what_is_wrong_with_recipes_is_told_with_it_lines_and_files(tmp_path, stages):
    (tmp_path / "inside.yaml").write_text("name: any\nmodel: unit\n")
    stages["interior"] = "{recipe: inside.yaml}"
    stages["membrane"] = stages["membrane"].replace("model: unet", "modle: unet").replace("within", "witin")
    first, *others = sorted(mistakes(written(tmp_path, stages)))
    assert first.startswith("3: stages.membrane.recipe.model: is missing")
    assert any("stages.membrane.recipe.modle: unknown key; did you mean 'model'?" in each for each in others)
    assert any("stages.membrane.witin: unknown key; did you mean 'within'?" in each for each in others)
    assert any(f"{tmp_path / 'inside.yaml'}:2: model: unknown model 'unit'" in each for each in others)
    assert any(f"{tmp_path / 'inside.yaml'}: data: is missing" in each for each in others)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_circle_of_stages_is_refused(tmp_path, size):
    stages = {
        f"s{number}": f"{{recipe: {MEMBRANE}, within: s{(number + 1) % size}.membrane}}"
        for number in range(size)
    }
    (said,) = mistakes(written(tmp_path, stages, "[s0.membrane]"))
    assert "wait for each other in a circle: s" in said
    assert said.count(" before ") == size


def test_merged_classes_are_there_once_and_every_stage_is_of_use(tmp_path, stages):
    stages["idle"] = f"{{recipe: {MEMBRANE}}}"
    merge = "[interior.nucleolus, interior.membrane, outer.membrane, interior.nucleolus, nucleolus]"
    said = [each.partition(": ")[2] for each in mistakes(written(tmp_path, stages, merge))]
    assert said == [
        "merge.1: 'interior.membrane': unknown class of interior 'membrane': choose one of nucleolus, "
        "nucleus",
        "merge.2: 'outer.membrane': unknown stage 'outer': choose one of idle, interior, membrane",
        "merge.3: interior.nucleolus is named twice; keep the place of its priority",
        "merge.4: 'nucleolus': unknown stage 'nucleolus': choose one of idle, interior, membrane",
        "merge: nothing of the stage membrane is merged, and no stage sees anything of it; name a class, "
        "such as membrane.membrane, or leave the stage out",
        "merge: nothing of the stage idle is merged, and no stage sees anything of it; name a class, "
        "such as idle.membrane, or leave the stage out",
    ]


def test_what_a_stage_cannot_see_is_told(tmp_path, stages):
    sees = "sees: [interior.nucleus, interior.membrane, inner.nucleus, interior.nucleus]"
    stages["membrane"] = stages["membrane"].replace("within: interior.nucleus", sees)
    stages["small"] = f"{{recipe: {MEMBRANE.replace('data}}', 'data}}, resize: [9, 9]')}, {sees[:-1]}]}}"
    stages["own"] = f"{{recipe: {MEMBRANE.replace('data}}', 'data}}, sees: [{masks: a}]')}}}"
    said = [each.partition(": ")[2] for each in mistakes(written(tmp_path, stages))]
    assert [each.partition(": ")[0] for each in said] == [
        "stages.small.recipe.data.resize",
        "stages.own.recipe.data.sees",
        *[f"stages.{stage}.sees.{number}" for stage in ("membrane", "small") for number in (1, 2, 3)],
    ]
    assert "unknown class of interior 'membrane'" in said[2]
    assert "unknown stage 'inner'" in said[3]
    assert "is named twice" in said[4]


def test_a_circle_may_be_of_what_is_seen(tmp_path, stages):
    stages["interior"] = f"{{recipe: {INTERIOR}, sees: [membrane.membrane]}}"
    (said,) = mistakes(written(tmp_path, stages))
    assert "wait for each other in a circle" in said


def test_the_baseline_has_all_merged_classes(tmp_path, stages):
    path = written(tmp_path, stages)
    lines = path.read_text()
    path.write_text(f"{lines}baseline: {RECIPE.format(classes='[nucleolus, membrane]')}\n")
    assert load_cascade(path).recipe("baseline").name == "baseline"
    path.write_text(f"{lines}baseline: {MEMBRANE.replace('images_masks', 'volumes')}\n")
    assert [each.partition(": ")[2] for each in mistakes(path)] == [
        "baseline.data.source: is of volumes, and the first stage is of images",
        "baseline.data.classes: nucleolus is merged; unknown class 'nucleolus': choose one of membrane",
    ]
    path.write_text(f"{lines}baseline: {{modle: unet}}\n")
    assert any("baseline.modle: unknown key; did you mean 'model'?" in each for each in mistakes(path))


def test_a_cascade_is_told_from_a_recipe_by_its_stages(tmp_path, stages):
    path = written(tmp_path, stages)
    assert isinstance(load_any(path), CascadeRecipe)
    with pytest.raises(UserError, match=r"cascade\.yaml: it is a cascade of several networks"):
        load(path)
    assert load_any("phase_unet").name == "phase_unet"
    with pytest.raises(UserError, match="there is no such file"):
        load_any(tmp_path / "nothing.yaml")
