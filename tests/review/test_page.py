"""The review page is asked over real HTTP on loopback, as a browser and as an intruder would."""

import csv
import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from kerasseg.annotations import labelme
from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.errors import UserError
from kerasseg.images.files import read, write
from kerasseg.labelling import queue as file
from kerasseg.labelling.entries import Entry, to_csv
from kerasseg.report.pictures import PREDICTED
from kerasseg.review import page
from kerasseg.review.loopback import Loopback

NAMES = [f"{row:03d}-{column:03d}" for row in range(3) for column in range(4)]


@dataclass(frozen=True)
class Line:
    tile: str
    uncertainty: float | None = None
    state: str = "proposed"
    who: str = ""
    cluster: int = 0
    part: str = "train"
    round: int = 0
    policy: str = "inverse"
    proposer: str = "somebody"
    score: float | None = None
    when: str = ""


class Queue:
    """A queue in the memory, which loses what is written at the same time."""

    def __init__(self, lines):
        self.lines, self.broken, self.noticed = {line.tile: line for line in lines}, False, 0

    def read(self, root):
        return list(self.lines.values())

    def waiting(self, entries):
        waiting = [entry for entry in entries if entry.state == "proposed"]
        return sorted(waiting, key=lambda entry: -entry.uncertainty)

    def decide(self, root, tile, state, who):
        if self.broken:
            raise UserError("queue.csv: line 3 is nonsense; mend it")
        lines = dict(self.lines)
        threading.Event().wait(0.002)
        lines[tile] = replace(lines[tile], state=state, who=who)
        self.lines = lines
        return lines[tile]

    def sync_edits(self, root):
        self.noticed += 1
        return []


@pytest.fixture
def queue(monkeypatch):
    queue = Queue([Line(name, at / 20) for at, name in enumerate(NAMES[:10])])
    monkeypatch.setattr(page, "queue", queue)
    monkeypatch.setattr(page, "sync_edits", queue.sync_edits)
    return queue


@pytest.fixture
def root(tmp_path):
    """A slide's folder with twelve tiles, a square drawn on the first."""
    cut = {"slide": {"path": "/a.ome.tif", "size": [48, 64]}, "tile": 20, "margin": 2}
    (tmp_path / "slide.json").write_text(json.dumps(cut))
    with (tmp_path / "tiles.csv").open("w", newline="") as file:
        header = ["name", "row", "column", "y", "x", "part", "mean", "deviation"]
        rows = [[name, *divmod(at, 4), 0, 0, "", 0, 0] for at, name in enumerate(NAMES)]
        csv.writer(file).writerows([header, *rows])
    for at, name in enumerate(NAMES):
        write(tmp_path / "tiles" / f"{name}.png", np.full((20, 20), 20 * at, np.uint8))
    square = Shape("cell", np.array([[5, 5], [10, 5], [10, 10], [5, 10]], float))
    labelme.write(tmp_path / "queue" / f"{NAMES[0]}.json", Drawing(f"{NAMES[0]}.png", (20, 20), [square]))
    return tmp_path


@pytest.fixture
def server(root, queue):
    with page.Review(root, who="anna").server() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server, route="", method="GET", body=None, token=None, **headers):
    """Ask for a route: status, headers, and content."""
    connection = http.client.HTTPConnection(*server.server_address, timeout=20)
    try:
        body = json.dumps(body) if isinstance(body, dict) else body
        connection.request(method, f"/{token or server.token}/{route}", body, headers)
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


def post(server, route, body, **headers):
    status, _, content = ask(server, route, "POST", body, **headers)
    return status, json.loads(content)


def test_the_page_and_what_it_needs_are_given_and_nothing_foreign_is_allowed(server):
    status, headers, content = ask(server)
    assert status == 200
    assert b"a.ome.tif" in content
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    for route in ("page.css", "review.css", "review.js"):
        assert ask(server, route)[0] == 200
    assert urlsplit(server.address).hostname == "127.0.0.1"
    assert server.address.endswith(f"/{server.token}/")


def test_the_queue_is_given_with_the_most_uncertain_first(server):
    told = json.loads(ask(server, "entries")[2])
    assert told["waiting"] == NAMES[9::-1]
    assert told["entries"][3] == asdict(Line(NAMES[3], 0.15))


