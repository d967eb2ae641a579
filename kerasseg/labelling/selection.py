"""Which tiles a person is asked to label: a budget, spent by a policy that can be named.

==============  ==================================================================================
policy          what it selects
==============  ==================================================================================
random          any tiles, as the paper's first training set
proportional    from each cluster in proportion to its size
balanced        from each cluster equally many
inverse         from each cluster the fewer, the larger it is: few black tiles, many dense ones
farthest_point  the tile least like all that are taken, again and again (k-centre)
==============  ==================================================================================

What a cluster has too little of comes from the others. A selection is a function of the names, the seed and
what was taken before, and not of the order in which names come: more of a policy and a seed holds what less
held.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np

from kerasseg.errors import UserError, unknown

WHOLE = -1  # in place of a cluster's number, where a seed is spent on all tiles


@dataclass(frozen=True)
class SelectedTile:
    """A tile to label.

    Attributes
    ----------
    name : str
        The tile's name.
    cluster : int
        The cluster that it is in.
    policy : str
        The policy that selected it.
    why : str
        Which quota it came from, such as ``"cluster 3: 16 of 80"``.
    """

    name: str
    cluster: int
    policy: str
    why: str


@dataclass(frozen=True)
class Candidates:
    """What a policy selects from.

    Attributes
    ----------
    names : tuple of str
        All tiles, in the order of their names, those that are taken included.
    taken : frozenset of str
        Tiles that are not to be selected again.
    cluster : mapping of str to int
        The cluster of each tile.
    embeddings : mapping of str to numpy.ndarray
        The embedding of each tile, of any one shape; only `farthest_point` looks at them.
    seed : int
    """

    names: tuple[str, ...]
    taken: frozenset[str]
    cluster: Mapping[str, int]
    embeddings: Mapping[str, np.ndarray]
    seed: int

    def shuffled(self, cluster: int = WHOLE) -> list[str]:
        """List what is left of a cluster or of all, in an order that does not depend on what is taken."""
        pool = [name for name in self.names if cluster in (WHOLE, self.cluster[name])]
        order = np.random.default_rng([self.seed, cluster - WHOLE]).permutation(len(pool))
        return [pool[place] for place in order if pool[place] not in self.taken]


Policy = Callable[[int, Candidates], list[tuple[str, str]]]
"""From a budget and candidates to names, each with why it was selected."""


def select(
    budget: int,
    *,
    policy: str,
    candidates: Sequence[str],
    cluster: Mapping[str, int],
    embeddings: Mapping[str, np.ndarray] | None = None,
    taken: Sequence[str] = (),
    seed: int,
) -> list[SelectedTile]:
    """Select the tiles that are worth a person's time.

    Parameters
    ----------
    budget : int
        How many.
    policy : str
        A name in `POLICIES`.
    candidates : sequence of str
        Names of the tiles that may be selected; those in `taken` are left out.
    cluster : mapping of str to int
        The cluster of each candidate and of each tile in `taken`.
    embeddings : mapping of str to numpy.ndarray, optional
        Their embeddings, of any one shape; needed by ``farthest_point``.
    taken : sequence of str
        Tiles selected before.
    seed : int
        Another seed, other tiles.

    Returns
    -------
    list of SelectedTile
        Exactly `budget` of them, in the order in which they were selected.

    Raises
    ------
    UserError
        If the policy is unknown, the budget negative or larger than what is left, or a tile has no cluster.
    """
    if policy not in POLICIES:
        raise UserError(unknown("policy", policy, POLICIES))
    names = tuple(sorted({*candidates, *taken}))
    choice = Candidates(names, frozenset(taken), cluster, embeddings or {}, seed)
    left = len(names) - len(choice.taken)
    if not 0 <= budget <= left:
        raise UserError(
            f"the budget is {budget} tiles; {left} are left to select from, and {len(choice.taken)} are "
            "taken: ask for fewer"
        )
    _check_known(names, cluster, "cluster", "cluster")
    if policy == "farthest_point":
        _check_known(names, choice.embeddings, "embedding", "embed")
    selected = POLICIES[policy](budget, choice)
    return [SelectedTile(name, int(cluster[name]), policy, why) for name, why in selected]


def shares(budget: int, weights: Sequence[Fraction | int], free: Sequence[int]) -> list[int]:
    """Share a budget out by weights, in whole numbers and as far as there is something left.

    What a share cannot use goes to the others by their weights. Remainders go to the largest ones (Hare and
    Niemeyer's method); of equal ones to the last, the brightest cluster.

    Parameters
    ----------
    budget : int
        At most the sum of `free`.
    weights : sequence of Fraction or int
        Positive.
    free : sequence of int
        How much there is for each weight.

    Returns
    -------
    list of int
        As many as weights; their sum is the budget.

    Examples
    --------
    >>> shares(80, [120, 234, 238, 287, 648], [120, 234, 238, 287, 648])
    [6, 12, 13, 15, 34]
    """
    exact = _exact_shares(Fraction(budget), dict(enumerate(map(Fraction, weights))), free)
    rounded = [math.floor(exact[i]) for i in range(len(free))]
    by_remainder = sorted(exact, key=lambda i: (exact[i] - rounded[i], i), reverse=True)
    for i in by_remainder[: budget - sum(rounded)]:
        rounded[i] += 1
    return rounded


def random(budget: int, candidates: Candidates) -> list[tuple[str, str]]:
    """Select any tiles."""
    pool = candidates.shuffled()
    return [(name, f"at random: {budget} of {len(pool)}") for name in pool[:budget]]


def by_quota(weigh: Callable[[int], Fraction], budget: int, candidates: Candidates) -> list[tuple[str, str]]:
    """Select from each cluster at random, as many tiles as `weigh` makes of the cluster's size.

    A cluster's size counts what was taken from it before, so that a policy means the same in every round.
    """
    sizes = Counter(candidates.cluster[name] for name in candidates.names)
    pools = {cluster: candidates.shuffled(cluster) for cluster in sorted(sizes)}
    quotas = shares(budget, [weigh(sizes[cluster]) for cluster in pools], [*map(len, pools.values())])
    return [
        (name, f"cluster {cluster}: {quota} of {budget}")
        for (cluster, pool), quota in zip(pools.items(), quotas, strict=True)
        for name in pool[:quota]
    ]


def farthest_point(budget: int, candidates: Candidates) -> list[tuple[str, str]]:
    """Select the tile whose embedding is farthest from all that are taken, and take it, again and again.

    The first, where nothing is taken, is drawn at random.

    References
    ----------
    Gonzalez, Theoretical Computer Science 38, 1985, DOI 10.1016/0304-3975(85)90224-5. For choosing what to
    label: Sener and Savarese, ICLR 2018, arXiv:1708.00489.
    """
    names = candidates.names
    vectors = np.stack([np.ravel(candidates.embeddings[name]) for name in names]).astype(np.float32)
    vectors -= vectors.mean(axis=0)
    squares = np.einsum("ij,ij->i", vectors, vectors)
    nearest = np.full(len(vectors), np.inf, np.float32)  # squared distance to what is taken, which has -1

    def take(tile: int) -> None:
        # ten times faster than by differences
        distance = squares + squares[tile] - 2 * (vectors @ vectors[tile])
        nearest[:] = np.where(nearest < 0, -1, np.minimum(nearest, distance.clip(0)))
        nearest[tile] = -1

    for tile, name in enumerate(names):
        if name in candidates.taken:
            take(tile)
    selected = []
    while len(selected) < budget:
        is_first = not selected and not candidates.taken
        tile = names.index(candidates.shuffled()[0]) if is_first else int(nearest.argmax())
        why = "the first" if is_first else f"{np.sqrt(nearest[tile]):.3g} from the nearest"
        selected.append((names[tile], why))
        take(tile)
    return selected


def _exact_shares(
    budget: Fraction, weights: Mapping[int, Fraction], free: Sequence[int]
) -> dict[int, Fraction]:
    """Share out by weights; where a share is more than there is, take all of that, and share the rest out."""
    whole = sum(weights.values())
    due = {i: budget * weight / whole for i, weight in weights.items()}
    full = {i: Fraction(free[i]) for i, share in due.items() if share > free[i]}
    if not full:
        return due
    others = {i: weight for i, weight in weights.items() if i not in full}
    return full | _exact_shares(budget - sum(full.values()), others, free)


def _check_known(names: Sequence[str], known: Mapping[str, object], what: str, verb: str) -> None:
    if lost := [name for name in names if name not in known]:
        raise UserError(
            f"{len(lost)} of {len(names)} tiles have no {what}, such as {lost[0]}: {verb} them again"
        )


POLICIES: dict[str, Policy] = {
    "random": random,
    "proportional": partial(by_quota, Fraction),
    "balanced": partial(by_quota, lambda size: Fraction(1)),
    "inverse": partial(by_quota, lambda size: Fraction(1, size)),
    "farthest_point": farthest_point,
}
