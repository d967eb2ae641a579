"""Facts about samples and their split."""

import csv
from pathlib import Path

import numpy as np

from kerasseg.data.describe import describe, write_split
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.split import Split
from kerasseg.data.survey import survey, total
from kerasseg.images import files
from kerasseg.images.normalise import Dtype
from kerasseg.images.preprocessing import Preprocessing


def sample(folder, name, labels, group="a"):
    path = folder / f"{name}.png"
    files.write(path, np.full((2, 3, 1), len(list(Path(folder).iterdir())), np.uint8))
    labels = np.array(labels, np.int32)
    annotation = Annotation((labels > 0).astype(np.uint8), labels)
    return Sample(name, path, (2, 3), lambda: annotation, {"well": group})


def test_a_split_is_described_and_written(tmp_path):
    one = [[1, 0, 0], [0, 0, 0]]
    parts = Split(*([sample(tmp_path, name, one, group)] for name, group in zip("xyz", "abb", strict=True)))
    samples = [*parts.train, *parts.validation, *parts.test]
    contents = total(survey(samples, 1, Preprocessing(None, Dtype(), None)))
    facts = describe(parts, contents, ["cell"], "well", synthetic=False)
    assert facts["origin"] == "real"
    assert (facts["images"], facts["objects"], facts["sizes"]) == (3, 3, {"2x3": 3})
    assert (facts["pixels"], facts["ignored"]) == ({"cell": 3}, 0)
    assert facts["audit"]["groups"] == {"train": {"a": 1}, "validation": {"b": 1}, "test": {"b": 1}}
    assert "'b'" in facts["audit"]["leaks"][0]

    write_split(tmp_path / "split.csv", parts, "well")
    with (tmp_path / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["part"], row["group"]) for row in rows] == [
        ("x", "train", "a"),
        ("y", "validation", "b"),
        ("z", "test", "b"),
    ]
