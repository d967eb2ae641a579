"""One process at one place, and none waits for the dead."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kerasseg import locks
from kerasseg.errors import Blocked, Mistakes, UserError

HOLDER = """
import sys, time
from pathlib import Path
from kerasseg import locks
with locks.held(Path(sys.argv[1]), "there"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process, which holds a lock until its input ends or it is killed."""
    command = [sys.executable, "-c", HOLDER, tmp_path / "lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_whoever_comes_second_is_told_who_is_there(holder, tmp_path):
    named = rf"^results: process {holder.pid} on {socket.gethostname()} \(since 20"
    with pytest.raises(Blocked, match=named), locks.held(tmp_path / "lock", "results"):
        pass
    assert locks._holder(tmp_path / "lock")["process"] == holder.pid  # it was left as it is
    holder.communicate("")
    with locks.held(tmp_path / "lock", "results"):
        assert locks._holder(tmp_path / "lock")["process"] == os.getpid()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_held_is_taken_over(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert locks._holder(tmp_path / "lock")["process"] == holder.pid
    with locks.held(tmp_path / "lock", "results"):
        pass
    assert not list(tmp_path.iterdir())


OURS = locks._this_process()
OTHER = {"boot": "other"}


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        (OTHER | {"host": "far"}, True),  # another machine's lock may not be seen here
        (OTHER, False),  # this machine, before it was started anew
        ({"process": os.getppid(), "began": locks._began(os.getppid())}, True),  # no locks on the file system
        ({"process": os.getppid(), "began": "1"}, False),  # another process has the number now
        ({"process": 2**22 + 1}, False),  # above the largest there is
        ({"host": "container", "process": 2**22 + 1}, False),  # a container that was killed
    ],
)
@pytest.mark.skipif(not locks._boot(), reason="machines are told apart on Linux only")
def test_what_was_left_counts_as_long_as_its_process_may_live(tmp_path, changes, refused):
    text = json.dumps(OURS | changes)
    (tmp_path / "lock").write_text(text)
    if not refused:
        with locks.held(tmp_path / "lock", "results"):
            return
    advice = r"if you know that it has ended, delete .*lock"
    with pytest.raises(Blocked, match=advice), locks.held(tmp_path / "lock", "results"):
        pass
    assert (tmp_path / "lock").read_text() == text


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_what_says_nothing_holds_nothing(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    with locks.held(tmp_path / "lock", "results"):
        pass


def test_an_error_gives_the_place_back(tmp_path):
    with pytest.raises(ZeroDivisionError), locks.held(tmp_path / "lock", "results"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_threads_that_wait_lose_nothing(tmp_path):
    number = tmp_path / "number"
    number.write_text("0")

    def count():
        for _ in range(50):
            with locks.awaited(tmp_path / "lock"):
                number.write_text(str(int(number.read_text()) + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert number.read_text() == "200"
    assert [path.name for path in tmp_path.iterdir()] == ["number"]


def test_what_blocks_ends_a_list_of_mistakes():
    mistakes = Mistakes()
    with mistakes.noted():
        raise UserError("one")
    with pytest.raises(Blocked) as blocked, mistakes.noted():
        raise Blocked("full")
    assert blocked.value.messages == ("one", "full")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder that nobody can write to")
def test_a_folder_that_cannot_be_written_is_named_and_not_the_lock_in_it():
    with (
        pytest.raises(UserError, match=r"^/proc/results: it cannot be written"),
        locks.awaited(Path("/proc/results/.lock")),
    ):
        pass
