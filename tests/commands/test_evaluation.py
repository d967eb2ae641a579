"""Volumes judged by a model that answers with its input: every number can be worked out by hand."""

import csv

import numpy as np
import pytest
import tifffile
from specs import segmenter

from kerasseg import postprocess
from kerasseg.commands.evaluation import evaluate
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.images_masks import images_masks
from kerasseg.images import files
from kerasseg.inference import mask_files
from kerasseg.postprocess.pairs import Pairing
from kerasseg.spec import Objects

CLASSES = ("golgi", "nuclei")
SPACING = (1.0, 0.5, 0.5)


class Stored(Sample):
    """A sample whose image is in memory."""

    def read(self, region=None):
        return self.image if region is None else self.image[region]


def sample(name, image, mask, labels=None):
    return Stored(name, image, mask.shape[:3], lambda: Annotation(mask, labels), spacing=SPACING)


def answering(**changes):
    """A model that answers with its input."""
    volumes = {"classes": CLASSES, "channels": 2, "stride": (4, 4, 4), "multilabel": True}
    return segmenter(np.copy, {"tile": 16}, **volumes | changes)


def cells(shift=0):
    """Two nuclei with a Golgi right of each, and a lone Golgi: (12, 20, 40, 2) of 0 and 1."""
    mask = np.zeros((12, 20, 40, 2), np.uint8)
    mask[3:9, 2:8, 2:8, 1], mask[5:7, 4:6, 9 + shift : 11 + shift, 0] = 1, 1
    mask[3:9, 10:16, 20:26, 1], mask[5:7, 12:14, 27 + shift : 29 + shift, 0] = 1, 1
    mask[0:2, 18:20, 37:39, 0] = 1
    return mask


@pytest.fixture
def judged(tmp_path):
    """Two volumes: one is found as it is, in the other every Golgi lies a pixel further."""
    truths = {"a": cells(), "sub/b": cells()}
    found = {"a": cells(), "sub/b": cells(shift=1)}
    samples = [sample(name, 255 * found[name], truth) for name, truth in truths.items()]
    return evaluate(
        samples,
        answering(objects=Objects("components", {"smallest": 2})),
        folder=tmp_path,
        score_objects=True,
        pairing=Pairing(nuclei=1, golgi=0, pair=None, farthest=5.0),
    )


def test_each_class_is_counted_over_whole_volumes(judged):
    golgi, nuclei = judged.test["classes"].values()
    assert [nuclei[name] for name in ("precision", "recall", "dice")] == [1, 1, 1]
    assert golgi["precision"] == golgi["recall"] == golgi["dice"] == pytest.approx((24 + 16) / 48)
    assert golgi["dice_per_image"] == pytest.approx((1 + 16 / 24) / 2)
    assert judged.threshold_curve["classes"]["golgi"]["dice"] == pytest.approx([40 / 48] * 49)
    assert (judged.size, judged.test_original_size) == ("original", None)
    assert set(judged.test) == {"classes", "images"}  # none is taken for another


