"""What a sweep varies: one recipe, some keys with several values or a range."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kerasseg.errors import Mistakes, UserError, unknown
from kerasseg.recipe.document import parse
from kerasseg.recipe.loading import load
from kerasseg.recipe.recipe import Recipe

SEARCHES = ("grid", "tpe", "random")
RANGE = re.compile(r"([-+.\deE]+)\.\.([-+.\deE]+)")


@dataclass(frozen=True)
class Plan:
    """What a sweep varies, and by what it judges.

    Attributes
    ----------
    recipe : str
        The recipe's file, or the name of a shipped one.
    fixed : tuple of str
        Overrides that all trials share.
    choices : dict
        From a key's path to its values, each as YAML.
    ranges : dict
        From a key's path to the lowest and the highest number, for a search.
    search : {"grid", "tpe", "random"}
        All combinations of the choices; or trials chosen one after the other, by Optuna's tree-structured
        Parzen estimator (Bergstra et al. 2011) or at random.
    trials : int or None
        How many a search makes; a grid makes all.
    objective : str
        A column of ``history.csv``: losses are to be low, all others high.
    """

    recipe: str
    fixed: tuple[str, ...]
    choices: dict[str, tuple[str, ...]]
    ranges: dict[str, tuple[float, float]]
    search: str
    trials: int | None
    objective: str

    @property
    def direction(self) -> str:
        """Whether the objective is to be low or high, in Optuna's words."""
        return "minimize" if self.objective.endswith("loss") else "maximize"

    def grid(self) -> list[dict[str, str]]:
        """List all combinations of the choices."""
        return [
            dict(zip(self.choices, values, strict=True))
            for values in itertools.product(*self.choices.values())
        ]

    def recipe_of(self, parameters: dict[str, Any]) -> Recipe:
        """Read the recipe with a trial's parameters."""
        return load(self.recipe, self.overrides(parameters))

    def overrides(self, parameters: dict[str, Any]) -> list[str]:
        """Write a trial's parameters as overrides, behind those that all trials share."""
        return [*self.fixed, *(f"{key}={value}" for key, value in parameters.items())]


def read_plan(
    recipe: str,
    overrides: Sequence[str],
    *,
    search: str = "grid",
    trials: int | None = None,
    objective: str = "val_loss",
) -> Plan:
    """Take the overrides apart into what is fixed, choices and ranges.

    Parameters
    ----------
    recipe : str
        The recipe's file, or the name of a shipped one.
    overrides : sequence of str
        ``KEY.PATH=VALUE`` for all trials, ``KEY.PATH=VALUE,VALUE`` for choices; ``KEY.PATH=LOW..HIGH`` for a
        range, in a search.
    search, trials, objective
        See `Plan`.

    Raises
    ------
    UserError
        With everything that is wrong, in any combination of a grid.
    """
    if search not in SEARCHES:
        raise UserError(f"--search: {unknown('search', search, SEARCHES)}")
    if (search == "grid") != (trials is None):
        raise UserError("--trials goes with --search tpe or random, which need it; a grid makes all")
    mistakes = Mistakes()
    fixed, choices, ranges = [], {}, {}
    for override in overrides:
        key, _, text = override.partition("=")
        if limits := RANGE.fullmatch(text):
            ranges[key] = tuple(parse(number, override).value for number in limits.groups())
            if search == "grid":
                mistakes.add(f"{override}: a range is for --search tpe or random; a grid takes {key}=1,2")
        elif len(values := _values(text)) > 1:
            choices[key] = values
        else:
            fixed.append(override)
    mistakes.check()
    plan = Plan(recipe, tuple(fixed), choices, ranges, search, trials, objective)
    if not choices and not ranges:
        raise UserError("nothing varies; give a key several values, such as model.unet.levels=4,5")
    for parameters in plan.grid() if search == "grid" else _corners(plan):
        with mistakes.noted():
            plan.recipe_of(parameters)
    mistakes.check()
    return plan


def _values(text: str) -> tuple[str, ...]:
    """Split different values at the commas outside brackets and quotes: ``[1, 2],[3]`` are two."""
    values, depth, quote, value = [], 0, "", ""
    for letter in text:
        if letter == "," and not depth and not quote:
            values.append(value.strip())
            value = ""
            continue
        value += letter
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
    return tuple(dict.fromkeys([*values, value.strip()]))


def _corners(plan: Plan) -> list[dict[str, Any]]:
    """Give each choice and each end of a range once: a search's trials lie between them."""
    first = {key: values[0] for key, values in plan.choices.items()}
    first |= {key: low for key, (low, _) in plan.ranges.items()}
    others = [first | {key: value} for key, values in plan.choices.items() for value in values]
    return others + [first | {key: high} for key, (_, high) in plan.ranges.items()]
