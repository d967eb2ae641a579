"""What can go wrong by a user's hand, and what may stand in for what a user asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

MANY = 50  # choices, of which a message lists only the nearest


class UserError(Exception):
    """A mistake that a user can mend. The command line prints it, without a traceback, and exits with code 2.

    Parameters
    ----------
    *messages : str
        Each says what was given, what was expected and what to do, and names the file or key.
    """

    def __init__(self, *messages: str) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


class Mistakes:
    """Messages of all that is wrong, raised together, each once."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def add(self, message: str) -> None:
        """Note one mistake."""
        self.messages.append(message)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note a mistake that ends the block, and go on after it."""
        try:
            yield
        except UserError as error:
            self.messages += error.messages

    def check(self) -> None:
        """Raise all that was noted.

        Raises
        ------
        UserError
            If there is anything.
        """
        if self.messages:
            raise UserError(*dict.fromkeys(self.messages))


class Fallback(UserWarning):
    """Something that the recipe allows took the place of what it asked for.

    Any room says so by ``warnings.warn(message, Fallback)``; the run prints it and keeps it in the report.
    """


class Notice(UserWarning):
    """Something that a user should know of their files, and that changes nothing of what is asked for.

    Any package says so by ``warnings.warn(message, Notice)``; the command line prints each once.
    """


def unknown(kind: str, given: str, choices: Iterable[str]) -> str:
    """Say that a name is unknown, which names are known, and which of them is nearest.

    Parameters
    ----------
    kind : str
        What is named, such as ``"encoder"``.
    given : str
        The name that was given.
    choices : iterable of str
        The names that exist.

    Returns
    -------
    str
        The message.

    Examples
    --------
    >>> unknown("model", "linknt", ["linknet", "unet"])
    "unknown model 'linknt': choose one of linknet, unet; did you mean 'linknet'?"
    """
    choices = sorted(choices)
    near = difflib.get_close_matches(given, choices, n=5, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    shown = near if near and len(choices) > MANY else choices
    return f"unknown {kind} {given!r}: choose one of {', '.join(shown)}{hint}"


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say what differs between what was asked for before and now.

    Parameters
    ----------
    then, now : mapping
        Names to values, or to further such mappings.

    Returns
    -------
    list of str
        One line for each value that differs, by the names that lead to it.

    Examples
    --------
    >>> changes({"predict": {"tile": 256}}, {"predict": {"tile": 512}})
    ['predict.tile: 256 then, 512 now']
    """
    before, after = _flat(then), _flat(now)
    return [
        f"{key}: {before.get(key)!r} then, {after.get(key)!r} now"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {key: value}
    return {
        path: leaf
        for name, inner in value.items()
        for path, leaf in _flat(inner, f"{key}.{name}".lstrip(".")).items()
    }
