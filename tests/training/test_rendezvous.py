"""Workers that meet before TensorFlow starts, here in threads, and all that may be wrong with them."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kerasseg.errors import UserError
from kerasseg.training.rendezvous import meet


def addresses(count):
    """Addresses of this machine that are free now."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [f"127.0.0.1:{server.getsockname()[1]}" for server in servers]
    for server in servers:
        server.close()
    return found


def met(*workers, patience=5.0):
    """Let workers meet, each of a list and a number; give what each was told, "" where it went on."""

    def told(worker):
        try:
            meet(*worker, patience)
        except UserError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(told, workers))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0,)])
def test_all_go_on_together_and_leave_their_ports_free(order):
    known = addresses(len(order))
    for _ in range(2):
        assert met(*((known, number) for number in order)) == [""] * len(order)


def test_the_chief_may_come_last():
    known = addresses(2)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(meet, known, 1, 5.0)
        time.sleep(0.5)
        meet(known, 0, 5.0)
        assert other.result() is None


def test_who_does_not_come_is_named_to_all():
    known = addresses(3)
    for said in met((known, 0), (known, 1), patience=1):
        assert said == f"worker 2 ({known[2]}) did not come within 1 s; see what it printed"


def test_a_chief_that_does_not_come_is_named():
    known = addresses(2)
    (said,) = met((known, 1), patience=0.5)
    assert said.startswith(f"worker 0 cannot be reached at {known[0]} within 0.5 s")


def test_workers_of_different_lists_are_told():
    known = addresses(3)
    for said in met((known[:2], 0), (known, 1)):
        assert said.startswith(f"worker 1 was given the workers {known}, and worker 0 {known[:2]}")


def test_a_number_that_two_have_is_told_by_the_port_or_by_the_chief(monkeypatch):
    known = addresses(3)
    with socket.create_server(("", int(known[1].rpartition(":")[2]))):
        (said,) = met((known, 1))
        assert said.startswith(f"worker 1 cannot listen at {known[1]} (Address already in use): choose")
    elsewhere = socket.create_server  # two machines: each has the port
    monkeypatch.setattr(
        socket, "create_server", lambda at, **how: elsewhere(("", 0) if at[1] == port else at, **how)
    )
    port = int(known[1].rpartition(":")[2])
    said = met((known, 0), (known, 1), (known, 1))
    assert set(said) == {"worker 1 has come twice; give each its own number, from 0 to 2"}


def test_a_host_that_there_is_not_is_told_at_once():
    (said,) = met((["nowhere.invalid:1", *addresses(1)], 1), patience=60)
    assert said.startswith("worker 0 is at nowhere.invalid:1: there is no such host")


def test_who_says_nothing_sensible_is_not_waited_for():
    known = addresses(2)

    def stranger():
        for _ in range(50):
            try:
                with socket.create_connection(("127.0.0.1", int(known[0].rpartition(":")[2]))) as connection:
                    return connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            except OSError:
                time.sleep(0.02)

    with ThreadPoolExecutor(2) as pool:
        chief = pool.submit(meet, known, 0, 5.0)
        pool.submit(stranger).result()
        meet(known, 1, 5.0)
        assert chief.result() is None
