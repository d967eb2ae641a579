"""How a recipe says what becomes of a mask."""

import pytest

from kerasseg.errors import UserError
from kerasseg.recipe import load

RECIPE = """\
name: cells
data: {{source: {{labelme: {{root: drawn}}}}, classes: {classes}}}
model: unet
instances: {instances}
pairs: {pairs}
"""


def loaded(folder, instances="components", classes="[cell]", pairs="null"):
    path = folder / "cells.yaml"
    path.write_text(RECIPE.format(instances=instances, classes=classes, pairs=pairs))
    return load(path)


@pytest.mark.parametrize(
    ("written", "name", "arguments"),
    [
        ("watershed", "watershed", {"distance": 10.0, "spacing": None, "smallest": 0, "fill": False}),
        (
            "{watershed: {distance: 4, spacing: [2, 1, 1], smallest: 20}}",
            "watershed",
            {"distance": 4, "spacing": (2, 1, 1), "smallest": 20, "fill": False},
        ),
        ("{components: {fill: true}}", "components", {"smallest": 0, "fill": True, "diagonal": False}),
    ],
)
def test_instances_are_a_name_and_its_arguments(tmp_path, written, name, arguments):
    instances = loaded(tmp_path, written).instances
    assert (instances.name, instances.arguments) == (name, arguments)


def test_objects_need_not_be_told_apart(tmp_path):
    assert loaded(tmp_path, "null").instances is None


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("watershd", r"unknown kind of instances 'watershd'.*did you mean 'watershed'"),
        ("{components: {smalest: 3}}", r"components\.smalest: unknown key; did you mean 'smallest'"),
        ("{watershed: {spacing: [0, 1]}}", r"spacing"),
        ("boundary", r"instances: boundary_id is 2, and data\.classes has 1"),
    ],
)
def test_mistakes_are_told(tmp_path, written, message):
    with pytest.raises(UserError, match=message):
        loaded(tmp_path, written)


def test_a_class_of_boundaries_is_one_of_the_classes(tmp_path):
    instances = loaded(tmp_path, "{boundary: {boundary_id: 1}}", "[edge, cell]").instances
    assert instances.arguments["boundary_id"] == 1


ORGANELLES = "[mitochondrion, Golgi, vesicle]"


def test_objects_by_size_are_of_named_classes(tmp_path):
    written = "connectivity: 8, smallest: {vesicle: 500}, largest: {Golgi: 1}, only: [Golgi, vesicle]"
    instances = loaded(tmp_path, classes=ORGANELLES, instances=f"{{by_size: {{{written}}}}}").instances
    assert instances.by_ids(["mitochondrion", "Golgi", "vesicle"]) == {
        "connectivity": 8,
        "smallest": (0, 0, 500),
        "in_planes": False,
        "largest": (None, 1, None),
        "only": (2, 3),
    }
    everywhere = loaded(tmp_path, instances="{by_size: {smallest: 20, largest: 12}}").instances
    assert everywhere.by_ids(["cell"]) == {
        "connectivity": None,
        "smallest": (20,),
        "in_planes": False,
        "largest": 12,
        "only": None,
    }


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("smallest: {vesikle: 500}", r"unknown class 'vesikle'.*did you mean 'vesicle'"),
        ("only: [nuclei]", r"unknown class 'nuclei'"),
        ("smallest: -1", r"by_size\.smallest: must be a whole number, or one for each of some classes"),
        ("largest: {vesicle: many}", r"by_size\.largest: must be a whole number"),
        ("connectivity: 26", r"connectivity is 26, and labelme needs 4 or 8"),
        ("delta: 10", r"by_size\.delta: unknown key"),
    ],
)
def test_objects_by_size_of_nothing_are_told(tmp_path, written, message):
    with pytest.raises(UserError, match=message):
        loaded(tmp_path, classes=ORGANELLES, instances=f"{{by_size: {{{written}}}}}")


