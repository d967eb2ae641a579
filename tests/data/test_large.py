"""Slides and volumes that memory does not hold: the same patches as of the whole, and the same counts."""

from functools import partial

import h5py
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal

from kerasseg.data.batches import TrainingBatches, ValidationBatches
from kerasseg.data.collect import collect
from kerasseg.data.patches import Foreground
from kerasseg.data.sources.images_masks import images_masks
from kerasseg.data.sources.instances import instances
from kerasseg.data.sources.volumes import volumes
from kerasseg.data.survey import survey
from kerasseg.errors import UserError
from kerasseg.images.normalisation import Dtype, Minmax, Percentile
from kerasseg.images.preprocessing import Preprocessing
from kerasseg.images.stores.volume import Slide

SIDES = {2: (150, 1300), 3: (20, 40, 1100)}
AS_STORED = Preprocessing(None, Dtype(), None)
BRIGHT = [{"RandomBrightnessContrast": {"p": 1.0}}]


def call_large(monkeypatch, pixels):
    """Read by region what has more than so many pixels."""
    for module in ("sample", "sources.listing"):
        monkeypatch.setattr(f"kerasseg.data.{module}.LARGE", pixels)


def drawn(rank, channels, dtype):
    """Noise, and a mask of two blobs at its ends, a class each, and of a stripe to ignore."""
    rng = np.random.default_rng(rank)
    image = rng.integers(5, 200, (*SIDES[rank], channels)).astype(dtype)
    mask = np.zeros(SIDES[rank], np.uint8)
    mask[..., 3:9, 2:7], mask[..., 11:16, 1030:1090], mask[..., 700:704] = 1, 2, 255
    return image, mask


@pytest.fixture
def slides(tmp_path):
    """Write two tiled TIFFs and their masks, and list them."""

    def write(channels=3, dtype=np.uint8):
        image, mask = drawn(2, channels, dtype)
        for name, rows in (("a", slice(None)), ("b", slice(None, None, -1))):
            for folder, pixels in (("images", image), ("masks", mask)):
                path = tmp_path / folder / f"{name}.tif"
                path.parent.mkdir(exist_ok=True)
                tifffile.imwrite(path, pixels[rows], tile=(32, 48), compression="zlib")
        return collect(partial(images_masks, tmp_path), tmp_path, ["cell", "nucleus"])

    return write


@pytest.fixture
def hdf5_volume(tmp_path):
    """Write a volume and its mask in chunks, and list it."""

    def write():
        image, mask = drawn(3, 1, np.uint8)
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("raw", data=image[..., 0], chunks=(8, 16, 64), compression="gzip")
            file.create_dataset("mask", data=mask, chunks=(16, 8, 128), compression="gzip")
        inside = {"images": ".", "masks": ".", "dataset": "raw", "mask_dataset": "mask"}
        (sample,) = collect(partial(volumes, tmp_path, **inside), tmp_path, ["cell", "nucleus"])
        return sample

    return write


def batches(samples, normalise, *, channels, foreground=0.6):
    rank = len(samples[0].size)
    common = {
        "class_ids": range(1, 3),
        "preprocessing": Preprocessing(channels, normalise, None),
        "patch": {"size": (32, 64) if rank == 2 else (32, 16, 32), "foreground": foreground},
        "batch_size": 2,
        "multiple_of": 16,
    }
    return TrainingBatches(samples, augment=BRIGHT, seed=4, **common), ValidationBatches(samples, **common)


def same_batches(listed, monkeypatch, **arguments):
    """Compare patches of samples that are read whole with those of the same ones read by region."""
    call_large(monkeypatch, 2**40)
    whole = [stream.batch(at) for stream in batches(listed(), **arguments) for at in range(4)]
    call_large(monkeypatch, 1000)
    samples = listed()
    assert all(sample.is_large for sample in samples)
    streams = batches(samples, **arguments)
    monkeypatch.setattr(
        "kerasseg.images.stores.volume.Stored._opened", None
    )  # nothing is read whole from here
    parts = [stream.batch(at) for stream in streams for at in range(4)]
    for expected, given in zip(whole, parts, strict=True):
        for one, other in zip(expected, given, strict=True):
            assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize(("dtype", "normalise"), [(np.uint8, Dtype()), (np.uint16, Percentile())])
