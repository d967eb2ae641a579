"""Trained stages as one object: masks of several models, where each looks, and whose classes come first."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from specs import segmenter

from kerasseg.cascade import Cascade, Stage
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.stores.store import open_store
from kerasseg.inference.large_image import Output, segment


def bright(channel, threshold, **tiles):
    """A model of one class: whatever is brighter than a threshold in a channel."""
    return segmenter(
        lambda batch: batch[..., channel : channel + 1].copy(), tiles, channels=2, threshold=threshold / 255
    )


def cell_and_spot(**changes):
    """A stage that sees cells, and one that sees spots, but within cells only."""
    cells = bright(0, 100, tile=32, overlap=4)
    spots = bright(1, 100, tile=20, overlap=4, **changes)
    return Cascade({"cells": Stage(cells), "spots": Stage(spots, ("cells", 1))}, (("spots", 1), ("cells", 1)))


IMAGE = np.array(
    [
        [[200, 0], [200, 200], [0, 0], [0, 0]],
        [[200, 0], [0, 0], [0, 200], [200, 200]],
    ],
    np.uint8,
)


def named(cascade, *names):
    """Give the stages' only class a name each."""
    stages = {
        key: replace(
            stage, segmenter=replace(stage.segmenter, spec=replace(stage.segmenter.spec, classes=(name,)))
        )
        for (key, stage), name in zip(cascade.stages.items(), names, strict=True)
    }
    return replace(cascade, stages=stages)


@pytest.fixture
def cascade():
    return named(cell_and_spot(), "cell", "spot")


def test_a_pixel_is_of_the_first_class_that_its_stage_gives_it(cascade):
    assert cascade.spec.classes == ("spot", "cell")
    assert cascade.mask(IMAGE).tolist() == [[2, 1, 0, 0], [2, 0, 0, 1]]  # the spot outside cells is none


def test_every_pixel_is_traced_to_its_stage(cascade):
    assert [*cascade.stages] == ["cells", "spots"]
    assert cascade.origins(IMAGE).tolist() == [[1, 2, 0, 0], [1, 0, 0, 2]]


def test_the_order_of_the_merge_decides(cascade):
    turned = replace(cascade, merge=cascade.merge[::-1])
    assert turned.spec.classes == ("cell", "spot")
    assert turned.mask(IMAGE).tolist() == [[1, 1, 0, 0], [1, 0, 0, 1]]


def test_entries_of_one_name_are_one_class():
    both = named(cell_and_spot(), "cell", "cell")
    assert both.spec.classes == ("cell",)
    assert both.mask(IMAGE).tolist() == [[1, 1, 0, 0], [1, 0, 0, 1]]
    assert both.origins(IMAGE).tolist() == [[1, 2, 0, 0], [1, 0, 0, 2]]


def test_objects_are_the_components_of_the_merged_classes(cascade):
    assert cascade.labels(IMAGE).tolist() == [[1, 2, 0, 0], [1, 0, 0, 3]]


def test_a_cascade_looks_at_images_at_their_own_size(cascade):
    assert cascade.fitted(None, (0.25, 0.25)) is cascade
    with pytest.raises(UserError, match="a cascade looks at images at their own size"):
        cascade.fitted(30)


def test_the_mask_of_a_stage_is_limited_to_its_region(cascade):
    assert cascade.stage_mask("spots", IMAGE).tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]
    assert cascade.stage_mask("cells", IMAGE).tolist() == [[1, 1, 0, 0], [1, 0, 0, 1]]


@pytest.fixture
def stored(tmp_path):
    """An image of many bands, which end at other rows in the one stage than in the other."""
    image = np.random.default_rng(0).integers(0, 256, (130, 75, 2), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, planarconfig="contig", metadata={"axes": "YXC"})
    return tmp_path / "a.tif", image


