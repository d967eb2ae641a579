"""What CONTRIBUTING.md says of adding an architecture is done to a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kerasseg.synthetic.cells import synthesize

REPOSITORY = Path(__file__).resolve().parents[1]
RECIPE = """
name: toy
data:
  source: {sartorius: {root: cells}}
  classes: [cell]
  channels: 1
  patch: {size: 16}
model: {toy: {filters: 4}}
train: {epochs: 1, batch_size: 2, steps_per_epoch: 1, devices: cpu}
export: {saved_model: false}
"""
COMMANDS = """
import sys
from kerasseg.cli import main
for arguments in (["check", "r.yaml"], ["inspect", "r.yaml"], ["run", "r.yaml"]):
    sys.argv = ["kerasseg", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, arguments
"""


@pytest.fixture
def folder(tmp_path):
    """A copy of the package with the toy that CONTRIBUTING.md adds, a recipe and data for it."""
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    function, section = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    left = shutil.ignore_patterns("__pycache__", "recipes")
    shutil.copytree(REPOSITORY / "kerasseg", tmp_path / "kerasseg", ignore=left)
    (tmp_path / "kerasseg" / "models" / "toy.py").write_text(function, encoding="utf-8")
    models = tmp_path / "kerasseg" / "recipe" / "models.py"
    text = models.read_text(encoding="utf-8")
    line = 'AnyModel = one_of("model", '
    assert text.count(line) == 1
    models.write_text(text.replace(line, f"{section}\n\n{line}Toy, "), encoding="utf-8")
    (tmp_path / "r.yaml").write_text(RECIPE, encoding="utf-8")
    synthesize(tmp_path / "cells", images=8, size=(32, 32), seed=1)
    return tmp_path


def test_an_architecture_is_a_file_a_section_and_a_name_in_a_line(folder):
    run = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    said = " ".join(run.stdout.split())
    assert "1 an epoch in batches of 2 at 16x16" in said
    assert "toy at 16x16" in said
    assert (folder / "runs" / "toy" / "1" / "report.html").is_file()
