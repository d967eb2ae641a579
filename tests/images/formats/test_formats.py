"""Microscopes' own formats: what is read is what each format's own library reads whole."""

import sys
from pathlib import Path

import microscopes
import numpy as np
import pytest
from components import SOURCES
from microscopes import NOISE
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.formats import scenes
from kerasseg.images.stores.store import open_store

liffile = pytest.importorskip("liffile", reason="liffile of the extra formats is not installed")
mrcfile = pytest.importorskip("mrcfile", reason="mrcfile of the extra formats is not installed")
nd2 = pytest.importorskip("nd2", reason="nd2 of the extra formats is not installed")
nibabel = pytest.importorskip("nibabel", reason="nibabel of the extra formats is not installed")
nrrd = pytest.importorskip("nrrd", reason="pynrrd of the extra formats is not installed")
oiffile = pytest.importorskip("oiffile", reason="oiffile of the extra formats is not installed")
czi = pytest.importorskip("pylibCZIrw.czi", reason="pylibCZIrw of the extra formats is not installed")

VOLUME = NOISE[0]  # Z, Y, X
SIZE = (2.0, 0.5, 0.25)


def everything(store):
    return store.read((slice(None),) * (len(store.shape) - 1))


@pytest.fixture
def examples(shared_data) -> Path:
    """Microscopes' files that no library writes."""
    folder = shared_data.parent / "cases" / "files" / "14"
    if not folder.is_dir():
        pytest.skip(f"files of microscopes are not here: {folder}")
    return folder


def test_a_czi_has_its_channels_planes_and_size(tmp_path):
    with open_store(microscopes.czi(tmp_path / "a.czi")) as store:
        assert (store.axes, store.shape, store.dtype) == ("ZYXC", (3, 20, 30, 2), np.uint16)
        assert store.pixel_size == pytest.approx(SIZE)
        assert_array_equal(everything(store), NOISE.transpose(1, 2, 3, 0))
        region = (slice(1, 3), slice(4, 17), slice(9, 99))
        assert_array_equal(store.read(region), NOISE.transpose(1, 2, 3, 0)[region])


def test_a_scene_of_a_czi_is_named(tmp_path):
    path = microscopes.czi(tmp_path / "a.czi", scenes=2)
    with pytest.raises(UserError, match=r"its images are 0, 1; expected one\. Name one, such as a\.czi:0"):
        open_store(path)
    with pytest.raises(UserError, match=r"its images are 0, 1; none is named 'left'"):
        open_store(path, dataset="left")
    with open_store(Path(f"{path}:1")) as store, czi.open_czi(str(path)) as document:
        assert_array_equal(everything(store), NOISE.transpose(1, 2, 3, 0) + 1)
        whole = document.read(plane={"C": 1, "Z": 2}, scene=1)[..., 0]
        assert_array_equal(everything(store)[2, ..., 1], whole)


def test_colours_of_a_czi_are_red_green_and_blue(tmp_path):
    with czi.create_czi(str(tmp_path / "a.czi")) as document:
        document.write(np.full((4, 5, 3), (10, 20, 30), np.uint8))  # blue, green, red
    assert files.read(tmp_path / "a.czi").tolist() == np.full((4, 5, 3), (30, 20, 10)).tolist()


def test_an_image_of_a_lif_is_named(tmp_path):
    path = microscopes.lif(tmp_path / "a.lif", {"left": VOLUME, "right": VOLUME[::-1]})
    with pytest.raises(UserError, match=r"its images are left, right; expected one"):
        open_store(path)
    with liffile.LifFile(path) as file, open_store(path, dataset="right") as store:
        assert_array_equal(everything(store)[..., 0], file.images["right"].asarray())
        assert store.pixel_size == pytest.approx(SIZE)


def test_an_oif_has_its_channels_planes_and_size(tmp_path):
    path = microscopes.oif(tmp_path / "a.oif")
    with oiffile.OifFile(path) as file, open_store(path) as store:
        assert_array_equal(everything(store), file.asarray().transpose(1, 2, 3, 0))
        assert store.pixel_size == SIZE


def test_an_oif_without_a_plane_is_an_error(tmp_path):
    path = microscopes.oif(tmp_path / "a.oif")
    (tmp_path / "a.oif.files" / "s_C002Z002.tif").unlink()
    with open_store(path) as store, pytest.raises(UserError, match=r"the plane at CZ \(1, 1\) is missing"):
        everything(store)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(3, 20, 30), (20, 30)])
def test_an_mrc_is_what_mrcfile_reads(tmp_path, dtype, shape):
    array = VOLUME[: shape[0] if len(shape) == 3 else 1].reshape(-1)[: np.prod(shape)].reshape(shape)
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(array.astype(dtype))
        file.voxel_size = (2500, 5000, 20000)  # x, y, z in angstroms
    with open_store(tmp_path / "a.mrc", values=True) as store:
        assert_array_equal(everything(store)[..., 0], mrcfile.read(tmp_path / "a.mrc"))
        assert store.pixel_size == pytest.approx(SIZE[-len(shape) :])


