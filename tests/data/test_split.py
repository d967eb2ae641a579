from pathlib import Path

import numpy as np
import pytest
from components import SOURCES
from hypothesis import given
from hypothesis import strategies as st

from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.split import Split, audit, split
from kerasseg.errors import UserError
from kerasseg.images.stores.volume import Volume


def sample(name, **attributes):
    return Sample(name, Path(name), (1, 1), lambda: Annotation(np.zeros((1, 1), np.uint8)), attributes)


def names(part):
    return {sample.name for sample in part}


@given(
    wells=st.lists(st.integers(0, 9), min_size=12, max_size=60).filter(lambda wells: len(set(wells)) >= 3),
    test=st.floats(0.1, 0.5),
    validation=st.floats(0.05, 0.4),
    seed=st.integers(0, 5),
)
def test_every_sample_is_in_one_part_and_every_group_whole(wells, test, validation, seed):
    samples = [sample(f"s{at}", well=str(well)) for at, well in enumerate(wells)]
    parts = split(samples, train=1 - test, test=test, validation=validation, group_by="well", seed=seed)
    together = [s.name for part in parts.parts().values() for s in part]
    assert sorted(together) == sorted(s.name for s in samples)
    found = [{s.attributes["well"] for s in part} for part in parts.parts().values()]
    assert all(found)
    assert sum(map(len, found)) == len(set.union(*found))


@given(st.permutations([f"s{at}" for at in range(20)]))
def test_the_order_of_samples_does_not_matter(order):
    wanted = split([sample(f"s{at}") for at in range(20)], seed=3)
    assert split([sample(name) for name in order], seed=3).parts().keys() == wanted.parts().keys()
    assert names(split([sample(name) for name in order], seed=3).test) == names(wanted.test)


def test_shares_and_seeds():
    samples = [sample(f"s{at}") for at in range(100)]
    parts = split(samples, train=0.8, test=0.2, validation=0.1, seed=1)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (72, 8, 20)
    assert names(parts.test) != names(split(samples, seed=2).test)


def test_the_test_can_be_named():
    samples = [sample(f"s{at}", folder="plate3" if at < 4 else "plate1") for at in range(12)]
    parts = split(samples, test_where={"folder": "plate3"}, validation=0.25, seed=1)
    assert names(parts.test) == {"s0", "s1", "s2", "s3"}
    assert (len(parts.train), len(parts.validation)) == (6, 2)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"folder": "plate9"}, "none of 3 samples has {'folder': 'plate9'}"),
        ({"foldr": "plate1"}, "unknown attribute 'foldr'"),
    ],
)
def test_a_test_that_is_named_wrongly_is_refused(where, said):
    samples = [sample(f"s{at}", folder="plate1") for at in range(3)]
    with pytest.raises(UserError, match=r"data\.split\.test_where") as refused:
        split(samples, test_where=where, seed=1)
    assert said in str(refused.value)


def test_a_split_stays_what_it_was():
    parts = split([sample(f"s{at}") for at in range(10)], seed=0)
    assert (names(parts.test), names(parts.validation)) == ({"s2", "s3"}, {"s5"})


def test_real_fields_stay_whole(shared_data):
    samples = SOURCES["sartorius"](shared_data / "phase_kaggle", ["cell"])
    parts = split(samples, group_by="sample_id", seed=7)
    fields = {name: {s.attributes["sample_id"] for s in part} for name, part in parts.parts().items()}
    assert len(fields["test"]) == 6
    assert len(fields["train"] | fields["validation"]) == 24
    assert audit(parts, "sample_id").leaks == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": 0.8, "test": 0.3}, "add up to 1"),
        ({"train": 1.0, "test": 0.0}, "none is 0"),
        ({"group_by": "wel"}, "did you mean 'well'"),
        ({"group_by": "plate"}, "plate is empty for 6 of 6 samples"),
        ({"group_by": "day"}, "nothing is left for validation and test of 6 samples in 1 groups of day"),
    ],
)
def test_mistakes_say_what_to_change(arguments, message):
    samples = [sample(f"s{at}", well=str(at), day="monday", plate="") for at in range(6)]
    with pytest.raises(UserError, match=r"data\.split") as raised:
        split(samples, seed=0, **arguments)
    assert message in str(raised.value)


def test_the_audit_finds_the_same_group_and_the_same_file(tmp_path):
    for name, content in {"a": b"same", "b": b"else", "c": b"same", "d": b"other"}.items():
        (tmp_path / name).write_bytes(content)

    def at(name, well):
        return Sample(name, tmp_path / name, (1, 1), lambda: None, {"well": well})

    parts = Split([at("a", "1"), at("b", "2")], [at("d", "3")], [at("c", "2")])
    found = audit(parts, "well")
    assert found.groups["train"] == {"1": 1, "2": 1}
    assert found.leaks == [
        "group '2' is in train (1), test (1)",
        f"the same file is in train ({tmp_path / 'a'}) and test ({tmp_path / 'c'})",
    ]
    assert found.warnings == []


def test_the_audit_finds_the_same_slices_in_two_folders(tmp_path):
    def folder(name, *planes):
        (tmp_path / name).mkdir()
        for at, plane in enumerate(planes):
            (tmp_path / name / f"{name}_z{at}.tif").write_bytes(plane)
        return Sample(name, Volume(tmp_path / name), (2, 1, 1), lambda: None)

    samples = {name: [folder(name, *planes)] for name, planes in [("a", (b"12", b"3")), ("b", (b"1", b"32"))]}
    again = [folder("c", b"12", b"3")]
    assert audit(Split(samples["a"], samples["b"], again), None).leaks == [
        f"the same file is in train ({tmp_path / 'a'}) and test ({tmp_path / 'c'})"
    ]


def test_the_audit_warns_of_attributes_that_nobody_grouped_by(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    wells = {"a": "1", "b": "1", "c": "1", "d": "2"}
    samples = {
        name: Sample(name, tmp_path / "x", (1, 1), lambda: None, {"well": well, "kind": "t98g"})
        for name, well in wells.items()
    }
    parts = Split([samples["a"], samples["d"]], [samples["b"]], [samples["c"]])
    (warning,) = audit(parts, None).warnings
    assert warning.startswith("well: 1 of its 2 values are in more than one part")


@given(
    wells=st.lists(st.integers(0, 9), min_size=12, max_size=40),
    folds=st.integers(2, 4),
    seed=st.integers(0, 5),
)
def test_each_sample_is_in_the_test_of_one_fold_with_all_its_group(wells, folds, seed):
    samples = [sample(f"s{at}", well=str(well % 6)) for at, well in enumerate([*wells, *range(6)])]
    tests = [
        split(samples, folds=folds, fold=fold, group_by="well", seed=seed).test
        for fold in range(1, folds + 1)
    ]
    assert sorted(s.name for part in tests for s in part) == sorted(s.name for s in samples)
    groups = [{s.attributes["well"] for s in part} for part in tests]
    assert sum(map(len, groups)) == len(set.union(*groups))


def test_more_folds_than_groups_are_refused():
    with pytest.raises(UserError, match=r"data\.split\.folds: 5 folds of 4 groups"):
        split([sample(f"s{at}") for at in range(4)], folds=5, seed=0)