@pytest.mark.parametrize("route", ["", "entries", "decide", "tile/000-000", "no-such-route"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_token_is_refused_everywhere(server, route, method):
    assert ask(server, route, method, {}, token="x" * 32)[0] == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost:1", ""])
def test_another_host_is_refused_even_with_the_token(server, queue, host):
    assert ask(server, "entries", Host=host)[0] == 403
    assert post(server, "decide", {"tile": NAMES[0], "state": "accepted"}, Host=host)[0] == 403
    assert queue.lines[NAMES[0]].state == "proposed"


def test_localhost_is_this_computer(server):
    assert ask(server, "entries", Host=f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize("name", [NAMES[11], "999-999", "", "../slide", "%2e%2e%2fslide.json", "/etc/passwd"])
@pytest.mark.parametrize("route", ["tile", "around", "outline"])
def test_what_is_not_in_the_queue_is_never_opened(server, route, name):
    assert ask(server, f"{route}/{name}")[0] == 404


def test_a_decision_upon_an_unknown_tile_changes_nothing(server, queue):
    before = dict(queue.lines)
    assert post(server, "decide", {"tile": NAMES[11], "state": "accepted"})[0] == 404
    assert post(server, "decide", {"state": "accepted"})[0] == 404
    assert post(server, "edit", {"tile": [NAMES[0]]})[0] == 404
    assert queue.lines == before


def test_a_decision_is_saved_with_who_made_it(server, queue):
    status, entry = post(server, "decide", {"tile": NAMES[4], "state": "accepted"})
    assert (status, entry["state"], entry["who"]) == (200, "accepted", "anna")
    assert queue.lines[NAMES[4]] == Line(NAMES[4], 0.2, "accepted", "anna")


def test_decisions_at_once_are_all_saved(server, queue):
    with ThreadPoolExecutor(10) as pool:
        done = pool.map(
            lambda name: post(server, "decide", {"tile": name, "state": "rejected"})[0], NAMES[:10]
        )
        assert list(done) == [200] * 10
    assert {line.state for line in queue.lines.values()} == {"rejected"}


def test_undo_goes_back_decision_by_decision(server, queue):
    for state in ("accepted", "rejected", "rejected"):  # the same again is no decision
        post(server, "decide", {"tile": NAMES[0], "state": state})
    assert post(server, "undo", {})[1]["state"] == "accepted"
    assert post(server, "undo", {})[1]["state"] == "proposed"
    status, told = post(server, "undo", {})
    assert (status, told) == (409, {"error": "nothing has been decided since the review began"})


def test_undo_leaves_alone_what_somebody_else_changed_since(server, queue):
    post(server, "decide", {"tile": NAMES[0], "state": "accepted"})
    post(server, "decide", {"tile": NAMES[1], "state": "accepted"})
    queue.lines[NAMES[1]] = replace(queue.lines[NAMES[1]], state="edited")
    status, told = post(server, "undo", {})
    assert (status, told["error"]) == (409, f"tile {NAMES[1]} has become edited since, and stays so")
    assert post(server, "undo", {})[1]["tile"] == NAMES[0]


def test_a_decision_that_cannot_be_saved_says_why_and_can_be_made_again(server, queue):
    queue.broken = True
    decision = {"tile": NAMES[0], "state": "accepted"}
    assert post(server, "decide", decision) == (409, {"error": "queue.csv: line 3 is nonsense; mend it"})
    queue.broken = False
    assert post(server, "decide", decision)[0] == 200
    assert post(server, "undo", {})[1]["state"] == "proposed"


@pytest.mark.parametrize(
    ("body", "status"), [("x" * 5000, 413), ("no json", 400), ("[1]", 400), ("\x00", 400), ("", 400)]
)
def test_nonsense_is_refused(server, body, status):
    assert ask(server, "decide", "POST", body)[0] == status


def test_routes_are_for_asking_or_for_posting(server):
    assert ask(server, "decide")[0] == 404
    assert ask(server, "entries", "POST", {})[0] == 404
    assert ask(server, "entries", "DELETE")[0] == 501


def test_a_tile_is_shown_alone_and_amid_its_neighbours(server):
    sizes = {}
    for route in ("tile", "around"):
        _, headers, content = ask(server, f"{route}/{NAMES[5]}")
        assert headers["Content-Type"] == "image/png"
        sizes[route] = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape
    assert sizes == {"tile": (20, 20, 3), "around": (48, 48, 3)}


def test_outlines_are_drawn_where_there_are_some(server):
    drawn = ask(server, f"outline/{NAMES[0]}")[2].decode()
    assert 'viewBox="-0.5 -0.5 20 20"' in drawn
    assert 'd="M5,5 5,10 10,10 10,5Z"' in drawn
    assert 'd=""' in ask(server, f"outline/{NAMES[1]}")[2].decode()


def test_a_damaged_drawing_is_named(server, root):
    (root / "queue" / f"{NAMES[0]}.json").write_text("{}")
    status, _, content = ask(server, f"outline/{NAMES[0]}")
    assert status == 409
    assert f"{NAMES[0]}.json" in json.loads(content)["error"]


def test_holes_and_instances_that_touch_have_outlines_of_their_own():
    ring = np.ones((5, 5), np.int32)
    ring[2, 2] = 0
    ring[:, 4] = 300
    assert page.svg(ring).count("M") == 3


def test_labelme_is_opened_and_edits_are_looked_for_afterwards(server, queue, root, monkeypatch):
    opened = []
    monkeypatch.setattr(page.shutil, "which", lambda _: "labelme")
    monkeypatch.setattr(page.subprocess, "Popen", lambda command, **_: opened.append(command))
    ask(server, "entries")
    assert queue.noticed == 0
    assert post(server, "edit", {"tile": NAMES[0]})[0] == 200
    assert post(server, "edit", {"tile": NAMES[1]})[0] == 200  # nothing is drawn there yet
    ask(server, "entries")
    drawing, view = root / "queue" / f"{NAMES[0]}.json", root / "queue" / f"{NAMES[1]}.png"
    assert opened == [["labelme", str(drawing)], ["labelme", str(view)]]
    assert queue.noticed == 1


def test_without_labelme_the_file_to_open_is_named(server, monkeypatch):
    monkeypatch.setattr(page.shutil, "which", lambda _: None)
    status, told = post(server, "edit", {"tile": NAMES[0]})
    assert status == 409
    assert f"{NAMES[0]}.json" in told["error"]


def test_an_empty_queue_is_told(root, queue):
    queue.lines.clear()
    with pytest.raises(UserError, match="select some first"):
        page.Review(root)


def test_a_taken_port_is_told(root, server):
    with pytest.raises(UserError, match=f"port {server.server_port} cannot be used"):
        page.Review(root).server(server.server_port)


def test_the_real_queue_keeps_decisions_in_its_file(root):
    entry = Entry(NAMES[0], 1, "train", 0, "random", "somebody", 0.5, 0.5, "proposed")
    (root / "queue.csv").write_text(to_csv([entry]))
    with page.Review(root, who="anna").server() as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        for route, body, state in (
            ("decide", {"tile": NAMES[0], "state": "rejected"}, "rejected"),
            ("undo", {}, "proposed"),
            ("decide", {"tile": NAMES[0], "state": "accepted"}, "accepted"),
        ):
            assert post(server, route, body)[1]["state"] == state
            assert [entry.state for entry in file.read(root)] == [state]
        assert post(server, "decide", {"tile": NAMES[0], "state": "splendid"})[0] == 409
        assert file.read(root)[0].who == "anna"
        server.shutdown()


def test_serve_tells_the_address_and_ends_quietly(root, queue, monkeypatch, capsys):
    def interrupted(server):
        raise KeyboardInterrupt

    monkeypatch.setattr(Loopback, "serve_forever", interrupted)
    page.serve(root)
    told = capsys.readouterr().out
    assert "10 tiles wait for you: http://127.0.0.1:" in told
    assert "0 decisions saved" in told


def test_sheets_show_what_waits_most_uncertain_first(root, queue, monkeypatch):
    monkeypatch.setattr(page, "ON_A_SHEET", 4)
    write(root / "sheets" / "007.png", np.zeros((4, 4), np.uint8))
    paths = page.draw_sheets(root)
    assert [path.name for path in paths] == ["000.png", "001.png", "002.png"]
    assert sorted((root / "sheets").iterdir()) == paths
    amber = [(read(path) == PREDICTED).all(axis=-1).sum() for path in paths]
    assert amber[:2] == [0, 0]
    assert amber[2] > 0  # the only drawing is on the most certain tile


def test_nothing_that_waits_makes_no_sheet(root, queue):
    queue.lines.clear()
    assert page.draw_sheets(root) == []
