"""Mistakes that a user can correct, and warnings of what stands in for what a user wanted."""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MANY = 50  # choices, of which a message lists only the nearest
ALIKE = 5  # messages of one kind that are printed; the others are counted
KINDS = 20  # of messages that are printed
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
    """A mistake that a user can correct: printed by the command line without a traceback, with exit code 2.

    Parameters
    ----------
    *messages : str
        Each says what was given, what was expected and what to do, and names the file or key.
    """

    def __init__(self, *messages: str) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


class Blocked(UserError):
    """A mistake that would stop every further step as well, such as a full disk."""


class Busy(Blocked):
    """Another process is at work there: what lies elsewhere can be done meanwhile."""


class Incomplete(UserError):
    """Mistakes that kept some of several results from being made, and not all: exit code 3."""


class Mistakes:
    """Messages of all that is wrong, raised together, each once."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def add(self, message: str) -> None:
        """Note one mistake."""
        self.messages.append(message)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note a mistake that ends the block, and go on after it, unless all that follows is blocked."""
        try:
            yield
        except Blocked as error:
            raise Blocked(*self.messages, *error.messages) from error
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


@contextmanager
def if_interrupted(advice: str) -> Iterator[None]:
    """Say what is kept and how to go on, where Ctrl-C or SIGTERM ends the block; what is inner says more."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(*(error.args or [advice])) from error


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the name of a file before each mistake that ends the block and does not begin with it."""
    try:
        yield
    except UserError as error:
        messages = (text if text.startswith(name) else f"{name}: {text}" for text in error.messages)
        raise type(error)(*messages) from error


class Fallback(UserWarning):
    """Something took the place of what a recipe asks for, as the recipe allows.

    Any package says so by ``warnings.warn(message, Fallback)``; the run prints it and keeps it in the report.
    """


class Notice(UserWarning):
    """Something about the data that a user should know: what was left alone, what a number was taken for.

    Any package says so by ``warnings.warn(message, Notice)``; every command prints it once.
    """


def kind_of(message: str) -> tuple[str, ...]:
    """Reduce a message to the words that its like have too: without the file, names, numbers and quotations.

    Parameters
    ----------
    message : str
        Begins with the file or key where there is one, and ``": "``.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> kind_of("data/a.png: the file is empty; expected 'an image' of 3 channels")
    ('the', 'file', 'is', 'empty', 'expected', 'of', 'channels')
    """
    sentence = message.partition(": ")[2] or message
    plain = re.sub(r"'[^']*'|\"[^\"]*\"|\([^)]*\)|\[[^]]*\]", " ", sentence)
    words = (word.strip(".,;:?!") for word in plain.split())
    return tuple(word for word in words if re.fullmatch(r"[A-Za-z-]+", word))


def counted(messages: Iterable[str]) -> list[str]:
    """Shorten messages: of each kind the first few, and how many more there are like these.

    Parameters
    ----------
    messages : iterable of str
        In any order; those of one kind come together, kinds in the order of their first.

    Returns
    -------
    list of str
        At most ``ALIKE`` of each kind with one line that counts the others, and at most ``KINDS`` kinds.
    """
    kinds: dict[tuple[str, ...], list[str]] = {}
    for message in dict.fromkeys(messages):
        kinds.setdefault(kind_of(message), []).append(message)
    lines = []
    for alike in list(kinds.values())[:KINDS]:
        lines += alike[:ALIKE]
        lines += [f"... and {len(alike) - ALIKE:,} more like these"] if len(alike) > ALIKE else []
    others = sum(map(len, list(kinds.values())[KINDS:]))
    return lines + ([f"... and {others:,} more of other kinds"] if others else [])


def unwritable(path: Path, error: OSError) -> UserError:
    """Say why a file or folder cannot be written; `Blocked` where the disk is full.

    NumPy and h5py tell that without a number.
    """
    if above := next((folder for folder in Path(path).parents if folder.is_file()), None):
        return UserError(f"{above}: this is a file; expected a folder, or a name that is free")
    message = f"{path}: it cannot be written ({error.strerror or error})"
    if error.errno in FULL or error.errno is None:
        return Blocked(f"{message}; make room on the disk, and repeat the command")
    return UserError(message)


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
    before, after = flattened(then), flattened(now)
    return [
        f"{key}: {before.get(key)!r} then, {after.get(key)!r} now"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def flattened(value: Any, key: str = "") -> dict[str, Any]:
    """Name the values of nested mappings by the keys that lead to them: ``{"a": {"b": 1}}`` by a.b."""
    if not isinstance(value, Mapping):
        return {key: value}
    return {
        path: leaf
        for name, inner in value.items()
        for path, leaf in flattened(inner, f"{key}.{name}".lstrip(".")).items()
    }