def test_sections_of_an_mrc_lie_along_the_axis_that_it_says(tmp_path):
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(VOLUME.astype(np.int16))
        file.header.mapc, file.header.mapr, file.header.maps = (
            3,
            2,
            1,
        )  # columns run along Z, sections along X
    with open_store(tmp_path / "a.mrc", values=True) as store:
        assert_array_equal(everything(store)[..., 0], VOLUME.astype(np.int16).transpose(2, 1, 0))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_nifti_is_what_nibabel_reads(tmp_path, suffix, kind):
    image = kind(VOLUME.transpose(2, 1, 0), np.diag([0.00025, 0.0005, 0.002, 1]))
    image.header.set_xyzt_units("mm")
    path = tmp_path / f"a{suffix}"
    nibabel.save(image, path)
    with open_store(path) as store:
        assert (store.axes, store.dtype) == ("ZYXC", np.uint16)
        assert_array_equal(
            everything(store)[..., 0], np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)
        )
        assert store.pixel_size == pytest.approx(SIZE)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_nifti_that_cannot_hold_its_voxels_is_refused(tmp_path, suffix):
    image = nibabel.Nifti2Image(VOLUME.transpose(2, 1, 0), np.eye(4))
    image.header["dim"][3] = 2**50
    with nibabel.openers.Opener(str(tmp_path / f"a{suffix}"), "wb") as file:
        file.write(image.header.binaryblock + bytes(4) + VOLUME.tobytes())
    with pytest.raises(UserError, match=r"NIfTI file is damaged.*it holds at most \d+ of \d+ bytes"):
        open_store(tmp_path / f"a{suffix}")


def test_slope_and_time_of_a_nifti(tmp_path):
    image = nibabel.Nifti1Image(NOISE.transpose(3, 2, 1, 0).astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(UserError, match="2 points of time; expected one"):
        open_store(tmp_path / "a.nii")
    expected = nibabel.load(tmp_path / "a.nii").get_fdata()[..., 1].transpose(2, 1, 0)
    with open_store(Path(f"{tmp_path / 'a.nii'}:t=1")) as store:
        assert_array_equal(everything(store)[..., 0], expected.astype(np.float32))
        assert store.pixel_size == (None,) * 3  # of no known unit


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr"])
def test_a_nrrd_is_what_pynrrd_reads(tmp_path, encoding, suffix):
    header = {"space dimension": 3, "space directions": np.diag([0.25, 0.5, 2.0]), "space units": ["um"] * 3}
    path = str(tmp_path / f"a{suffix}")
    nrrd.write(path, VOLUME, header | {"encoding": encoding}, index_order="C")
    with open_store(path) as store:
        assert_array_equal(everything(store)[..., 0], nrrd.read(path, index_order="C")[0])
        assert store.pixel_size == pytest.approx(SIZE)


def test_colours_of_a_nrrd_are_channels(tmp_path):
    colours = VOLUME[:3].transpose(1, 2, 0).copy()
    header = {"kinds": ["RGB-color", "domain", "domain"], "spacings": [np.nan, 0.25, 0.5]}
    header |= {"units": ["", "um", "um"]}
    nrrd.write(str(tmp_path / "a.nrrd"), colours, header, index_order="C")
    assert_array_equal(files.read(tmp_path / "a.nrrd"), colours)
    with open_store(tmp_path / "a.nrrd") as store:
        assert (store.axes, store.pixel_size) == ("YXC", (0.5, 0.25))


def test_pixels_of_a_nrrd_in_another_folder_are_refused(tmp_path):
    nrrd.write(str(tmp_path / "a.nhdr"), VOLUME, {"encoding": "raw"}, index_order="C")
    text = (tmp_path / "a.nhdr").read_bytes()
    (tmp_path / "b.nhdr").write_bytes(text.replace(b"a.raw", b"/etc/a.raw"))
    with pytest.raises(UserError, match=r"its pixels lie in /etc/a\.raw; expected one file beside it"):
        open_store(tmp_path / "b.nhdr")


def test_an_nd2_is_what_nd2_reads(examples):
    path = examples / "cluster.nd2"
    with pytest.raises(UserError, match="3 points of time; expected one"):
        open_store(path)
    with open_store(Path(f"{path}:t=2")) as store:
        assert_array_equal(everything(store), nd2.imread(path)[2].transpose(0, 2, 3, 1))
        assert store.pixel_size == pytest.approx((0.5, 0.168, 0.168), abs=1e-3)


def test_real_files_are_what_their_libraries_read(examples):
    with open_store(examples / "EMD-3197.map") as store:
        assert_array_equal(everything(store)[..., 0], mrcfile.read(examples / "EMD-3197.map"))
        assert store.pixel_size == pytest.approx((0.00114,) * 3)  # 11.4 angstroms
    path = examples / "xyz__multiple_images.czi"
    with open_store(path, dataset="1") as store, czi.open_czi(str(path)) as document:
        planes = [document.read(plane={"Z": z}, scene=1) for z in range(2)]
        assert_array_equal(everything(store), np.stack(planes))


@pytest.fixture(params=[".czi", ".lif", ".oif", ".mrc", ".nii", ".nii.gz", ".nrrd"])
def flat(tmp_path, request):
    """A file of each format with one plane."""
    path, plane = tmp_path / f"a{request.param}", VOLUME[:1]
    if request.param == ".czi":
        with czi.create_czi(str(path)) as document:
            document.write(plane[0][..., np.newaxis])
    elif request.param == ".mrc":
        with mrcfile.new(path) as file:
            file.set_data(plane[0])
    elif request.param == ".nrrd":
        nrrd.write(str(path), plane[0], index_order="C")
    elif request.param == ".lif":
        microscopes.lif(path, {"one": plane[0]})
    elif request.param == ".oif":
        microscopes.oif(path, NOISE[:1, :1])
    else:
        nibabel.save(nibabel.Nifti1Image(plane[0].T, np.eye(4)), path)
    return path


def test_a_file_of_one_plane_is_a_picture_in_a_folder_of_images(flat):
    assert files.find(flat.parent) == [flat]
    header = files.header(flat)
    assert (header.size, header.channels, header.dtype, header.pages) == ((20, 30), 1, np.uint16, 1)
    assert_array_equal(files.read(flat)[..., 0], VOLUME[0])


def test_images_and_volumes_in_recipes_may_be_microscopes_files(tmp_path):
    microscopes.czi(tmp_path / "volumes" / "images" / "a.czi")
    (tmp_path / "volumes" / "masks").mkdir()
    mask = (VOLUME % 2).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(mask.T, np.eye(4)), tmp_path / "volumes" / "masks" / "a.nii.gz")
    (sample,) = SOURCES["volumes"](tmp_path / "volumes", ["cell"])
    assert (sample.size, sample.spacing) == ((3, 20, 30), pytest.approx(SIZE))
    assert_array_equal(sample.annotate().mask, mask)
    assert_array_equal(sample.read(), NOISE.transpose(1, 2, 3, 0))
    for name, array in (("images/a.mrc", VOLUME[0]), ("masks/a.mrc", mask[0])):
        (tmp_path / "flat" / name).parent.mkdir(parents=True)
        with mrcfile.new(tmp_path / "flat" / name) as file:
            file.set_data(array.astype(np.uint16))
    (sample,) = SOURCES["images_masks"](tmp_path / "flat", ["cell"])
    assert_array_equal(sample.read()[..., 0], VOLUME[0])
    assert_array_equal(sample.annotate().mask, mask[0])


