"""Volumes and their masks as samples."""

import h5py
import numpy as np
import pytest
import tifffile
from components import SOURCES
from PIL import Image

from kerasseg.data.collect import channels
from kerasseg.errors import UserError

SIZE = (3, 4, 5)
volumes = SOURCES["volumes"]


def write(path, array, axes="ZYX", **metadata):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, ome=True, photometric="minisblack", metadata={"axes": axes, **metadata})


@pytest.fixture
def golgi(tmp_path):
    """Two volumes of two channels, and masks of a channel for golgi, nuclei and pairs."""
    sizes = {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", (0.5, 0.1, 0.1), strict=True)}
    for at, name in enumerate(("a", "b")):
        write(tmp_path / f"images/{name}.ome.tif", np.full((3, 2, 4, 5), at, np.uint8), "ZCYX", **sizes)
        mask = np.zeros((3, 3, 4, 5), np.uint8)
        mask[:, 0, 0], mask[:, 1, 1], mask[:, 2, :2] = 255, 255, 255
        write(tmp_path / f"masks/{name}.tif", mask, "ZCYX")
    return tmp_path


def messages(root, classes=("cell",), **arguments):
    with pytest.raises(UserError) as raised:
        volumes(root, list(classes), **arguments)
    return raised.value.messages


def test_a_channel_is_a_class_and_classes_may_overlap(golgi):
    told = {"mask_type": "channels", "channels": {"pair": 2, "nuclei": 1}}
    first, second = volumes(golgi, ["nuclei", "pair"], **told)
    assert (first.name, first.size, first.spacing) == ("a", SIZE, (0.5, 0.1, 0.1))
    assert (second.read() == 1).all()
    assert second.read().shape == (*SIZE, 2)
    assert channels([first, second]) == 2
    mask = first.annotate().mask
    assert (mask.shape, mask.dtype) == ((*SIZE, 2), np.uint8)
    assert mask[0, :, 0].tolist() == [[0, 1], [1, 1], [0, 0], [0, 0]]


def test_channels_are_in_the_order_of_the_classes_unless_said_otherwise(golgi):
    sample = volumes(golgi, ["golgi", "nuclei"], mask_type="channels")[0]
    assert sample.annotate().mask[0, :, 0].tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]


def test_ids_of_classes_and_of_objects(tmp_path):
    ids = np.arange(60, dtype=np.uint16).reshape(SIZE)
    write(tmp_path / "images/a.tif", ids)
    write(tmp_path / "masks/a.tif", ids % 3)
    (sample,) = volumes(tmp_path, ["golgi", "nuclei"])
    assert np.array_equal(sample.annotate().mask, ids % 3)
    assert sample.annotate().labels is None
    (sample,) = volumes(tmp_path, ["cell"], masks="masks", mask_type="instances")
    assert np.array_equal(sample.annotate().labels, ids % 3)
    assert np.array_equal(sample.annotate().mask, ids % 3 > 0)


