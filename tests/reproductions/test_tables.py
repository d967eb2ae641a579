"""The papers' tables stand in their own units, and beside what we call the same."""

import json

import abbas2023
import cai_cfos
import darosa_golgi
import fibsem
import gunet
import numpy as np
import pytest
import trained
from rich.console import Console

from kerasseg.commands.learning_curve.points import Point
from kerasseg.synthetic.strokes import stroke

PLAN = {"start": 5, "reviewed": 25}


def printed(table):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def finished_run(folder, number=1, state="finished", **scores):
    folder = folder / str(number)
    folder.mkdir(parents=True)
    classes = {
        name: {f"{score}_per_image": value for score in darosa_golgi.SCORES} for name, value in scores.items()
    }
    for classed in classes.values():
        classed["iou_per_image"] = 0.5
    model = {"parameters": 6_000_000, "flops": 4e9, "latency_ms": 81.0}
    metrics = {"test": {"classes": classes}, "fallbacks": ["SYNTHETIC data: drawn"]}
    for name, content in {"status": {"state": state}, "model": model, "metrics": metrics}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_every_row_is_above_the_highest_dice_that_its_iou_allows():
    assert all(row.dice > row.highest_dice for row in abbas2023.TABLE.values())
    assert abbas2023.TABLE["linknet"].highest_dice == pytest.approx(97.68, abs=0.01)


def test_the_papers_memory_is_near_twelve_bytes_a_parameter():
    for row in abbas2023.TABLE.values():
        assert abbas2023.BYTES_PER_PARAMETER * row.parameters == pytest.approx(row.memory, rel=0.07)


def test_finished_runs_stand_beside_the_paper_and_are_not_trained_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trained, "RUNS", tmp_path)
    monkeypatch.setattr("sys.argv", ["abbas2023.py"])
    monkeypatch.setattr(trained.subprocess, "run", None)
    for name in abbas2023.TABLE:
        finished_run(tmp_path / f"abbas2023_{name}", cell=0.25)
    abbas2023.main()
    said = capsys.readouterr().out
    assert "LinkNet with gates (paper)" in said
    assert "FALLBACK: SYNTHETIC data: drawn" in said


def test_the_newest_finished_run_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(trained, "RUNS", tmp_path)
    for number, state in ((2, "finished"), (10, "finished"), (11, "failed")):
        finished_run(tmp_path / "a", number, state)
    assert [path.name for path in trained.finished("a")] == ["2", "10"]


def test_engines_stand_beside_the_thesis(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trained, "RUNS", tmp_path)
    monkeypatch.setattr("sys.argv", ["darosa_golgi.py"])
    for name in ("darosa_unet3d_raw", "darosa_unet3d", "darosa_vox2vox", "darosa_cyclegan"):
        finished_run(tmp_path / name, nuclei=0.9, golgi=0.8)
    darosa_golgi.main()
    said = capsys.readouterr().out
    assert "0.4497" in said
    assert "0.8000" in said


def test_a_learning_curve_stands_beside_the_tables_of_the_c_fos_paper():
    rows = [
        vars(Point("random", "", 30, 0, 0, 0.5, 0.6, 0.7, 9.0)),
        vars(Point("balanced", "model", 25, 1, 0, 0.4, 0.5, 0.6, 9.0, accepted=20)),
    ]
    ways, numbers = map(printed, cai_cfos.tables(rows, PLAN))
    assert [line.split("│")[1:4] for line in ways.splitlines() if "balanced" in line] == [
        [" balanced, proposals, round 1 ", "    0.7292 ", "      0.6731 "]
    ]
    assert "0.6367" in numbers  # the paper's 30 tiles


def test_slices_for_the_test_lie_apart_from_those_learnt_from_and_the_gap_is_nowhere(tmp_path, monkeypatch):
    monkeypatch.setattr(fibsem, "PREPARED", tmp_path / "prepared")
    for kind in ("image", "mask"):
        (tmp_path / "isbi2012_membrane" / kind).mkdir(parents=True)
        for number in range(10):
            (tmp_path / f"isbi2012_membrane/{kind}/z{number:02}.png").write_bytes(b"")
    fibsem.prepare(fibsem.MEMBRANES, tmp_path)
    root = fibsem.MEMBRANES.root
    assert [path.name for path in sorted(root.glob("mask/test/*"))] == ["z08.png", "z09.png"]
    assert len([*root.glob("image/learn/*")]) == 7
    assert not [*root.rglob("z07.png")]
    assert fibsem.mask_of(f"{root}/image/learn/z00.png") == f"{root}/mask/learn/z00.png"


def test_settings_stand_beside_the_fibsem_paper(monkeypatch):
    monkeypatch.setattr(fibsem, "parameters", lambda setting: 2_567_716)
    row = {"loss": "0.25", "val_loss": "0.3", "f1_micro": "0.9"}
    rows = {setting.sizes: row for setting in fibsem.TABLES}
    said = printed(fibsem.paper(rows))
    (line,) = (line for line in said.splitlines() if "4/64/1.5" in line)
    cells = [cell.strip() for cell in line.split("│")[2:-1]]
    assert cells == [
        *["2.57", "2.567716", "2.97", "3.42", "0.896", "3.89", "4.11", "0.7445"],
        *["25", "30", "0.900"],
    ]


def test_a_class_that_a_tissue_does_not_have_is_a_dash():
    counts = fibsem.Confusion(np.array([[6, 2], [0, 2]]))
    result = fibsem.Result("U-Net", 1, 483_204, None, ["membrane"], counts)
    assert result.cells() == [
        *["1", "483,204", trained.DASH, "0.857", "0.667", trained.DASH, trained.DASH],
        *["0.800", "0.819", "0.762", "0.667", "0.667", "0.667"],
    ]


def test_every_seed_stands_beside_the_gunet_paper_by_both_norms():
    digits = np.stack([stroke(digit, np.random.default_rng(digit)) for digit in range(6)])
    skeletons, bitmaps = (gunet.chosen(digits, name, None) for name in ("zhang_suen", "bitmap"))
    points = {"three losses, peak kernel": [skeletons, bitmaps], "skeleton loss alone": [skeletons]}
    seeds = [line for line in printed(gunet.seeds_table(digits, points)).splitlines() if "│" in line]
    assert [line.split("│")[3].strip() for line in seeds] == ["0", "1", "0"]
    assert "0.7943 / 0.0628" in printed(gunet.table_2a(digits, "skeleton loss alone", [skeletons]))
    both = printed(gunet.table_2b(digits, points, {"bitmap": bitmaps}))
    assert "0.8397 / 0.0621" in both
    black = next(line for line in both.splitlines() if "black" in line)
    assert f"{np.mean((digits / 255.0) ** 2):.4f}" in black


def test_a_drop_of_accuracy_is_of_the_same_images():
    right, still = np.array([True] * 90 + [False] * 10), np.array([True] * 80 + [False] * 20)
    low, high = gunet.drop_interval(right, still)
    assert low < 10 < high
    np.testing.assert_array_equal(gunet.drop_interval(right, right), [0, 0])
