"""Which tiles a person is asked to label: a budget, spent by a policy that can be named.

============  ====================================================================================
policy        what it draws
============  ====================================================================================
random        any tiles, as the paper's first training set
proportional  from each cluster as its size has it
balanced      from each cluster equally many
inverse       from each cluster the fewer, the larger it is: few black tiles, many dense ones
different     the tile least like all that are taken, again and again (k-centre, farthest point)
============  ====================================================================================

What a cluster has too little of comes from the others. A draw is a function of the names, the seed and what
was taken before, and not of the order in which names come: more of a policy and a seed holds what less held.
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
class Drawn:
    """A tile to label.

    Attributes
    ----------
    name : str
        Of the tile.
    cluster : int
        Where it lies.
    policy : str
        What drew it.
    why : str
        Which quota it came from, such as ``"cluster 3: 16 of 80"``.
    """

    name: str
    cluster: int
    policy: str
    why: str


@dataclass(frozen=True)
class Choice:
    """What a policy looks at.

    Attributes
    ----------
    names : tuple of str
        All tiles, in the order of their names, those that are taken included.
    taken : frozenset of str
        What is not to be drawn again.
    cluster : mapping of str to int
        Of all tiles.
    codes : mapping of str to numpy.ndarray
        Of all tiles, of any one shape; only `different` looks at them.
    seed : int
    """

    names: tuple[str, ...]
    taken: frozenset[str]
    cluster: Mapping[str, int]
    codes: Mapping[str, np.ndarray]
    seed: int

    def shuffled(self, cluster: int = WHOLE) -> list[str]:
        """What may be drawn of a cluster or of all, in an order that what is taken does not change."""
        pool = [name for name in self.names if cluster in (WHOLE, self.cluster[name])]
        order = np.random.default_rng([self.seed, cluster - WHOLE]).permutation(len(pool))
        return [pool[at] for at in order if pool[at] not in self.taken]


Policy = Callable[[int, Choice], list[tuple[str, str]]]
"""From a budget and a choice to names, each with why it was drawn."""


def select(
    budget: int,
    *,
    policy: str,
    candidates: Sequence[str],
    cluster: Mapping[str, int],
    codes: Mapping[str, np.ndarray] | None = None,
    taken: Sequence[str] = (),
    seed: int,
) -> list[Drawn]:
    """Draw the tiles that are worth a person's time.

    Parameters
    ----------
    budget : int
        How many.
    policy : str
        A name in `POLICIES`.
    candidates : sequence of str
        Names of the tiles that may be drawn; those in `taken` are left out.
    cluster : mapping of str to int
        The cluster of each candidate and of each tile in `taken`.
    codes : mapping of str to numpy.ndarray, optional
        Their codes, of any one shape; needed by ``different``.
    taken : sequence of str
        Tiles drawn before.
    seed : int
        Another seed, other tiles.

    Returns
    -------
    list of Drawn
        Exactly `budget` of them, in the order in which they were drawn.

    Raises
    ------
    UserError
        If the policy is unknown, the budget negative or larger than what is left, or a tile has no cluster.
    """
    if policy not in POLICIES:
        raise UserError(unknown("policy", policy, POLICIES))
    choice = Choice(tuple(sorted({*candidates, *taken})), frozenset(taken), cluster, codes or {}, seed)
    _check(budget, choice)
    _check_known(choice.names, cluster, "cluster", "cluster")
    if policy == "different":
        _check_known(choice.names, choice.codes, "code", "embed")
    return [Drawn(name, int(cluster[name]), policy, why) for name, why in POLICIES[policy](budget, choice)]


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
    exact = _exact(Fraction(budget), dict(enumerate(map(Fraction, weights))), free)
    rounded = [math.floor(exact[at]) for at in range(len(free))]
    first = sorted(exact, key=lambda at: (exact[at] - rounded[at], at), reverse=True)
    for at in first[: budget - sum(rounded)]:
        rounded[at] += 1
    return rounded


def random(budget: int, choice: Choice) -> list[tuple[str, str]]:
    """Draw any tiles."""
    pool = choice.shuffled()
    return [(name, f"at random: {budget} of {len(pool)}") for name in pool[:budget]]


def by_quota(weigh: Callable[[int], Fraction], budget: int, choice: Choice) -> list[tuple[str, str]]:
    """Draw from each cluster at random, as many tiles as `weigh` makes of the cluster's size.

    A cluster's size counts what was taken from it before, so that a policy means the same in every round.
    """
    sizes = Counter(choice.cluster[name] for name in choice.names)
    pools = {cluster: choice.shuffled(cluster) for cluster in sorted(sizes)}
    quotas = shares(budget, [weigh(sizes[cluster]) for cluster in pools], [*map(len, pools.values())])
    return [
        (name, f"cluster {cluster}: {quota} of {budget}")
        for (cluster, pool), quota in zip(pools.items(), quotas, strict=True)
        for name in pool[:quota]
    ]


def different(budget: int, choice: Choice) -> list[tuple[str, str]]:
    """Draw the tile whose code is farthest from all that are taken, and take it, again and again.

    The first, where nothing is taken, is drawn at random.

    References
    ----------
    Gonzalez, Theoretical Computer Science 38, 1985, DOI 10.1016/0304-3975(85)90224-5. For choosing what to
    label: Sener and Savarese, ICLR 2018, arXiv:1708.00489.
    """
    codes = np.stack([np.ravel(choice.codes[name]) for name in choice.names]).astype(np.float32)
    codes -= codes.mean(axis=0)
    nearest = np.full(len(codes), np.inf, np.float32)  # squared distance to what is taken, which has -1
    squares = np.einsum("ij,ij->i", codes, codes)

    def take(at: int) -> None:
        distance = squares + squares[at] - 2 * (codes @ codes[at])  # ten times faster than by differences
        nearest[:] = np.where(nearest < 0, -1, np.minimum(nearest, distance.clip(0)))
        nearest[at] = -1

    for at, name in enumerate(choice.names):
        if name in choice.taken:
            take(at)
    drawn = []
    while len(drawn) < budget:
        at = int(nearest.argmax()) if drawn or choice.taken else choice.names.index(choice.shuffled()[0])
        far = f"{np.sqrt(nearest[at]):.3g} from the nearest" if np.isfinite(nearest[at]) else "the first"
        drawn.append((choice.names[at], far))
        take(at)
    return drawn


def _exact(budget: Fraction, weights: Mapping[int, Fraction], free: Sequence[int]) -> dict[int, Fraction]:
    """Share out by weights; where a share is more than there is, take all of that, and share the rest out."""
    whole = sum(weights.values())
    wanted = {at: budget * weight / whole for at, weight in weights.items()}
    full = {at: Fraction(free[at]) for at, share in wanted.items() if share > free[at]}
    if not full:
        return wanted
    others = {at: weight for at, weight in weights.items() if at not in full}
    return full | _exact(budget - sum(full.values()), others, free)


def _check(budget: int, choice: Choice) -> None:
    left = len(choice.names) - len(choice.taken)
    if not 0 <= budget <= left:
        raise UserError(
            f"the budget is {budget} tiles; {left} are left to draw from, and {len(choice.taken)} are taken: "
            "ask for fewer"
        )


def _check_known(names: Sequence[str], known: Mapping[str, object], what: str, do: str) -> None:
    if lost := [name for name in names if name not in known]:
        raise UserError(
            f"{len(lost)} of {len(names)} tiles have no {what}, such as {lost[0]}: {do} them again"
        )


POLICIES: dict[str, Policy] = {
    "random": random,
    "proportional": partial(by_quota, Fraction),
    "balanced": partial(by_quota, lambda size: Fraction(1)),
    "inverse": partial(by_quota, lambda size: Fraction(1, size)),
    "different": different,
}