def test_pairs_are_of_named_classes(tmp_path):
    assert loaded(tmp_path).pairs is None
    pairs = loaded(tmp_path, classes="[nuclei, golgi, both]", pairs="{pair: both, farthest: 8}").pairs
    assert dict(pairs) == {"nuclei": "nuclei", "golgi": "golgi", "pair": "both", "farthest": 8}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"classes": "[nuclei, golgy]", "pairs": "{}"}, r"pairs: unknown class 'golgi'.*'golgy'"),
        ({"classes": "[nuclei, golgi]", "pairs": "{pair: pairs}"}, r"pairs: unknown class 'pairs'"),
        ({"classes": "[nuclei, golgi]", "pairs": "{}", "instances": "null"}, r"instances is null"),
        ({"classes": "[nuclei, golgi]", "pairs": "{farthest: 0}"}, r"pairs\.farthest"),
    ],
)
def test_pairs_of_nothing_are_told(tmp_path, written, message):
    with pytest.raises(UserError, match=message):
        loaded(tmp_path, **written)


DIGITS = """\
name: digits
data: {{source: {{whole_images: {{root: digits}}}}, classes: [point], channels: {channels}}}
model: {model}
key_points: {points}
train: {{engine: {engine}}}
"""


def digits(folder, points="{}", engine="guided", channels=1, model="unet"):
    path = folder / "digits.yaml"
    path.write_text(DIGITS.format(points=points, engine=engine, channels=channels, model=model))
    return load(path)


@pytest.mark.parametrize(("written", "budget"), [("20", 20), ("5%", 0.05), ("'2.5 %'", 0.025)])
def test_points_are_a_number_or_a_share(tmp_path, written, budget):
    assert digits(tmp_path, f"{{points: {written}}}").key_points.budget == pytest.approx(budget)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"points": "{points: 0}"}, r"points: must be a number of points, or a share .* 5%; got 0"),
        ({"points": "{points: 100%}"}, "got '100%'"),
        ({"points": "{kernel: {mean: {size: 4}}}"}, "size: must be 1, 3, 5, 7 or 9, got 4"),
        ({"points": "{kernel: psf}"}, "wavelength: is missing"),
        ({"channels": 3, "model": "msdnet"}, r"set data\.channels: 1"),
        ({"model": "{unet: {activation: softmax}}"}, "activation sigmoid"),
        ({"points": "null"}, "whole_images has no annotations; say what is learnt"),
    ],
)
def test_what_points_need_is_told(tmp_path, changed, message):
    with pytest.raises(UserError, match=message):
        digits(tmp_path, **changed)


def test_only_points_guide(tmp_path):
    path = tmp_path / "cells.yaml"
    path.write_text(RECIPE.format(instances="null", classes="[cell]", pairs="null"))
    with pytest.raises(UserError, match="engine is guided, by the image that key points rebuild"):
        load(path, ["train.engine=guided"])


LEARNT = "{deep_watershed: {smallest: 20}}"


def test_a_landscape_is_learnt_where_a_recipe_says_so(tmp_path):
    assert loaded(tmp_path, LEARNT).by_landscape
    assert not loaded(tmp_path, "watershed").by_landscape


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["data.multilabel=true"], "data.multilabel: false"),
        (["model={unet: {activation: softmax}}"], "a model with the activation sigmoid"),
        (["train.engine=adversarial"], "train.engine: supervised"),
    ],
)
def test_what_cannot_learn_a_landscape_is_refused(tmp_path, changes, message):
    loaded(tmp_path, LEARNT)
    with pytest.raises(UserError, match=f"the landscape is one more channel of the network; set {message}"):
        load(tmp_path / "cells.yaml", changes)


def test_pairs_are_not_made_by_a_landscape(tmp_path):
    with pytest.raises(UserError, match="pairs are made of masks alone, but instances is deep_watershed"):
        loaded(tmp_path, LEARNT, classes="[nuclei, golgi]", pairs="{nuclei: nuclei, golgi: golgi}")