def test_a_stack_is_no_picture(tmp_path):
    path = microscopes.czi(tmp_path / "a.czi")
    assert files.header(path).pages == 3
    with pytest.raises(UserError, match=r"stack of 3 planes \(3 x 20 x 30\); expected one 2-D image"):
        files.read(path)


def test_the_format_is_told_by_its_content(tmp_path):
    microscopes.czi(tmp_path / "a.czi").rename(tmp_path / "a.png")
    assert scenes.format_of(tmp_path / "a.png").name == "Zeiss CZI"
    (tmp_path / "a.oib").write_bytes(b"nothing")
    assert scenes.format_of(tmp_path / "a.oib") is None


def test_without_the_library_the_true_format_and_one_command_are_named(tmp_path, monkeypatch):
    path = microscopes.czi(tmp_path / "a.czi").rename(tmp_path / "a.tif")
    monkeypatch.setitem(sys.modules, "pylibCZIrw", None)
    monkeypatch.delitem(sys.modules, "kerasseg.images.formats.czi", raising=False)
    for attempt in (open_store, files.header, files.read):
        with pytest.raises(UserError, match=r"this is Zeiss CZI, .* pip install 'kerasseg\[formats\]'"):
            attempt(path)


def test_a_plane_that_is_absurdly_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(scenes, "MAX_PIXELS", 100)
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(VOLUME)
    with pytest.raises(UserError, match=r"a plane holds 1 x 20 x 30 pixels; expected at most 100"):
        open_store(tmp_path / "a.mrc")


@pytest.mark.parametrize("seed", range(8))
def test_a_broken_file_is_a_users_mistake(flat, seed):
    """Bytes of the first kilobyte are flipped, or the file is cut: no traceback, whatever is left."""
    random, content = np.random.default_rng(seed), bytearray(flat.read_bytes())
    if seed % 2:
        content = content[: random.integers(9, len(content))]
    else:
        for at in random.integers(0, min(1024, len(content)), 6):
            content[at] = random.integers(256)
    flat.write_bytes(content)
    try:
        with open_store(flat) as store:
            everything(store)
    except UserError:
        pass


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed by Linux only")
def test_a_closed_store_holds_no_file(flat):
    def held():
        links = (link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
        return [link for link in links if flat.name in link.name]

    with open_store(flat) as store:
        everything(store)
    assert held() == []
