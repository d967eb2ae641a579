"""Workers meet before TensorFlow starts its servers, which wait an hour for who does not come.

While TensorFlow waits it hears neither Ctrl-C nor SIGTERM, and where workers were given different lists, or
two of them one number, it waits too, or dies in its own words. So each worker first tells the chief, worker
0, who it is and whom it knows; when all have come, they are let go together, or all are told what is wrong.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

from kerasseg.errors import UserError

PATIENCE = 40.0  # seconds
PAUSE = 0.2  # seconds between two attempts to reach the chief
READING = 2.0  # seconds that who has come has to say who it is
MOST_SAID = 2**20  # bytes of one message


def meet(addresses: Sequence[str], number: int, patience: float = PATIENCE) -> None:
    """Wait until all workers have come, and know the same.

    Parameters
    ----------
    addresses : sequence of str
        ``HOST:PORT`` of each worker; they are free again when this returns.
    number : int
        Of this worker among them.
    patience : float
        Seconds.

    Raises
    ------
    UserError
        On all workers, if one does not come in that time, comes twice, or knows other addresses; on those of
        which the port is taken, or which cannot reach the chief.
    """
    with _listening(addresses[number], number) as server:
        if number == 0:
            return _gather(server, addresses, patience)
    _report(addresses, number, patience)


def _listening(address: str, number: int) -> socket.socket:
    """Take the port that this worker is to have."""
    _, port = _parted(address)
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise UserError(
            f"worker {number} cannot listen at {address} ({os.strerror(error.errno)}): choose another port, "
            "or end the process that has it, which may be another worker of the same number"
        ) from error


def _gather(server: socket.socket, addresses: Sequence[str], patience: float) -> None:
    """Be the chief: hear all others, and tell them to go on, or what is wrong."""
    end, come, mistake = time.monotonic() + patience, {0}, ""
    with ExitStack() as opened:
        connections = []
        while len(come) < len(addresses) and not mistake:
            server.settimeout(max(PAUSE, end - time.monotonic()))
            try:
                connection = opened.enter_context(server.accept()[0])
            except TimeoutError:
                absent = ", ".join(f"{k} ({at})" for k, at in enumerate(addresses) if k not in come)
                mistake = f"worker {absent} did not come within {patience:g} s; see what it printed"
                break
            connection.settimeout(READING)
            if (said := _heard(connection)) is not None:
                connections.append(connection)
                mistake = _mistake(said, addresses, come)
        for connection in connections:
            with suppress(OSError):
                _say(connection, {"mistake": mistake})
                connection.recv(1)  # the other closes first: who does so keeps the port for a while
    if mistake:
        raise UserError(mistake)


def _mistake(said: dict[str, Any], addresses: Sequence[str], come: set[int]) -> str:
    """Note who has come; say what is wrong with it."""
    number, known = said.get("worker"), said.get("addresses")
    if known != list(addresses):
        own = list(addresses)
        return f"worker {number} was given the workers {known}, and worker 0 {own}; give all one list"
    if number not in range(len(addresses)) or number in come:
        return f"worker {number} has come twice; give each its own number, from 0 to {len(addresses) - 1}"
    come.add(number)
    return ""


def _report(addresses: Sequence[str], number: int, patience: float) -> None:
    """Tell the chief who this is, and wait for its word."""
    told, answer = {"worker": number, "addresses": list(addresses)}, None
    with _connected(addresses[0], patience) as chief, suppress(OSError):
        chief.settimeout(2 * patience)  # its own wait may only have begun
        _say(chief, told)
        answer = _heard(chief)
    if answer is None:
        raise UserError(f"worker 0 at {addresses[0]} ended before all had come; see what it printed")
    if answer.get("mistake"):
        raise UserError(str(answer["mistake"]))


def _connected(address: str, patience: float) -> socket.socket:
    """Reach the chief, which may not have started yet."""
    end = time.monotonic() + patience
    while True:
        try:
            return socket.create_connection(_parted(address), timeout=patience)
        except socket.gaierror as error:
            raise UserError(f"worker 0 is at {address}: there is no such host ({error.strerror})") from error
        except OSError as error:
            if time.monotonic() > end:
                raise UserError(
                    f"worker 0 cannot be reached at {address} within {patience:g} s ({error}); see what it "
                    "printed"
                ) from error
        time.sleep(PAUSE)


def _say(connection: socket.socket, what: dict[str, Any]) -> None:
    connection.sendall(json.dumps(what).encode() + b"\n")


def _heard(connection: socket.socket) -> dict[str, Any] | None:
    """Read a line of JSON; None of who says something else, or nothing."""
    try:
        with connection.makefile("rb") as file:
            said = json.loads(file.readline(MOST_SAID))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _parted(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
