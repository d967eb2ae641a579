"""Whole groups are held out, a finished training is taken as it is, and its scores stand in a table."""

import csv
from pathlib import Path

import numpy as np
import pytest
from bench import accuracy
from bench.accuracy import Contender, Scores

from kerasseg.images import files
from kerasseg.runs.rundirectory import last_finished

SCORES = Scores(0.9, 0.7, 0.8, 0.5, 0.75, 3, 1, 100.0)


def field(folder: Path, name: str, size: tuple[int, int], ground: int) -> None:
    """A field of two nuclei of 10x10 pixels, a file each."""
    image = np.full((*size, 1), ground, np.uint8)
    for number, left in enumerate((4, 24)):
        mask = np.zeros((*size, 1), np.uint8)
        mask[8:18, left : left + 10] = 255
        image[mask > 0] = 120
        files.write(folder / name / "masks" / f"{number}.png", mask)
    files.write(folder / name / "images" / f"{name}.png", image)


@pytest.fixture
def fields(tmp_path):
    """Nine fields: three on bright ground, three small and three large ones on dark ground."""
    for number in range(3):
        field(tmp_path / "data", f"bright{number}", (40, 48), 200)
        field(tmp_path / "data", f"large{number}", (40, 520), 5)
        field(tmp_path / "data", f"small{number}", (40, 48), 5)
    return tmp_path / "data"


def names(folder: Path) -> dict[str, list[str]]:
    return {part.name: sorted(path.name for path in part.iterdir()) for part in sorted(folder.iterdir())}


def test_each_third_holds_fields_of_every_kind(fields, tmp_path):
    parts = names(accuracy.fields_by_third(fields, tmp_path / "out"))
    assert parts == {str(n): [f"bright{n}", f"large{n}", f"small{n}"] for n in range(3)}


def test_kinds_are_held_out_whole_and_small_dark_fields_never(fields, tmp_path):
    parts = names(accuracy.fields_by_kind(fields, tmp_path / "out"))
    assert parts == {
        part: [f"{kind}{n}" for n in range(3)]
        for part, kind in {"0": "bright", "1": "large", "learnt": "small"}.items()
    }


def test_recordings_that_follow_each_other_are_held_out_together(tmp_path):
    (tmp_path / "train").mkdir()
    recordings = ["set9", "set10", "set11", "set1", "set2", "set3"]
    rows = "".join(f"{name}a,1 2,{name}\n{name}b,1 2,{name}\n" for name in recordings)
    (tmp_path / "train.csv").write_text(f"id,annotation,sample_id\n{rows}")
    folder = accuracy.recordings_by_third(tmp_path, tmp_path / "out")
    with (folder / "train.csv").open(newline="") as file:
        third = {row["sample_id"]: row["third"] for row in csv.DictReader(file)}
    assert third == {"set1": "0", "set2": "0", "set3": "1", "set9": "1", "set10": "2", "set11": "2"}


def test_means_stand_before_lowest_and_highest_and_a_dash_where_objects_were_not_told_apart():
    other = SCORES._replace(dice=0.8, merges=6)
    bare = SCORES._replace(ap50=None, ap75=None, pq=None, merges=None, splits=None)
    lines = accuracy.table({"two": [SCORES, other], "bare": [bare]}).splitlines()
    assert lines[2].startswith("| two | 0.850 (0.800 to 0.900) | 0.700 (0.700 to 0.700) |")
    assert "| 4 (3 to 6) |" in lines[2]
    assert lines[3] == "| bare | 0.900 | 0.700 |" + 5 * " \N{EN DASH} |" + " 100 |"


def test_ap_is_that_of_the_objects_counted():
    by_threshold = {"iou": [0.5, 0.75], "f1": [0.8, 0.5]}  # 2 TP of 2 FP and FN together; 1 TP of the same
    scores = {"by_threshold": by_threshold, "pq": 0.6, "merges": 2, "splits": 0}
    assert accuracy._of_objects(scores) == pytest.approx((2 / 3, 1 / 3, 0.6, 2, 0))


def test_a_contender_has_the_works_recipe_or_its_own():
    work = accuracy.WORKS["nuclei"]
    assert accuracy.contender(["today"], work) == Contender("today", "nuclei", ())
    assert accuracy.contender(["wide", "seed=3"], work) == Contender("wide", "nuclei", ("seed=3",))
    assert accuracy.contender(["mine", "my.yaml", "seed=3"], work) == Contender(
        "mine", "my.yaml", ("seed=3",)
    )


def test_a_work_is_trained_once_and_its_table_printed(fields, tmp_path, monkeypatch, capsys):
    small = ["data.patch.size=32", "model.unet.base_filters=2", "model.unet.decoder_filters=null"]
    words = ["accuracy", "nuclei", str(fields), "--quick", "--seeds", "7", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", [*words, "--contender", "small", *small, "--stardist", "no-python"])
    accuracy.main()
    run = last_finished("small_7", tmp_path / "out" / "runs" / "nuclei")
    assert "1/bright1,test," in (run / "split.csv").read_text()
    printed = capsys.readouterr().out
    assert "| small | 0." in printed
    assert "StarDist is left out: no-python" in printed
    monkeypatch.setattr(accuracy.subprocess, "run", None)  # a second time nothing is trained
    monkeypatch.setattr("sys.argv", [*words, "--contender", "small", *small])
    accuracy.main()
    assert capsys.readouterr().out.splitlines()[-1] == printed.splitlines()[-1]
