"""What the numbers in masks mean: found once for a set of masks, and then the same for each of them.

Programs write class ids, or 0 and 255, or 0 and the largest number of a type; and 255 is a class in one habit
and "ignore" in another. One mask alone does not tell: a picture without cells and with a region to ignore
holds 0 and 255, as a picture of cells does in another set. So all masks of a set are looked at before any is
read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from kerasseg.console import track
from kerasseg.errors import Mistakes, UserError, unknown
from kerasseg.images.masks import BACKGROUND, IGNORE

LARGEST = (IGNORE, 2**16 - 1, 2**31 - 1, 2**32 - 1)  # what one class may be written as instead of 1
SHOWN = 6  # numbers that a message lists


@dataclass(frozen=True)
class Meaning:
    """Which class each number stands for.

    Attributes
    ----------
    ids : mapping of int to int
        Class ids by the numbers that masks hold; 0 is background, 255 is ignore.
    text : str
        The same in words, for a person; empty where numbers are class ids and nothing else.
    """

    ids: Mapping[int, int]
    text: str = ""

    def mask(self, values: np.ndarray, name: object) -> np.ndarray:
        """Turn the numbers of one mask into class ids.

        Parameters
        ----------
        values : numpy.ndarray, shape (...)
            Of any rank and type.
        name : object
            What they are of, for the message.

        Returns
        -------
        numpy.ndarray, same shape, uint8

        Raises
        ------
        UserError
            If a number has no meaning.
        """
        known = np.isin(distinct(values), list(self.ids))
        if not known.all():
            strange = shown(distinct(values)[~known])
            raise UserError(
                f"{name}: the mask holds {strange}, which is not a class; expected {shown(sorted(self.ids))}"
            )
        ids = np.zeros(values.shape, np.uint8)
        for number, class_id in self.ids.items():
            if class_id != BACKGROUND:
                ids[values == number] = class_id
        return ids


def meaning_of(
    masks: Sequence[Any],
    read: Callable[[Any], tuple[np.ndarray, bool]],
    classes: Sequence[str],
    chosen: Mapping[str, int] | None = None,
    key: str = "",
) -> Meaning:
    """Find what the numbers in a set of masks mean, by looking at all of them.

    Parameters
    ----------
    masks : sequence
        Whatever `read` takes; ``str(mask)`` names it.
    read : callable
        From a mask to its numbers, and whether they are indices into a palette.
    classes, chosen, key
        As :meth:`Survey.meaning` takes them.

    Raises
    ------
    UserError
        If masks cannot be read or their numbers mean nothing; all of it at once.
    """
    survey, mistakes, meaning = Survey(), Mistakes(), Meaning({})
    for mask in track(masks, "looking at masks"):
        with mistakes.noted():
            numbers, is_palette = read(mask)
            survey.add(numbers, mask, is_palette=is_palette)
    with mistakes.noted():
        meaning = survey.meaning(classes, chosen, key)
    mistakes.check()
    return meaning


@dataclass
class Survey:
    """The numbers that the masks of a set hold, gathered one mask after another.

    Attributes
    ----------
    masks, palettes : int
        How many there were, and how many of them hold indices into a palette.
    holders : dict of float to int
        In how many of them each number occurs.
    examples : dict of float to str
        The first mask with each number.
    """

    masks: int = 0
    palettes: int = 0
    holders: dict[float, int] = field(default_factory=dict)
    examples: dict[float, str] = field(default_factory=dict)

    def add(self, values: np.ndarray, name: object, *, is_palette: bool = False) -> None:
        """Look at one more mask: its numbers, of any rank and type."""
        self.masks += 1
        self.palettes += is_palette
        for number in distinct(values).tolist():
            number = math.nan if number != number else number  # one NaN is not another as a key
            self.holders[number] = self.holders.get(number, 0) + 1
            self.examples.setdefault(number, str(name))

    def meaning(
        self, classes: Sequence[str], chosen: Mapping[str, int] | None = None, key: str = ""
    ) -> Meaning:
        """Decide what the numbers mean.

        Parameters
        ----------
        chosen : mapping of str to int, optional
            The number of each class by its name, and of ``background`` and ``ignore``, if the user says it.
        key : str
            Where the user may say it, for the messages.

        Raises
        ------
        UserError
            If a number means nothing, or may mean several things.
        """
        if chosen is not None:
            return self._as_chosen(classes, chosen, key)
        foreground = {number for number in self.holders if number != BACKGROUND}
        ids = {number: number for number in range(len(classes) + 1)}
        if foreground <= ids.keys():
            return Meaning(ids)
        drawn_by_index = self.palettes == self.masks  # a program that numbers colours means 255 to be ignored
        if len(classes) == 1 and len(foreground) == 1 and foreground <= {*LARGEST} and not drawn_by_index:
            (number,) = foreground
            return Meaning(
                {BACKGROUND: BACKGROUND, int(number): 1},
                f"masks hold 0 and {shown([number])}: {classes[0]}",
            )
        if foreground <= {*ids, IGNORE} and (foreground != {IGNORE} or drawn_by_index):
            ignoring = f"255 means ignore in {self.holders[IGNORE]} of {self.masks} masks"
            return Meaning({**ids, IGNORE: IGNORE}, f"{ignoring}; where it is a class, set {key}")
        raise UserError(self._strange(foreground - ids.keys(), classes, key))

    def _as_chosen(self, classes: Sequence[str], chosen: Mapping[str, int], key: str) -> Meaning:
        places = {"background": BACKGROUND, "ignore": IGNORE} | {
            name: number for number, name in enumerate(classes, start=1)
        }
        problems = [f"{key}: {unknown('class', name, places)}" for name in chosen if name not in places]
        problems += [f"{key}: {name} has no number" for name in classes if name not in chosen]
        if problems:
            raise UserError(*problems)
        ids = {number: places[name] for name, number in chosen.items()}
        if len(ids) < len(chosen):
            raise UserError(f"{key}: one number stands for several classes; give each a number of its own")
        ids.setdefault(BACKGROUND, BACKGROUND)
        strange = sorted(self.holders.keys() - ids.keys())
        if strange:
            names = {BACKGROUND: "background"} | {number: name for name, number in chosen.items()}
            expected = ", ".join(f"{number} ({names[number]})" for number in sorted(names))
            raise UserError(
                f"{self._holding(strange)}, which is not a class; expected {expected}, as {key} says. "
                f"Correct {key}, or the mask"
            )
        return Meaning(ids, ", ".join(f"{number} is {name}" for name, number in chosen.items()))

    def _strange(self, strange: Iterable[float], classes: Sequence[str], key: str) -> str:
        """Say which numbers mean nothing, and what the user may do."""
        strange = sorted(strange)
        expected = ", ".join(f"{number} ({name})" for number, name in enumerate(["background", *classes]))
        if IGNORE not in strange:
            expected += f" or {IGNORE} (ignore)"
        beside = [number for number in self.holders if number not in strange]
        where = self._holding(strange)
        if not all(float(number).is_integer() for number in strange):
            return (
                f"{where}; expected whole numbers: {expected}. If these are probabilities, or come of "
                "resizing, save the masks as class ids"
            )
        if strange == [IGNORE] and not any(beside):
            where += " and no class beside it, so it may be a class or mean ignore"
        else:
            where += ", which is not a class"
        example = _example(classes, [*beside, *strange], key)
        objects = "labels" if key.startswith("--") else "instances"  # as convert and a recipe call them
        return (
            f"{where}; expected {expected}. Name all classes, say what the numbers mean in {key}, such as "
            f"{example}, or, where they number objects, read them as {objects}"
        )

    def _holding(self, numbers: Sequence[float]) -> str:
        """Name the first mask that holds any of these sorted numbers, and say what others hold."""
        holder = self.examples[numbers[0]]
        here = [number for number in numbers if self.examples[number] == holder]
        elsewhere = [number for number in numbers if number not in here]
        others = f" and others of this set {shown(elsewhere)}" if elsewhere else ""
        return f"{holder}: the mask holds {shown(here)}{others}"


def _example(classes: Sequence[str], numbers: Iterable[float], key: str) -> str:
    """Show what a user may write of the numbers that masks hold, in a recipe or on the command line."""
    lowest, *_, highest = sorted([0, *numbers] if len(set(numbers)) < 2 else numbers)
    pairs = {} if lowest == BACKGROUND else {"background": f"{lowest:.0f}"}
    pairs |= {name: f"{highest:.0f}" if len(classes) == 1 else "..." for name in classes}
    if key.startswith("--"):
        return " ".join(f"{key} {name}={number}" for name, number in pairs.items())
    return "{" + ", ".join(f"{name}: {number}" for name, number in pairs.items()) + "}"


def class_ids(count: int) -> Meaning:
    """Take numbers for the ids of so many classes, and 255 for what is to be ignored."""
    return Meaning({number: number for number in (*range(count + 1), IGNORE)})


def distinct(values: np.ndarray) -> np.ndarray:
    """List the different numbers of an array, sorted: of those where one number goes over into another."""
    numbers = (values.astype(np.uint8) if values.dtype == bool else values).ravel()  # True may be 255
    begins = numbers[1:] != numbers[:-1]  # few in a mask: to sort or to count all takes ten times as long
    return np.unique(np.append(numbers[:1], numbers[1:][begins]))


def distinct_of(bands: Iterable[np.ndarray]) -> np.ndarray:
    """List the different numbers of an array that is seen in bands, sorted."""
    return reduce(np.union1d, map(distinct, bands))


def shown(numbers: Sequence[float]) -> str:
    """List the first few numbers."""
    listed = ", ".join(_shown(number) for number in numbers[:SHOWN])
    return listed + (", ..." if len(numbers) > SHOWN else "")


def _shown(number: float) -> str:
    """Write whole numbers in full, as a recipe needs them."""
    if math.isnan(number):
        return "NaN"
    return f"{number:.0f}" if float(number).is_integer() else f"{number:g}"
