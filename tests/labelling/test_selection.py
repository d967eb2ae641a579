"""A budget is spent as the policy says: quotas by hand, and what holds for every draw."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.errors import UserError
from kerasseg.labelling.selection import POLICIES, SelectedTile, select, shares

PAPER = (120, 234, 238, 287, 648)  # sizes of the paper's clusters, the darkest first or not


def tiles(sizes):
    """Name the tiles of clusters of these sizes: to each its cluster."""
    clusters = [number for number, size in enumerate(sizes) for _ in range(size)]
    return {f"{at:04d}": number for at, number in enumerate(clusters)}


def draw(budget, policy, sizes=PAPER, seed=0, **options):
    cluster = tiles(sizes)
    embeddings = {name: np.float32([int(name), number]) for name, number in cluster.items()}
    options = {
        "candidates": list(cluster),
        "cluster": cluster,
        "embeddings": embeddings,
        "seed": seed,
    } | options
    return select(budget, policy=policy, **options)


def quotas(drawn, clusters=5):
    counts = Counter(tile.cluster for tile in drawn)
    return [counts[number] for number in range(clusters)]


@pytest.mark.parametrize(
    ("policy", "budget", "expected"),
    [
        # 80 of 1527: 6.29, 12.26, 12.47, 15.04, 33.95; two are left for .95 and .47
        ("proportional", 80, [6, 12, 13, 15, 34]),
        ("balanced", 80, [16, 16, 16, 16, 16]),
        # a fifth of 700 is 140; the 20 that the first lacks go to the other four
        ("balanced", 700, [120, 145, 145, 145, 145]),
        # a quarter of the other 980 is 245, half of the 508 that are left then is 254
        ("balanced", 1100, [120, 234, 238, 254, 254]),
        ("balanced", 82, [16, 16, 16, 17, 17]),
        # 1/120 : 1/234 : 1/238 : 1/287 : 1/648 of 80: 30.53, 15.66, 15.39, 12.77, 5.65
        ("inverse", 80, [30, 16, 15, 13, 6]),
        ("inverse", 1527, list(PAPER)),
    ],
)
def test_quotas_are_those_that_one_works_out_by_hand(policy, budget, expected):
    assert quotas(draw(budget, policy)) == expected


def test_a_tile_says_which_quota_it_came_from():
    drawn = draw(80, "balanced")
    assert {tile.why for tile in drawn} == {f"cluster {number}: 16 of 80" for number in range(5)}
    assert drawn[-1] == SelectedTile(drawn[-1].name, 4, "balanced", "cluster 4: 16 of 80")
    assert {tile.why for tile in draw(5, "random")} == {"at random: 5 of 1527"}


def test_random_tiles_are_drawn_from_all():
    shares = np.mean([quotas(draw(200, "random", seed=seed)) for seed in range(20)], axis=0) / 200
    np.testing.assert_allclose(shares, np.divide(PAPER, sum(PAPER)), atol=0.03)


SIZES = st.lists(st.integers(0, 12), min_size=1, max_size=5).filter(any)


@settings(deadline=None)
@given(SIZES, st.sampled_from(sorted(POLICIES)), st.data())
def test_exactly_the_budget_is_drawn_and_nothing_that_is_taken(sizes, policy, data):
    names = sorted(tiles(sizes))
    taken = data.draw(st.lists(st.sampled_from(names), unique=True))
    budget = data.draw(st.integers(0, len(names) - len(taken)))
    seed = data.draw(st.integers(0, 3))
    drawn = [tile.name for tile in draw(budget, policy, sizes, seed, taken=taken)]
    assert len(drawn) == len(set(drawn)) == budget
    assert not set(drawn) & set(taken)
    mixed = data.draw(st.permutations(names))
    again = draw(budget, policy, sizes, seed, taken=taken[::-1], candidates=mixed)
    assert [tile.name for tile in again] == drawn


@settings(deadline=None)
@given(SIZES, st.sampled_from(["random", "proportional", "balanced", "inverse"]), st.integers(0, 3))
def test_another_budget_changes_how_many_of_a_cluster_are_drawn_but_not_in_which_order(sizes, policy, seed):
    whole = draw(sum(sizes), policy, sizes, seed)
    half = draw(sum(sizes) // 2, policy, sizes, seed)
    for number in range(len(sizes)):
        first, second = ([tile.name for tile in drawn if tile.cluster == number] for drawn in (half, whole))
        assert second[: len(first)] == first


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.fractions(Fraction(1, 50), 50)), min_size=1, max_size=6),
    st.data(),
)
def test_a_share_is_within_one_of_its_due_or_all_that_there_is(clusters, data):
    free, weights = zip(*clusters, strict=True)
    budget = data.draw(st.integers(0, sum(free)))
    shared = shares(budget, weights, free)
    assert sum(shared) == budget
    assert all(0 <= share <= most for share, most in zip(shared, free, strict=True))
    # those that are not used up have got equally much of their weight, up to a whole number
    left = [
        (share, weight) for share, weight, most in zip(shared, weights, free, strict=True) if share < most
    ]
    assert all((a - 1) / u < (b + 1) / v for a, u in left for b, v in left)


def test_a_second_round_goes_on_by_the_sizes_of_whole_clusters():
    first = draw(90, "inverse", (100, 10))
    assert quotas(first, 2) == [80, 10]
    second = draw(22, "inverse", (100, 50), taken=[f"{at:04d}" for at in range(90)])
    # weights 1/100 and 1/50, though 10 are left of the first: 7.33 and 14.67
    assert quotas(second, 2) == [7, 15]


def line(*places):
    """Tiles on a line, named by their letter."""
    return {name: np.float32([place]) for name, place in zip("abcdefgh", places, strict=False)}


def farthest(embeddings, budget, taken):
    drawn = select(
        budget,
        policy="farthest_point",
        candidates=list(embeddings),
        cluster=dict.fromkeys(embeddings, 0),
        embeddings=embeddings,
        taken=taken,
        seed=0,
    )
    return [tile.name for tile in drawn], [tile.why for tile in drawn]


def test_farthest_point_takes_the_farthest_tile_again_and_again():
    # from 0: 10 is farthest, then 4 (4 from 0, 6 from 10), then 6 (2 from 4), then 9 and 1 (1)
    names, why = farthest(line(0, 1, 4, 6, 9, 10), 3, taken="a")
    assert names == ["f", "c", "d"]
    assert why == ["10 from the nearest", "4 from the nearest", "2 from the nearest"]


def test_farthest_point_begins_at_random_where_nothing_is_taken():
    names, why = farthest(line(0, 1, 4, 6, 9, 10), 6, taken="")
    assert sorted(names) == list("abcdef")
    assert why[0] == "the first"


def test_tiles_that_are_all_alike_can_still_be_drawn():
    names, _ = farthest(line(*[7] * 6), 5, taken="c")
    assert sorted(names) == list("abdef")


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(UserError, match=r"'inverted': choose one of .* did you mean 'inverse'"):
        draw(3, "inverted")
    with pytest.raises(UserError, match="budget is 5 tiles; 3 are left to select from, and 1 are taken"):
        draw(5, "random", (4,), taken=["0000"])
    with pytest.raises(UserError, match="budget is -1"):
        draw(-1, "random")
    with pytest.raises(UserError, match="1 of 3 tiles have no cluster, such as 0002: cluster them again"):
        draw(1, "balanced", (3,), cluster={"0000": 0, "0001": 0})
    with pytest.raises(UserError, match="3 of 3 tiles have no embedding, such as 0000: embed them again"):
        draw(1, "farthest_point", (3,), embeddings=None)
