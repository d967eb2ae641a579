"""A mask cleaned up by class and numbered by size: by eye, in bands, and on a real volume of known counts."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from kerasseg.errors import UserError
from kerasseg.postprocess.cleaning import CleanUp, by_size, number_by_size

CLASSES = {"mitochondrion": 1, "endolysosome": 2, "Golgi": 3, "vesicle": 4}


def numbered(mask, clean_up=CleanUp(), connectivity=8, cuts=(), **arguments):  # noqa: B008
    into = np.full(mask.shape, -7, np.int32)
    bands = np.split(mask, [cut for cut in sorted(cuts) if cut < len(mask)])
    objects = number_by_size(bands, into, clean_up, connectivity=connectivity, **arguments)
    return into, objects


MASK = np.array(
    [
        [1, 0, 2, 2, 0, 1, 1],
        [0, 0, 2, 0, 0, 1, 1],
        [2, 0, 0, 0, 255, 0, 0],
        [2, 2, 2, 2, 255, 0, 1],
    ],
    np.uint8,
)


def test_the_largest_is_1_and_of_equals_the_first():
    into, objects = numbered(MASK)
    assert into.tolist() == [
        [4, 0, 3, 3, 0, 2, 2],
        [0, 0, 3, 0, 0, 2, 2],
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 5],
    ]
    assert objects.classes.tolist() == [2, 1, 2, 1, 1]
    assert objects.sizes.tolist() == [5, 4, 3, 1, 1]


@pytest.mark.parametrize(
    ("clean_up", "sizes"),
    [
        (CleanUp(smallest={1: 2}), [5, 4, 3]),
        (CleanUp(smallest={2: 4}), [5, 4, 1, 1]),
        (CleanUp(largest={1: 1}), [5, 4, 3]),
        (CleanUp(largest={1: 0}, largest_of_all=1), [5]),
        (CleanUp(largest_of_all=2), [5, 4]),
        (CleanUp(classes=frozenset({2})), [5, 3]),
        (CleanUp(classes=frozenset({7})), []),
    ],
)
def test_what_is_kept_is_said_class_by_class(clean_up, sizes):
    into, objects = numbered(MASK, clean_up)
    assert objects.sizes.tolist() == sizes == np.bincount(into.ravel())[1:].tolist()


@pytest.mark.parametrize(
    ("arguments", "sizes"),
    [
        ({}, [5, 4, 3, 1, 1]),
        ({"connectivity": 4, "smallest": (2, 0)}, [5, 4, 3]),
        ({"largest": 2}, [5, 4]),
        ({"largest": (1, None)}, [5, 4, 3]),
        ({"only": (2,), "smallest": (0, 4)}, [5]),
    ],
)
def test_a_model_s_objects_are_numbered_by_the_same_rules(arguments, sizes):
    labels = by_size(np.frombuffer(MASK.tobytes(), np.uint8).reshape(MASK.shape), **arguments)  # read-only
    assert labels.dtype == np.int32
    assert np.bincount(labels.ravel())[1:].tolist() == sizes


def test_what_is_small_in_its_plane_goes_before_the_volume_is_numbered():
    mask = np.zeros((3, 2, 4), np.uint8)
    mask[:, 0, 0] = 1  # a thread of one pixel in each plane
    mask[1, :, 2:] = 1
    in_volume, _ = numbered(mask, CleanUp(smallest={1: 3}), 26)
    in_planes, objects = numbered(mask, CleanUp(smallest={1: 3}, in_planes=True), 26)
    assert in_volume[:, 0, 0].tolist() == [2, 2, 2]
    assert in_planes[:, 0, 0].tolist() == [0, 0, 0]
    assert objects.sizes.tolist() == [4]


def test_an_image_is_a_plane():
    for cuts in ((), (1,)):
        _, objects = numbered(MASK, CleanUp(smallest={2: 4}, in_planes=True), cuts=cuts)
        assert objects.sizes.tolist() == [5, 4, 1, 1]


def test_grey_values_part_what_touches_within_a_class_and_join_no_classes():
    mask = np.array([[1, 1, 1, 1, 2, 2]], np.uint8)
    grey = np.array([[10, 20, 60, 65, 65, 65]], np.uint8)
    into, objects = numbered(mask, greys=[grey], delta=10)
    assert into.tolist() == [[1, 1, 2, 2, 3, 3]]
    assert objects.classes.tolist() == [1, 1, 2]
    into, _ = numbered(mask, greys=[grey.astype(np.uint16)], delta=70_000)
    assert into.tolist() == [[1, 1, 1, 1, 2, 2]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delta": 10}, "melt classes into one object"),
        ({"delta": -1, "greys": [MASK]}, "a delta of -1 was given; expected a difference of intensities, 0"),
        ({"delta": 1, "greys": [MASK.astype(float)]}, "float64; expected uint8 or uint16"),
        ({"delta": 1, "greys": [MASK[:, :2]]}, r"grey values of \(4, 2\) pixels"),
    ],
)
def test_a_delta_is_of_grey_values(arguments, message):
    with pytest.raises(UserError, match=message):
        numbered(MASK, **arguments)


volumes = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=3, max_side=7), elements=st.sampled_from([0, 0, 1, 1, 2, 255])
)
kept = st.builds(
    CleanUp,
    smallest=st.dictionaries(st.integers(1, 2), st.integers(0, 4)),
    in_planes=st.booleans(),
    largest=st.dictionaries(st.integers(1, 2), st.integers(0, 3)),
    largest_of_all=st.none() | st.integers(0, 4),
)


@settings(deadline=None)
@given(volumes, kept, st.sets(st.integers(1, 6)), st.booleans())
def test_bands_give_the_labels_and_the_numbers_of_the_whole(mask, clean_up, cuts, most):
    connectivity = {2: (4, 8), 3: (6, 26)}[mask.ndim][most]
    how = {"clean_up": clean_up, "connectivity": connectivity}
    (whole, expected), (labels, found) = numbered(mask, **how), numbered(mask, cuts=cuts, **how)
    np.testing.assert_array_equal(labels, whole)
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_array_equal(found.sizes, expected.sizes)
    assert found.dropped == expected.dropped


@pytest.fixture(scope="module")
def urocell(shared_data):
    folder = shared_data / "em" / "urocell_labels"
    if not folder.is_dir():
        pytest.skip(f"the volume is not here: {folder}")
    return lambda name: tifffile.imread(folder / f"fib1-3-2-1_{name}.tif")


@pytest.mark.parametrize(("connectivity", "count"), [(26, 174), (6, 190), (18, 176)])
def test_a_real_volume_has_as_many_objects_as_cc3d_finds(urocell, connectivity, count):
    _, objects = numbered(urocell("mask"), connectivity=connectivity, cuts=range(37, 256, 37))
    assert len(objects.sizes) == count


def test_a_delta_over_class_ids_would_have_melted_31_objects(urocell):
    mask = urocell("mask")
    assert len(numbered((mask > 0).astype(np.uint8), connectivity=26)[1].classes) == 143
    with pytest.raises(UserError, match="melt"):
        numbered(mask, connectivity=26, delta=10)


def test_a_real_volume_is_cleaned_up_by_class(urocell):
    mask = urocell("mask")
    _, every = numbered(mask, connectivity=26)
    assert np.bincount(every.classes).tolist() == [0, 74, 11, 5, 84]
    clean_up = CleanUp(smallest={1: 3000, 2: 2000, 3: 1000, 4: 500})
    into, objects = numbered(mask, clean_up, 26, cuts=range(50, 256, 50))
    assert np.bincount(objects.classes).tolist() == [0, 59, 11, 5, 82]
    assert objects.dropped == 174 - 157
    np.testing.assert_array_equal(by_size(mask, smallest=(3000, 2000, 1000, 500)), into)
    assert objects.sizes.sum() == np.count_nonzero(into) == 3_265_098
    for of_class, least in clean_up.smallest.items():  # SciPy is the judge, class by class
        labels, count = ndimage.label(mask == of_class, np.ones((3, 3, 3)))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        assert sorted(sizes[sizes >= least]) == sorted(objects.sizes[objects.classes == of_class])


def test_every_height_of_bands_gives_the_labels_of_the_whole(urocell):
    part = urocell("mask")[60:100, 100:180, 60:140]
    how = {"clean_up": CleanUp(smallest={1: 300, 4: 20}), "connectivity": 18}
    whole, expected = numbered(part, **how)
    assert len(expected.classes) > 5
    for height in range(1, len(part)):
        labels, found = numbered(part, cuts=range(height, len(part), height), **how)
        np.testing.assert_array_equal(labels, whole)
        assert found.sizes.tolist() == expected.sizes.tolist()


def test_the_twelve_largest_mitochondria(urocell):
    only = CleanUp(classes=frozenset({1}), largest_of_all=12)
    _, objects = numbered(urocell("mask"), only, 26)
    assert objects.sizes.tolist() == [
        *(50460, 36787, 29091, 28521, 27376, 27298, 26722, 25696, 23526, 23046, 19004, 18778)
    ]


def test_components_are_the_mitochondria_that_experts_told_apart(urocell):
    _, objects = numbered(urocell("mask"), CleanUp(classes=frozenset({1})), 26)
    instances = urocell("mito_instances")
    assert len(objects.sizes) == len(np.unique(instances[instances > 0])) == 74
