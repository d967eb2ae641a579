"""What setup.cfg lists is what there is."""

import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_every_subpackage_is_installed():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    there = {
        ".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "kerasseg").rglob("__init__.py")
    }
    assert listed - {"kerasseg.recipes"} == there


@pytest.mark.parametrize("name", ["quickstart", "test"])
def test_the_readme_s_commands_are_there_and_can_be_run(name):
    assert f"tools/{name}" in (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    assert (ROOT / "tools" / name).stat().st_mode & 0o111