@pytest.mark.parametrize("blend", ["hann", "crop"])
def test_bands_of_a_file_are_the_whole_from_any_row_on(stored, blend):
    path, image = stored
    cascade = cell_and_spot(blend=blend)
    whole = cascade.entries(image)
    assert set(np.unique(whole)) == {0, 1, 2}
    np.testing.assert_array_equal(cascade.entries(path), whole)
    with open_store(path) as store:
        ends = [0, *(rows.stop for rows, _ in cascade.bands(store))]
        assert len(ends) > 8
        assert ends[-1] == 130
        for first_row in ends[:-1]:
            bands = [*cascade.bands(store, first_row)]
            assert bands[0][0].start == first_row
            np.testing.assert_array_equal(np.concatenate([band for _, band in bands]), whole[first_row:])


def test_a_volume_is_merged_plane_by_plane(tmp_path):
    volume = np.random.default_rng(0).integers(0, 256, (20, 9, 10), np.uint8)
    tifffile.imwrite(tmp_path / "v.tif", volume, metadata={"axes": "ZYX"})
    models = {
        tile: segmenter(np.copy, {"tile": tile, "overlap": 0}, stride=(1, 1, 1), threshold=tile / 10)
        for tile in (4, 7)
    }
    cascade = Cascade({"low": Stage(models[4]), "high": Stage(models[7])}, (("high", 1), ("low", 1)))
    expected = np.where(volume >= 0.7 * 255, 1, np.where(volume >= 0.4 * 255, 2, 0))
    np.testing.assert_array_equal(cascade.entries(tmp_path / "v.tif")[..., 0], expected)


def spread(batch):
    """A model of what is seen beside the image: channel 2, where any pixel three to the right holds it."""
    return np.maximum(batch[..., 2:3], np.roll(batch[..., 2:3], -3, axis=-2))


def seeing(**tiles):
    """Spots within cells, and a model that sees spots: it finds them, and three pixels to their left."""
    cascade = cell_and_spot()
    sight = segmenter(spread, tiles, channels=2, beside=1, receptive_radius=(0, 3))
    return replace(cascade, stages={**cascade.stages, "sight": Stage(sight, None, (("spots", 1),))})


def test_a_stage_sees_the_class_of_another_as_a_channel():
    cascade = seeing(tile=32, overlap=4)
    image = np.zeros((4, 8, 2), np.uint8)
    image[:, :6, 0] = image[1, 5, 1] = image[1, 7, 1] = 200  # the second spot is in no cell
    assert cascade.stage_mask("spots", image).nonzero() == ([1], [5])
    np.testing.assert_array_equal(cascade.stage_mask("sight", image).nonzero(), ([1, 1], [2, 5]))


def test_a_stage_alone_does_not_do_without_what_it_sees():
    with pytest.raises(UserError, match="is a stage of a cascade and sees 1 classes"):
        seeing(tile=32).stages["sight"].segmenter.mask(IMAGE)