def test_image_and_mask_may_lie_in_one_file_or_folder(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"], file["label"] = np.full(SIZE, 7, np.uint8), np.full(SIZE, 1, np.uint8)
    here = {"images": ".", "masks": "."}
    (sample,) = volumes(tmp_path, ["cell"], **here, dataset="raw", mask_dataset="label")
    assert (sample.read() == 7).all()
    assert (sample.annotate().mask == 1).all()
    assert "tell them apart by a suffix" in messages(tmp_path, **here, dataset="raw", mask_dataset="raw")[0]
    (tmp_path / "a.h5").unlink()
    write(tmp_path / "b.tif", np.full(SIZE, 9, np.uint8))
    write(tmp_path / "b_mask.tif", np.zeros(SIZE, np.uint8))
    (sample,) = volumes(tmp_path, ["cell"], **here, suffix="_mask")
    assert (sample.name, sample.read().max(), sample.annotate().mask.max()) == ("b", 9, 0)


def test_a_folder_of_slices_is_one_volume(tmp_path):
    for z in range(3):
        for kind in ("images", "masks"):
            (tmp_path / kind / "deep" / "a").mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(tmp_path / kind / f"deep/a/z{z}.tif", np.full((4, 5), z % 2, np.uint8))
    (sample,) = volumes(tmp_path, ["cell"])
    assert (sample.name, sample.size, sample.attributes) == ("deep/a", SIZE, {"folder": "images/deep"})
    assert sample.annotate().mask[:, 0, 0].tolist() == [0, 1, 0]


def test_masks_alone_are_their_own_images(golgi):
    (golgi / "images").rename(golgi / "elsewhere")
    first, second = volumes(golgi, ["golgi"], images=None, mask_type="channels")
    assert (first.name, second.name, first.size) == ("a", "b", SIZE)
    assert first.image.path == golgi / "masks/a.tif"


def test_every_mistake_is_named_at_once(golgi):
    write(golgi / "images/c.tif", np.zeros(SIZE, np.uint8))
    write(golgi / "masks/d.tif", np.zeros(SIZE, np.uint8))
    write(golgi / "masks/b.tif", np.zeros((3, 3, 4, 4), np.uint8), "ZCYX")
    (golgi / "masks/a.tif").write_bytes(b"this is text")
    found = messages(golgi, ["golgi"], mask_type="channels")
    assert len(found) == 4
    for part in ("c.tif: there is no mask", "d.tif: there is no image", "3 x 4 x 4 (depth x", "masks/a.tif"):
        assert sum(part in message for message in found) == 1, part


def test_arguments_that_do_not_fit_are_refused(golgi):
    assert "channel 3, counted from 0" in messages(golgi, mask_type="channels", channels={"cell": 3})[0]
    assert "the mask has 3 channels" in messages(golgi)[0]
    assert "did you mean 'class_ids'" in messages(golgi, mask_type="class_id")[0]
    assert "leave it out" in messages(golgi, channels={"cell": 0})[0]
    assert "of one class" in messages(golgi, ["a", "b"], mask_type="instances")[0]
    found = messages(golgi, ["golgi", "nuclei"], mask_type="channels", channels={"goldi": 0, "nuclei": 1})
    assert "did you mean 'golgi'" in found[0]
    assert "golgi has no channel" in found[1]


def test_numbers_beyond_the_classes_are_refused(tmp_path):
    for kind in ("images", "masks"):
        write(tmp_path / kind / "a.tif", np.full(SIZE, 3, np.uint8))
    with pytest.raises(UserError, match=r"masks/a\.tif: the mask holds 3, which is not a class"):
        volumes(tmp_path, ["golgi", "nuclei"])


@pytest.mark.parametrize("mask_type", ["class_ids", "instances", "channels"])
def test_masks_that_lose_are_refused(tmp_path, mask_type):
    for name in "ab":
        write(tmp_path / f"images/{name}.tif", np.zeros((3, 16, 16), np.uint8))
    (tmp_path / "masks/b").mkdir(parents=True)
    mask = np.zeros((3, 16, 16), np.uint8)
    stack = {"photometric": "minisblack", "compression": "jpeg", "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(tmp_path / "masks/a.tif", mask, **stack)
    for at, plane in enumerate(mask):
        Image.fromarray(plane).save(tmp_path / f"masks/b/{at}.jpg")
    first, second = messages(tmp_path, mask_type=mask_type)
    assert "masks/a.tif: the file was compressed with loss" in first
    assert "masks/b: the file was compressed with loss" in second


def test_axes_of_masks_are_asked_for_once_and_by_their_key(tmp_path):
    write(tmp_path / "images/a.tif", np.zeros(SIZE, np.uint8))
    (tmp_path / "masks").mkdir()
    pages = {"photometric": "minisblack", "metadata": None}
    tifffile.imwrite(tmp_path / "masks/a.tif", np.zeros(SIZE, np.uint8), **pages)
    (message,) = messages(tmp_path)
    assert 'such as mask_axes="ZYX"' in message


def test_real_volumes(shared_data):
    embryo = {"images": "images_raw", "masks": "images_nsn"}
    (sample,) = volumes(shared_data / "embryo_qcanet", ["nucleus"], **embryo)
    assert sample.size == (51, 120, 122)
    inside = sample.annotate().mask == 1
    assert 0.005 < inside.mean() < 0.2
    assert sample.read()[inside].mean() > 2 * sample.read()[~inside].mean()

    here = {"images": ".", "masks": ".", "dataset": "raw", "mask_dataset": "label", "mask_type": "instances"}
    samples = volumes(shared_data / "ovule_plantseg", ["cell"], **here)
    assert [sample.size for sample in samples] == [(100, 100, 100), (32, 128, 128)]
    assert samples[0].spacing == pytest.approx((0.284, 0.128, 0.128), abs=1e-3)
    assert samples[1].annotate().labels.max() > 1


def test_real_volumes_whose_axes_must_be_said(shared_data, tmp_path):
    for kind, name in (("images", "img3d"), ("masks", "mask3d")):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "a.tif").symlink_to(shared_data / f"nuclei_stardist/{name}.tif")
    told = {"axes": "ZYX", "mask_axes": "ZYX", "mask_type": "instances"}
    (sample,) = volumes(tmp_path, ["nucleus"], **told)
    assert sample.size == (31, 61, 57)
    assert len(np.unique(sample.annotate().labels)) == 51 + 1
