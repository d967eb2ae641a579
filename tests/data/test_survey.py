"""What samples hold is counted, and what cannot be read is named, all of it at once."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.split import Split, write_split
from kerasseg.data.survey import describe_data, survey, total
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.normalisation import Dtype, Minmax
from kerasseg.images.preprocessing import Preprocessing

AS_STORED = Preprocessing(None, Dtype(), None)


def sample(folder, name, mask, labels=None, image=None):
    path = folder / f"{name}.png"
    mask = np.array(mask, np.uint8)
    files.write(path, np.zeros((*mask.shape[:2], 1), np.uint8) if image is None else image)
    labels = None if labels is None else np.array(labels, np.int32)
    return Sample(name, path, mask.shape[:2], lambda: Annotation(mask, labels))


def test_pixels_objects_and_what_is_ignored(tmp_path):
    first = sample(tmp_path, "a", [[1, 1, 2], [0, 0, 255]], [[7, 9, 4], [0, 0, 0]])
    second = sample(tmp_path, "b", [[0, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 3, 0]])
    found = total(survey([first, second], 3, Preprocessing(1, Dtype(), None)))
    assert (found.samples, found.ignored, found.total) == (2, 1, 12)
    assert [found.pixels.tolist(), found.images.tolist(), found.objects.tolist()] == [
        [3, 1, 0],
        [2, 1, 0],
        [3, 1, 0],
    ]
    assert found.lines(["cell", "dead", "x"])[0] == "cell: 3 pixels (25.00%) in 2 of 2, 3 objects"
    (problem,) = found.problems(["cell", "dead", "x"], "training images")
    assert problem.startswith("x has no pixel in any of the 2 training images")


def test_classes_that_overlap_and_objects_that_were_not_told_apart(tmp_path):
    found = total(survey([sample(tmp_path, "a", [[[1, 1], [0, 1], [255, 0]]])], 2, AS_STORED))
    assert (found.pixels.tolist(), found.ignored, found.objects) == ([1, 2], 1, None)


def test_the_scale_is_the_median_object_s_diameter_and_the_median_pixel_s_size(tmp_path):
    labels = np.zeros((20, 40), np.int32)
    labels[1:5, 1:5], labels[8:18, 2:12], labels[2:18, 20:36] = 1, 5, 9
    first = sample(tmp_path, "a", labels > 0, labels)
    for name, side in (("b", 0.5), ("c", 0.2), ("d", 0.3)):
        metadata = {"axes": "YX", "PhysicalSizeY": side, "PhysicalSizeX": side}
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", np.zeros((20, 40), np.uint8), metadata=metadata)
    others = [replace(first, name=name, image=tmp_path / f"{name}.ome.tif") for name in "bcd"]
    found = total(survey([first, *others], 1, Preprocessing(1, Dtype(), None)))
    assert found.diameter == pytest.approx(np.sqrt(100 * 4 / np.pi))
    assert found.pixel_size == pytest.approx(0.3)
    unknown = total(survey([sample(tmp_path, "e", labels > 0)], 1, AS_STORED))
    assert (unknown.diameter, unknown.pixel_size) == (None, None)


def test_mostly_ignored_is_a_problem(tmp_path):
    found = total(survey([sample(tmp_path, "a", [[1, 255, 255]])], 1, AS_STORED))
    assert "67% of the pixels of the 1 images are ignored" in found.problems(["cell"], "images")[0]


def test_what_a_test_cannot_judge(tmp_path):
    found = total(survey([sample(tmp_path, name, [[0, 2, 255]]) for name in "ab"], 2, AS_STORED))
    (said,) = found.without_truth(["cell", "dead"], "test images")
    assert said == "cell has no pixel in any of the 2 test images, so it has no score"
    ignored = total(survey([sample(tmp_path, "c", [[255, 255]])], 2, AS_STORED))
    assert ignored.without_truth(["cell", "dead"], "test images") == [
        "all pixels of the 1 test images are ignored, so there is nothing to score"
    ]


def test_intensities_that_no_normalisation_takes_are_named(tmp_path):
    bright, broken = np.full((1, 2, 1), 9, np.float32), np.full((1, 2, 1), np.nan, np.float32)
    samples = [sample(tmp_path, name, [[1, 0]]) for name in "ab"]
    for each, image in zip(samples, (bright, broken), strict=True):
        files.write(each.image.with_suffix(".tif"), image)
    samples = [replace(each, image=each.image.with_suffix(".tif")) for each in samples]
    with pytest.raises(UserError, match=r"(?s)a\.tif: float intensities lie in \[9, 9\].*b\.tif: .*NaN"):
        survey(samples, 1, Preprocessing(1, Dtype(), None))
    assert len(survey(samples[:1], 1, Preprocessing(1, Minmax(), None))) == 1


def test_everything_that_cannot_be_read_is_named(tmp_path):
    samples = [sample(tmp_path, name, [[1, 0]]) for name in "abc"]
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    wide = sample(tmp_path, "d", [[1, 0]], image=np.zeros((1, 2, 3), np.uint8))
    with pytest.raises(UserError) as error:
        survey([*samples, wide], 1, Preprocessing(5, Dtype(), None))
    assert [message.split(": ")[0].rsplit("/", 1)[-1] for message in error.value.messages] == [
        "a.png",
        "d.png",
    ]


def of_well(folder, name, labels, group):
    path = folder / f"{name}.png"
    files.write(path, np.full((2, 3, 1), len(list(Path(folder).iterdir())), np.uint8))
    labels = np.array(labels, np.int32)
    annotation = Annotation((labels > 0).astype(np.uint8), labels)
    return Sample(name, path, (2, 3), lambda: annotation, {"well": group})


def test_a_split_is_described_and_written(tmp_path):
    one = [[1, 0, 0], [0, 0, 0]]
    parts = Split(*([of_well(tmp_path, name, one, group)] for name, group in zip("xyz", "abb", strict=True)))
    samples = [*parts.train, *parts.validation, *parts.test]
    contents = total(survey(samples, 1, AS_STORED))
    facts = describe_data(parts, contents, ["cell"], "well", synthetic=False)
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