@pytest.mark.parametrize("channels", [1, 3])
def test_patches_of_a_slide_are_those_of_the_whole_bit_for_bit(
    slides, monkeypatch, dtype, normalise, channels
):
    same_batches(partial(slides, 3, dtype), monkeypatch, normalise=normalise, channels=channels)


@pytest.mark.parametrize("normalise", [Dtype(), Minmax()])
def test_patches_of_a_volume_are_those_of_the_whole_bit_for_bit(hdf5_volume, monkeypatch, normalise):
    same_batches(lambda: [hdf5_volume()], monkeypatch, normalise=normalise, channels=1)


def test_what_a_large_sample_holds_is_what_it_holds_as_a_whole(slides, monkeypatch):
    counted = []
    for large in (2**40, 1000):
        call_large(monkeypatch, large)
        monkeypatch.setattr("kerasseg.images.stores.store.BAND_BYTES", 1)  # a band is a row of tiles
        contents = survey(slides(), 2, Preprocessing(3, Dtype(), None))
        counted.append([(held.pixels.tolist(), held.ignored, held.total) for held in contents])
    assert counted[0] == counted[1] == [([30, 300], 600, 195_000)] * 2


def test_an_object_that_lies_in_several_bands_is_one(slides, monkeypatch, tmp_path):
    call_large(monkeypatch, 1000)
    monkeypatch.setattr("kerasseg.images.stores.store.BAND_BYTES", 1)
    slides()
    labels = np.zeros(SIDES[2], np.int32)
    labels[10:120, 40:90], labels[3:9, 500:510] = 7, 100_000
    for name in "ab":
        tifffile.imwrite(tmp_path / "masks" / f"{name}.tif", labels, tile=(32, 48), compression="zlib")
    samples = instances(tmp_path, ["cell"], labels="../masks/{stem}", images="*")
    assert [sample.is_large for sample in samples] == [True, True]
    assert [held.objects.tolist() for held in survey(samples, 1, AS_STORED)] == [[2], [2]]


@pytest.mark.parametrize("classes", [(), (2,)])
def test_foreground_is_found_alike_in_bands_and_at_once(classes):
    mask = np.zeros((9, 2500, *classes), np.uint8)
    mask[2, 1020:1030], mask[8, 2499], mask[5, 100:] = 1, 1, 255
    bands = [(slice(top, top + 2), slice(None)) for top in range(0, 9, 2)]
    one, other = Foreground(mask, 2), Foreground(mask, 2, bands)
    rng = [np.random.default_rng(1) for _ in range(2)]
    places = [(one.draw(mask, rng[0]), other.draw(mask, rng[1])) for _ in range(60)]
    assert all(first == second for first, second in places)
    assert {first for first, _ in places} == {(2, column) for column in range(1020, 1030)} | {(8, 2499)}


def test_a_slide_in_one_piece_is_read_whole_or_refused(tmp_path, monkeypatch):
    call_large(monkeypatch, 1000)
    image, mask = drawn(2, 1, np.uint8)
    for folder, pixels in (("images", image[..., 0]), ("masks", mask)):
        (tmp_path / folder).mkdir()
        whole = {"rowsperstrip": len(pixels), "compression": "zlib"}
        tifffile.imwrite(tmp_path / folder / "a.tif", pixels, **whole)
    (sample,) = images_masks(tmp_path, ["cell", "nucleus"])
    assert not sample.by_region
    assert_array_equal(sample.read(), image)
    monkeypatch.setattr("kerasseg.images.headers.MAX_PIXELS", 9000)
    with pytest.raises(UserError, match=r"a\.tif: the image is 150 x 1300 pixels; expected at most 9,000"):
        images_masks(tmp_path, ["cell", "nucleus"])


def test_a_changed_file_is_opened_anew(tmp_path):
    for value in (1, 2):
        tifffile.imwrite(tmp_path / "a.tif", np.full((64, 64), value, np.uint8), tile=(16, 16))
        assert Slide(tmp_path / "a.tif").read((slice(3), slice(3))).max() == value
