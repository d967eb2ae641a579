"""Cellpose's own files, ``a_seg.npy`` beside ``a.png``: the objects in them, without unpickling anything.

Such a file is a pickled dictionary of arrays. To unpickle is to run what the file says, so its instructions
are only followed as far as they build plain data: what they would import is noted by name, what they would
call is kept as a `Call`, and nothing is ever imported or called.
"""

from __future__ import annotations

import math
import os
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.annotations.label_images import as_labels
from kerasseg.errors import UserError
from kerasseg.images.headers import MAX_PIXELS

SUFFIX, ENDING = ".npy", "_seg"
MAX_BYTES = 1 << 30  # Cellpose keeps flows and image in it too
INSTEAD = "In Cellpose, export the masks as PNG or TIFF (File, Save masks), and take this file away"


@dataclass
class Call:
    """What a pickle would call, and the state that it would give to what comes back."""

    name: str
    arguments: tuple
    state: Any = None


def read(path: Path) -> np.ndarray:
    """Read the objects that Cellpose found or a person drew.

    Parameters
    ----------
    path : Path
        A file that ends in ``_seg.npy``.

    Returns
    -------
    numpy.ndarray, shape (Y, X), int32
        Instance ids; 0 is background.

    Raises
    ------
    UserError
        If it is not such a file, or its masks are not an image.
    """
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path}: the file has more than {MAX_BYTES:,} bytes. {INSTEAD}")
    try:
        with path.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as file:
            major, _ = np.lib.format.read_magic(file)
            file.seek(int.from_bytes(file.read(2 if major == 1 else 4), "little"), os.SEEK_CUR)
            (content,) = _plain_data(file).state[4]
        return as_labels(_array(content["masks"]), path)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise UserError(
            f"{path}: this is not a Cellpose file that can be read ({error}). {INSTEAD}"
        ) from error


def _array(call: Call) -> np.ndarray:
    """Make the array that numpy would: from its shape, its type and its bytes."""
    _, shape, described, by_columns, content = call.state
    if call.name.rpartition(".")[2] != "_reconstruct" or described.name != "numpy.dtype":
        raise ValueError(f"its masks are {call.name}, not an array")
    dtype = np.dtype(described.arguments[0]).newbyteorder(described.state[1])
    if len(shape) != 2 or dtype.kind not in "iu" or not 0 < math.prod(shape) <= MAX_PIXELS:
        raise ValueError(f"its masks are an array {shape} of {dtype}; expected one 2-D image")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")


def _plain_data(file: mmap) -> Any:
    """Follow a pickle's instructions as far as they build plain data; see `pickletools` for what they are.

    Raises
    ------
    ValueError
        If there is an instruction that no array needs, or the file is damaged.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for code, argument, _ in pickletools.genops(file):
        if code.name in ("PROTO", "FRAME"):
            continue
        if code.name in BUILDERS:
            BUILDERS[code.name](stack)
        elif code.name in CONSTANTS:
            stack.append(CONSTANTS[code.name])
        elif code.name == "GLOBAL":
            stack.append(argument.replace(" ", "."))
        elif code.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif code.name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif code.name == "STOP":
            return stack.pop()
        elif argument is not None:
            stack.append(argument)
        else:
            raise ValueError(f"it holds the instruction {code.name}, which no array needs")
    raise ValueError("it ends too early")


MARK = object()


def _since_mark(stack: list) -> list:
    """Take off what was put on the stack since the last mark."""
    start = max(place for place, value in enumerate(stack) if value is MARK)
    values = stack[start + 1 :]
    del stack[start:]
    return values


def _last(stack: list, count: int) -> list:
    values = stack[-count:]
    del stack[-count:]
    return values


def _append(stack: list) -> None:
    (value,) = _last(stack, 1)
    stack[-1].append(value)


def _append_all(stack: list) -> None:
    values = _since_mark(stack)
    stack[-1].extend(values)


def _set_items(stack: list, values: list) -> None:
    stack[-1].update(zip(values[0::2], values[1::2], strict=True))


def _call(stack: list) -> None:
    name, arguments = _last(stack, 2)
    stack.append(Call(name, arguments))


def _set_state(stack: list) -> None:
    (state,) = _last(stack, 1)
    stack[-1].state = state


BUILDERS: dict[str, Callable[[list], None]] = {
    "MARK": lambda stack: stack.append(MARK),
    "EMPTY_DICT": lambda stack: stack.append({}),
    "EMPTY_LIST": lambda stack: stack.append([]),
    "TUPLE": lambda stack: stack.append(tuple(_since_mark(stack))),
    "TUPLE1": lambda stack: stack.append(tuple(_last(stack, 1))),
    "TUPLE2": lambda stack: stack.append(tuple(_last(stack, 2))),
    "TUPLE3": lambda stack: stack.append(tuple(_last(stack, 3))),
    "APPEND": _append,
    "APPENDS": _append_all,
    "SETITEM": lambda stack: _set_items(stack, _last(stack, 2)),
    "SETITEMS": lambda stack: _set_items(stack, _since_mark(stack)),
    "STACK_GLOBAL": lambda stack: stack.append(".".join(_last(stack, 2))),
    "REDUCE": _call,
    "BUILD": _set_state,
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
