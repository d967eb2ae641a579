"""One process at one place: a file that the operating system locks, and that says who is at work there.

Such a lock ends with its process, however that ends: nothing waits for the dead. What stands in the file is
for whoever is kept out. It also counts by itself where the system's lock does not reach: some network file
systems know locks of one machine only, or none, and Windows has others.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from kerasseg.errors import Busy, unwritable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of a file system that has none
BOOT = Path("/proc/sys/kernel/random/boot_id")  # containers have it from their machine
BEGAN = 19  # where /proc/PID/stat tells when a process began, counted from behind its name


@contextmanager
def held(path: Path, place: Path | str) -> Iterator[None]:
    """Keep other processes out of a place while the block runs.

    Parameters
    ----------
    path : Path
        The lock's file, which is there while it is held; its folder is made where it is missing.
    place : Path or str
        What others are kept out of, for the message.

    Raises
    ------
    Busy
        If another process is at work there, which is named; or one of another machine was, and may still be.
    UserError
        If the file cannot be written.
    """
    try:
        file = _locked(path, wait=False)
    except BlockingIOError as error:
        holder = _named(_holder(path))
        raise Busy(f"{place}: {holder} is at work there; wait until it ends, or stop it") from error
    with file:
        if (holder := _holder(path)) and _may_live(holder):
            raise Busy(
                f"{place}: {_named(holder)} is at work there, or was when its machine was lost; if you know "
                f"that it has ended, delete {path}"
            )
        file.truncate(0)
        file.write(json.dumps(_this_process()))
        file.flush()
        with _released(file, path):
            yield


@contextmanager
def awaited(path: Path) -> Iterator[None]:
    """Wait until no other process or thread holds a file, and hold it while the block runs.

    Parameters
    ----------
    path : Path
        The lock's file, as for `held`.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with _locked(path, wait=True) as file, _released(file, path):
        yield


@contextmanager
def tried(path: Path) -> Iterator[bool]:
    """Hold a file while the block runs, as `awaited` does, or say that somebody else holds it."""
    try:
        file = _locked(path, wait=False)
    except BlockingIOError:
        file = None
    if file is None:
        yield False
    else:
        with file, _released(file, path):
            yield True


def _locked(path: Path, wait: bool) -> IO[str]:
    """Open and lock a file; one that its holder removed meanwhile is not the file that others lock."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
        except OSError as error:
            folder = path.parent
            raise unwritable(path if folder.is_file() else folder, error) from error
        try:
            _lock(file, wait)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: IO[str], wait: bool) -> None:
    """Ask the system for its lock; a BlockingIOError says that another process has it."""
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


@contextmanager
def _released(file: IO[str], path: Path) -> Iterator[None]:
    """Remove the file after the block, still locked; Windows keeps it, and it says that nobody is there."""
    try:
        yield
    finally:
        with suppress(OSError):
            file.truncate(0)
            path.unlink()


def _this_process() -> dict[str, Any]:
    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "boot": _boot(),
        "began": _began(os.getpid()),
    }


def _holder(path: Path) -> dict[str, Any]:
    """Read who holds a file; nothing where nobody does, or has not yet said so."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _named(holder: dict[str, Any]) -> str:
    if not holder:
        return "another process"
    return f"process {holder.get('process')} on {holder.get('host')} (since {holder.get('since')})"


def _may_live(holder: dict[str, Any]) -> bool:
    """Tell whether who left a file that could be locked may be at work in spite of that.

    Another machine's lock may not be seen here. On this one there may be none on the file system, and then
    a number is not enough, which another process may have by now.
    """
    if holder.get("boot") != _boot() or not _boot():
        return holder.get("host") != socket.gethostname() or fcntl is None
    return holder.get("process") != os.getpid() and holder.get("began") == _began(holder.get("process"))


def _boot() -> str:
    return BOOT.read_text(encoding="ascii").strip() if BOOT.exists() else ""


def _began(process: Any) -> str | None:
    """Tell when a process began, in ticks since its machine was started; None where there is no such one."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[BEGAN]
    except OSError:
        return None
