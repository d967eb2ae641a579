import json
from pathlib import Path

import pytest

from kerasseg.errors import UserError
from kerasseg.recipe import find, schema, shipped
from kerasseg.recipe.shipped import about, copy

ROOT = Path(__file__).resolve().parents[2]


def test_the_shipped_recipes_are_those_at_the_root():
    assert sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml")) == sorted(shipped())


@pytest.mark.parametrize("name", shipped())
def test_each_begins_with_its_schema_and_its_command_line(name):
    lines = shipped()[name].read_text(encoding="utf-8").splitlines()
    assert lines[:2] == [
        "# yaml-language-server: $schema=recipe.schema.json",
        f"# kerasseg run recipes/{name}.yaml",
    ]
    assert about(shipped()[name])
    assert not about(shipped()[name]).endswith(".")


def test_the_schema_beside_them_is_what_the_package_says():
    beside = json.loads((ROOT / "recipes" / "recipe.schema.json").read_text(encoding="utf-8"))
    assert beside == schema(), "run: kerasseg schema > recipes/recipe.schema.json"


def test_a_file_comes_before_a_shipped_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = next(iter(shipped()))
    for typed in (name, f"{name}.yaml", f"recipes/{name}.yaml"):
        assert find(typed) == shipped()[name]
    Path(f"{name}.yaml").touch()
    assert find(f"{name}.yaml") == Path(f"{name}.yaml")
    with pytest.raises(UserError, match=f"did you mean '{name}'"):
        find(f"{name}x.yaml")
    with pytest.raises(UserError, match="there is no such file"):
        find(f"elsewhere/{name}.yaml")
    Path(name).mkdir()
    assert find(name) == shipped()[name]
    with pytest.raises(UserError, match="this is a folder; expected a recipe"):
        find(".")


def test_a_copy_has_its_schema_beside_and_replaces_nothing(tmp_path):
    name = next(iter(shipped()))
    target = copy(name, tmp_path)
    assert target.read_bytes() == shipped()[name].read_bytes()
    assert (tmp_path / "recipe.schema.json").exists()
    with pytest.raises(UserError, match="exists already"):
        copy(name, tmp_path)
    assert copy(name, tmp_path / "mine.yaml").name == "mine.yaml"
    with pytest.raises(UserError, match="unknown shipped recipe"):
        copy("nothing", tmp_path)