def test_pairs_are_counted_and_listed(judged, tmp_path):
    assert (judged.pairs["found"], judged.pairs["true"]) == (4, 4)
    moved = judged.pairs["images"]["sub/b"]
    assert (moved["mean_length_found"], moved["mean_length_true"]) == (3.0, 2.5)
    assert moved["unit"] == "micrometre"
    with (tmp_path / "predictions" / "sub__b.pairs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["nucleus"], row["golgi"]) for row in rows] == [("1", "2"), ("2", "3")]
    assert [float(rows[0][name]) for name in ("dz", "dy", "dx")] == [0.0, 0.0, 3.0]


def test_a_volume_s_prediction_is_kept_as_a_stack_with_channels(judged, tmp_path):
    found = mask_files.read(tmp_path / "predictions" / "sub__b", exclusive=False)
    np.testing.assert_array_equal(found, cells(shift=1))
    assert files.read(tmp_path / "predictions" / "overlays" / "a.png").shape[2] == 3


def test_predicted_objects_are_measured(judged, tmp_path):
    with (tmp_path / "predictions" / "objects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["class"]) for row in rows[:5]] == [("a", "golgi")] * 3 + [("a", "nuclei")] * 2
    assert {row["volume_um3"] for row in rows if row["class"] == "nuclei"} == {str(6**3 / 4)[:-2]}
    assert rows[0]["intensity_max-1"] == "0"
    with (tmp_path / "predictions" / "objects.images.csv").open() as file:
        counts = [(row["image"], row["class"], row["count"]) for row in csv.DictReader(file)]
    assert counts == [
        ("a", "golgi", "3"),
        ("a", "nuclei", "2"),
        ("sub/b", "golgi", "3"),
        ("sub/b", "nuclei", "2"),
    ]


def test_every_volume_s_time_is_told(judged):
    assert set(judged.seconds) == {"a", "sub/b"}
    assert judged.seconds_per_image >= 0


def test_objects_of_classes_that_do_not_exclude_each_other(tmp_path):
    mask = cells()
    labels = np.stack([postprocess.labels(mask[..., k]) for k in range(mask.shape[-1])], axis=-1)
    mask[0:2, 18:20, 37:39] = 255  # the lone Golgi is of no account
    truth = [sample("a", 255 * cells(), mask, labels)]
    found = evaluate(truth, answering(), folder=tmp_path, score_objects=True)
    assert found.pairs is None
    for name in CLASSES:
        of = found.instances["classes"][name]
        assert (of["true_objects"], of["predicted_objects"], of["pq"]) == (2, 2, 1)


def test_a_volume_of_exclusive_classes(tmp_path):
    ids = cells() @ np.array([1, 2], np.uint8)
    truth = [sample("a", 255 * cells(), ids, postprocess.labels(ids))]
    found = evaluate(truth, answering(multilabel=False), folder=tmp_path, score_objects=True)
    assert [of["dice"] for of in found.test["classes"].values()] == [1, 1]
    assert found.instances["classes"]["golgi"]["true_objects"] == 3
    np.testing.assert_array_equal(mask_files.read(tmp_path / "predictions" / "a"), ids)
    assert found.test["confusion"] == np.diag(np.bincount(ids.ravel())).tolist()
    assert {found.test["averages"][f"f1_{name}"] for name in ("micro", "weighted", "macro_foreground")} == {1}


def test_a_slide_that_memory_does_not_hold_is_scored_band_by_band(tmp_path, monkeypatch):
    truth = np.zeros((200, 90), np.uint8)
    truth[10:150, 20:60], truth[150:, 80:], truth[:20, 80:] = 1, 1, 255
    found = np.roll(truth == 1, 3, axis=1)
    for folder, pixels in (("images", found * np.uint8(255)), ("masks", truth)):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", pixels, tile=(16, 32), compression="zlib")
    model = segmenter(np.copy, {"tile": 32}, channels=1, stride=(4, 4))

    def judged(name):
        (sample,) = images_masks(tmp_path, ["cell"])
        return evaluate([sample], model, folder=tmp_path / name, score_objects=False)

    whole = judged("whole")
    for limit in ("data.sources.listing.LARGE", "data.sample.LARGE", "images.headers.MAX_PIXELS"):
        monkeypatch.setattr(f"kerasseg.{limit}", 1000)
    bands = judged("bands")
    assert (bands.test, bands.threshold_curve) == (whole.test, whole.threshold_curve)
    assert 0 < whole.test["classes"]["cell"]["dice"] < 1
    np.testing.assert_array_equal(mask_files.read(tmp_path / "bands" / "predictions" / "a"), found)
    assert sorted(path.name for path in (tmp_path / "bands" / "predictions").iterdir()) == [
        "a.mask.ome.tif",
        "overlays",
    ]
