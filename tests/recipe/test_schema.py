import jsonschema
import pytest
import yaml

from kerasseg.recipe import schema, shipped


def objects(node):
    if isinstance(node, dict):
        if "properties" in node:
            yield node
        for child in node.values():
            yield from objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from objects(child)


def test_every_section_and_key_is_described():
    for section in objects(schema()):
        component = section.get("required") == list(section["properties"]) and "title" not in section
        for key, described in section["properties"].items():
            assert component or described.get("description") or "$ref" in described, key


@pytest.mark.parametrize("name", shipped())
def test_the_shipped_recipes_obey_it(name):
    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(shipped()[name].read_text()))


@pytest.mark.parametrize(
    ("key", "value", "valid"),
    [
        ("loss", "dice", True),
        ("loss", {"dice": {"smooth": 2}}, True),
        ("loss", "dise", False),
        ("loss", {"dice": {"smoth": 2}}, False),
        ("loss", {"dice": {}, "bce": {}}, False),
        ("model", {"unet": {"encoder": "plain"}}, True),
        ("model", {"unet": {"encoder": "resnet"}}, False),
        ("zzz", 1, False),
        ("augment", ["NoOp", {"OneOf": {"transforms": ["NoOp", {"Affine": None}], "p": 1}}], True),
        ("augment", [{"OneOf": {"transforms": "NoOp"}}], False),
    ],
)
def test_it_knows_the_short_forms_and_the_mistakes(key, value, valid):
    recipe = yaml.safe_load(next(iter(shipped().values())).read_text())
    section = recipe["data"] if key == "augment" else recipe
    section[key] = value
    assert jsonschema.Draft202012Validator(schema()).is_valid(recipe) is valid


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"baseline": None}, True),
        ({"stages": {"a": {"recipe": "phase_unet", "sees": ["b.c"], "within": "b.c"}}}, True),
        ({"stages": {"a": {"recipe": "phase_unet", "sees": "b.c"}}}, False),
        ({"stages": {"a": {"recipe": {"model": "unet"}}}}, False),  # it has no data
        ({"merges": []}, False),
        ({"model": "unet"}, False),
    ],
)
def test_it_knows_cascades(change, valid):
    cascade = yaml.safe_load(shipped()["fibsem_cascade"].read_text()) | change
    assert jsonschema.Draft202012Validator(schema()).is_valid(cascade) is valid
