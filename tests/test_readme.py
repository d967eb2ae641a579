"""What the README tells people to write is valid, and what it names is there."""

import configparser
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from specs import write_run

from kerasseg.images import files
from kerasseg.recipe import load
from kerasseg.runs import rundirectory

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_recipe_for_one_s_own_images_is_valid(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "cells.yaml").write_text(block.replace("\n   ", "\n").removeprefix("   "))
    assert load(tmp_path / "cells.yaml").model.base_filters == 16
    assert yaml.safe_load((tmp_path / "cells.yaml").read_text())["name"] == "cells"


def test_the_python_example_segments_an_image(tmp_path, monkeypatch):
    import keras

    bright = keras.Input((None, None, 1))
    model = keras.Model(bright, keras.layers.Activation("sigmoid")(20 * bright - 10))
    write_run(tmp_path / "runs" / "cells" / "1", model, stride=(1, 1))
    image = np.zeros((40, 50, 1), np.uint8)
    image[5:9, 5:9], image[20:30, 20:30] = 255, 255
    files.write(tmp_path / "images" / "field1.tif", image)

    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    said = {}
    exec(block, said)
    assert np.unique(said["labels"]).tolist() == [0, 1, 2]


def test_every_recipe_that_it_advises_is_shipped():
    table = README.split("## Which recipe for my data")[1].split("## ")[0]
    named = set(re.findall(r"`([a-z0-9_]+)`", table))
    assert named == {path.stem for path in (ROOT / "recipes").glob("*.yaml")}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_tree_that_contributing_shows_is_that_of_the_layers():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = re.findall(r"`(\w+)(?:\.py)?`", "\n".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)))
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    layers = re.findall(r"\w+", setup["importlinter:contract:layers"]["layers"])
    assert [name for name in shown if name != "kerasseg"] == layers


def test_the_page_about_runs_names_the_files_of_a_run():
    shown = re.findall(
        r"`([a-z0-9]+[./][a-z0-9./]*)`", (ROOT / "docs" / "runs.md").read_text(encoding="utf-8")
    )
    files = {value for name, value in vars(rundirectory).items() if name.isupper() and isinstance(value, str)}
    files -= {rundirectory.FINISHED, rundirectory.FAILED, rundirectory.GO_ON}
    assert {name.rstrip("/") for name in shown} - {"export/1"} | {rundirectory.EXPORT} >= files