@settings(deadline=None, max_examples=12)
@given(
    st.integers(1, 90),
    st.integers(1, 70),
    st.sampled_from([8, 20, 36]),
    st.sampled_from(["hann", "crop"]),
    st.sampled_from(["inside", "reflect", "zero"]),
)
def test_what_is_seen_is_the_same_by_bands_and_as_a_whole(height, width, tile, blend, padding):
    image = np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 2), np.uint8)
    cascade = seeing(tile=tile, overlap=3 if tile > 8 else 1, blend=blend, padding=padding)
    cascade = replace(cascade, merge=(("sight", 1), *cascade.merge))
    whole = cascade.entries(image)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tif"
        tifffile.imwrite(path, image, planarconfig="contig", metadata={"axes": "YXC"})
        with open_store(path) as store:
            bands = [*cascade.bands(store)]
            np.testing.assert_array_equal(np.concatenate([band for _, band in bands]), whole)
            for rows, _ in bands[:: max(1, len(bands) // 3)]:
                rest = np.concatenate([band for _, band in cascade.bands(store, rows.start)])
                np.testing.assert_array_equal(rest, whole[rows.start :])


@pytest.mark.parametrize("blend", ["hann", "crop"])
def test_tiles_without_a_pixel_of_the_region_are_not_answered(tmp_path, blend):
    image = np.random.default_rng(0).integers(1, 256, (64, 256, 2), np.uint8)
    image[..., 0] = 0
    image[20:30, 100:120, 0] = 200  # one cell
    tifffile.imwrite(tmp_path / "a.tif", image, planarconfig="contig", metadata={"axes": "YXC"})
    answered = []

    def brighter(batch):
        answered.append(len(batch))
        return batch[..., 1:].copy()

    tiles = {"tile": 16, "overlap": 4, "blend": blend, "batch_size": 1}
    spots = segmenter(brighter, tiles, channels=2, threshold=100 / 255)
    cells = cell_and_spot().stages["cells"]
    everywhere = Cascade({"cells": cells, "spots": Stage(spots)}, (("spots", 1),))
    within = Cascade({"cells": cells, "spots": Stage(spots, ("cells", 1))}, (("spots", 1),))
    all_of_it, count = everywhere.entries(tmp_path / "a.tif")[..., 0], len(answered)
    answered.clear()
    expected = np.where(image[..., 0] > 100, all_of_it, 0)
    np.testing.assert_array_equal(within.entries(tmp_path / "a.tif")[..., 0], expected)
    assert 10 <= len(answered) < count / 10  # and one that is black
    np.testing.assert_array_equal(within.entries(image)[..., 0], expected)


@pytest.mark.parametrize("kind", ["mask", "stages"])
def test_a_file_is_segmented_and_gone_on_with(stored, tmp_path, kind, monkeypatch, cascade):
    path, image = stored
    result, output = tmp_path / f"a.{kind}.png", Output(kind, "png")
    read = Cascade._merged

    def killed_later(self, masks):
        calls.append(masks)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return read(self, masks)

    calls = []
    monkeypatch.setattr(Cascade, "_merged", killed_later)
    with pytest.raises(KeyboardInterrupt):
        segment(path, result, cascade, output)
    monkeypatch.setattr(Cascade, "_merged", read)
    assert segment(path, result, cascade, output).new
    assert not segment(path, result, cascade, output).new  # it is done
    expected = {"mask": cascade.mask, "stages": cascade.origins}[kind](image)
    np.testing.assert_array_equal(files.read_values(result)[..., 0], expected)


def test_a_result_of_another_merge_is_not_gone_on_with(stored, tmp_path, cascade):
    path, _ = stored
    segment(path, tmp_path / "a.mask.png", cascade, Output("mask", "png"))
    with pytest.raises(UserError, match=r"merge: .*then, .*now"):
        segment(
            path, tmp_path / "a.mask.png", replace(cascade, merge=cascade.merge[::-1]), Output("mask", "png")
        )


def test_a_cascade_has_no_probabilities_and_a_model_no_stages(cascade):
    with pytest.raises(
        UserError, match="a cascade merges masks and has no probabilities; choose one of mask"
    ):
        Output("probabilities", "tiff").check(cascade.spec)
    with pytest.raises(UserError, match="only a cascade has stages"):
        Output("stages", "png").check(segmenter(np.copy).spec)


def test_an_image_of_other_axes_is_refused(tmp_path, cascade):
    tifffile.imwrite(tmp_path / "v.tif", np.zeros((5, 6, 7), np.uint8), metadata={"axes": "ZYX"})
    with pytest.raises(UserError, match=r"v\.tif: it has the axes ZYX"):
        cascade.mask(tmp_path / "v.tif")


def test_where_there_is_no_cascade_it_is_said(tmp_path):
    with pytest.raises(UserError, match="there is no trained cascade here"):
        Cascade.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "does not say what the cascade is made of"),
        ('{"stages": {"a": {}}}', "does not say what the cascade is made of"),
        ('{"stages": {"a": {"run": "a/1", "within": ["b", "c"]}}, "merge": []}', "has no stage b"),
    ],
)
def test_a_file_that_is_no_cascades_is_told(tmp_path, text, told):
    (tmp_path / "cascade.json").write_text(text)
    with pytest.raises(UserError, match=rf"cascade\.json: it {told}"):
        Cascade.load(tmp_path)
