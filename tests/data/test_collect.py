"""The samples of a source, and what takes their place where a recipe allows it."""

from functools import partial

import numpy as np
import pytest
import tifffile

from kerasseg.annotations import labelme as labelme_files
from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.data.collect import channels, collect
from kerasseg.data.sample import Annotation, MissingData, Sample
from kerasseg.errors import Fallback, UserError
from kerasseg.images import files
from kerasseg.images.stores.volume import Volume
from kerasseg.recipe.sources import ImagesMasks, Labelme, Sartorius, Volumes
from kerasseg.synthetic import golgi
from kerasseg.synthetic.cells import synthesize
from kerasseg.synthetic.origin import is_synthetic


def test_missing_data_are_an_error_unless_something_draws_them(tmp_path):
    source = Sartorius(root=tmp_path / "nowhere")
    with pytest.raises(MissingData, match="nowhere"):
        collect(source.build, source.root, ["cell"])


def test_synthetic_data_are_said_in_the_open_and_known_again_later(tmp_path):
    source = Sartorius(root=tmp_path / "made")
    draw = partial(synthesize, source.root, images=2, size=(48, 64), seed=0)
    with pytest.warns(Fallback, match="SYNTHETIC"):
        made = collect(source.build, source.root, ["cell"], synthesize=draw)
    assert is_synthetic(tmp_path / "made")
    with pytest.warns(Fallback, match="SYNTHETIC"):
        again = collect(source.build, source.root, ["cell"])
    assert [sample.name for sample in made] == [sample.name for sample in again]


@pytest.mark.parametrize("images", ["images", None])
def test_volumes_are_drawn_too_and_masks_alone_where_there_are_no_images(tmp_path, monkeypatch, images):
    drawn = []
    monkeypatch.setattr(golgi, "synthesize", lambda root, **options: drawn.append((root, options)))
    Volumes(root=tmp_path / "made", images=images).synthesize(seed=1)
    assert drawn == [(tmp_path / "made", {"seed": 1, "masks_only": images is None})]


def channelled(tmp_path, mask):
    mask = np.array(mask, np.uint8)
    for kind, array in (("images", mask[0]), ("masks", mask)):
        (tmp_path / kind).mkdir()
        axes = "CZYX"[-array.ndim :]
        tifffile.imwrite(
            tmp_path / kind / "a.tif", array, photometric="minisblack", ome=True, metadata={"axes": axes}
        )
    return Volumes(root=tmp_path, mask_type="channels")


def test_masks_have_the_form_that_the_recipe_says(tmp_path):
    source = channelled(tmp_path, [[[[1, 0]], [[0, 0]]], [[[0, 0]], [[0, 9]]]])
    both = ["golgi", "nuclei"]
    assert collect(source.build, tmp_path, both)[0].annotate().mask.tolist() == [[[1, 0]], [[0, 2]]]
    free = collect(source.build, tmp_path, both, multilabel=True)[0].annotate().mask
    assert free.tolist() == [[[[1, 0], [0, 0]]], [[[0, 0], [0, 1]]]]


def test_ids_become_channels_where_classes_do_not_exclude_each_other(tmp_path):
    ids = np.array([[0, 1], [2, 255]], np.uint8)
    for kind in ("shown", "drawn"):
        files.write(tmp_path / kind / "a.tif", ids)
    source = ImagesMasks(root=tmp_path, images="shown", masks="drawn")
    (sample,) = collect(source.build, tmp_path, ["golgi", "nuclei"], multilabel=True)
    assert sample.annotate().mask.tolist() == [[[0, 0], [1, 0]], [[0, 1], [255, 255]]]


def test_names_to_be_ignored_become_255_and_their_objects_are_dropped(tmp_path):
    files.write(tmp_path / "a.png", np.zeros((2, 6), np.uint8))
    shapes = [Shape(name, box(x)) for x, name in ((0, "cell"), (2, "debris"), (4, "dead"))]
    labelme_files.write(tmp_path / "a.json", Drawing("a.png", (2, 6), shapes))
    source = Labelme(root=tmp_path)
    (sample,) = collect(source.build, tmp_path, ["cell", "dead"], ignored=["debris"])
    annotation = sample.annotate()
    assert annotation.mask.tolist() == [[1, 1, 255, 255, 2, 2]] * 2
    assert [len(set(row)) for row in (annotation.labels[0, :2], annotation.labels[0, 4:])] == [1, 1]
    assert annotation.labels[0, [0, 2, 4]].tolist() == [1, 0, 3]
    (sample,) = collect(source.build, tmp_path, ["cell", "dead"], ignored=["debris"], multilabel=True)
    assert sample.annotate().mask[0].tolist() == [[1, 0]] * 2 + [[255, 255]] * 2 + [[0, 1]] * 2
    with pytest.raises(UserError, match=r"debris.* \(data\.classes\)\. Name it there, or in data\.ignore"):
        collect(source.build, tmp_path, ["cell", "dead"])


def box(x):
    return np.array([[x, 0], [x + 2, 0], [x + 2, 2], [x, 2]], float)


def test_numbers_to_be_ignored_are_named_as_classes_are(tmp_path):
    files.write(tmp_path / "images" / "a.tif", np.zeros((1, 4), np.uint8))
    files.write(tmp_path / "masks" / "a.tif", np.array([[0, 7, 9, 255]], np.uint8))
    source = ImagesMasks(root=tmp_path, values={"cell": 9, "debris": 7, "ignore": 255})
    (sample,) = collect(source.build, tmp_path, ["cell"], ignored=["debris"])
    assert sample.annotate().mask.tolist() == [[0, 255, 1, 255]]


def test_names_that_are_background_are_as_if_nobody_had_drawn_them(tmp_path):
    files.write(tmp_path / "a.png", np.zeros((2, 6), np.uint8))
    shapes = [Shape(name, box(x)) for x, name in ((0, "cell"), (2, "debris"), (4, "dead"))]
    labelme_files.write(tmp_path / "a.json", Drawing("a.png", (2, 6), shapes))
    source, others = Labelme(root=tmp_path), {"ignored": ["debris"], "background": ["dead"]}
    (sample,) = collect(source.build, tmp_path, ["cell"], **others)
    annotation = sample.annotate()
    assert annotation.mask.tolist() == [[1, 1, 255, 255, 0, 0]] * 2
    assert annotation.labels.tolist() == [[1, 1, 0, 0, 0, 0]] * 2
    (sample,) = collect(source.build, tmp_path, ["cell"], **others, multilabel=True)
    assert sample.annotate().mask[0].tolist() == [[1]] * 2 + [[255]] * 2 + [[0]] * 2


def test_channels_that_are_background_are_left_out(tmp_path):
    source = channelled(tmp_path, [[[[1, 0, 0]]] * 2, [[[0, 1, 1]]] * 2])
    (sample,) = collect(source.build, tmp_path, ["golgi"], background=["dirt"])
    assert sample.annotate().mask[0, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize(("multilabel", "expected"), [(False, [1, 255, 255]), (True, [[1], [255], [255]])])
def test_channels_to_be_ignored_are_ignored_in_all_classes(tmp_path, multilabel, expected):
    source = channelled(tmp_path, [[[[1, 1, 0]]] * 2, [[[0, 1, 1]]] * 2])
    (sample,) = collect(source.build, tmp_path, ["golgi"], ignored=["dirt"], multilabel=multilabel)
    assert sample.annotate().mask[0, 0].tolist() == expected


def written(path, count):
    files.write(path, np.zeros((4, 4, count), np.uint8))
    return Sample(path.stem, path, (4, 4), lambda: Annotation(np.zeros((4, 4), np.uint8)))


def test_channels_are_those_that_all_images_have(tmp_path):
    grey, other, colour = (written(tmp_path / f"{n}.png", n) for n in (1, 3, 4))
    assert channels([other]) == 3
    with pytest.raises(UserError, match=r"1 in .*1\.png, 4 in .*4\.png"):
        channels([grey, colour])


def test_channels_of_volumes_are_those_of_their_headers(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 2, 4, 4), np.uint8), metadata={"axes": "ZCYX"})
    volume = Volume(tmp_path / "a.tif")
    sample = Sample("a", volume, volume.header().size, lambda: Annotation(np.zeros((3, 4, 4), np.uint8)))
    assert channels([sample]) == 2
    assert sample.read().shape == (3, 4, 4, 2)
    with pytest.raises(UserError, match=r"1 in .*1\.png, 2 in .*a\.tif"):
        channels([written(tmp_path / "1.png", 1), sample])
