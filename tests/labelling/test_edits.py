"""What is drawn with labelme is noticed, and nothing is dropped silently."""

import os
from dataclasses import replace

import pytest

from kerasseg.annotations import labelme
from kerasseg.annotations.shapes import Drawing
from kerasseg.errors import UserError
from kerasseg.labelling import folder, provenance, queue
from kerasseg.labelling.edits import sync_edits
from kerasseg.labelling.entries import to_csv

NOON = 1_764_504_000  # 2025-11-30T12:00:00Z


@pytest.fixture
def proposed(selected, square):
    """All tiles have one square from a proposer."""
    for entry in queue.read(selected):
        drawing = Drawing(f"{entry.tile}.png", (16, 16), [square()])
        provenance.propose(folder.drawing_path(selected, entry.tile), drawing, "sam", "1")
    entries = [replace(entry, state="proposed", proposer="sam") for entry in queue.read(selected)]
    folder.queue_path(selected).write_text(to_csv(entries))
    return selected


def save(root, tile, *shapes, drawing=None):
    """Save as labelme does: with the keys that it read before."""
    path = folder.drawing_path(root, tile)
    drawing = drawing or (
        provenance.read(path).drawing if path.is_file() else Drawing(f"{tile}.png", (16, 16), [])
    )
    labelme.write(path, replace(drawing, shapes=list(shapes)))
    os.utime(path, (NOON, NOON))


def states(root):
    return [entry.state for entry in queue.read(root)]


def test_nothing_drawn_is_nothing_noticed(proposed, square):
    before = (proposed / "queue.csv").read_bytes()
    save(proposed, "00-00", square())
    assert sync_edits(proposed) == []
    assert (proposed / "queue.csv").read_bytes() == before


def test_an_edit_becomes_edited_at_the_time_of_the_file(proposed, square):
    save(proposed, "00-01", square(6.0))
    (entry,) = sync_edits(proposed)
    assert (entry.tile, entry.state, entry.who, entry.when) == (
        "00-01",
        "edited",
        "labelme",
        "2025-11-30T12:00:00Z",
    )
    assert entry in queue.read(proposed)
    assert provenance.read(folder.drawing_path(proposed, "00-01")).provenance.decision == "edited"
    assert sync_edits(proposed) == []


def test_all_shapes_taken_away_is_an_edit_too(proposed):
    save(proposed, "00-01")
    assert [entry.tile for entry in sync_edits(proposed, "anna")] == ["00-01"]
    assert queue.read(proposed)[1].who == "anna"


def test_a_drawing_that_appears_for_a_selected_tile_is_an_edit_unless_it_is_empty(selected, square):
    save(selected, "00-00", square())
    save(selected, "00-01")
    assert [entry.tile for entry in sync_edits(selected)] == ["00-00"]
    assert states(selected) == ["edited", "selected", "selected", "selected"]


def test_an_edit_after_a_decision_is_noticed_and_a_decision_after_an_edit_stays(proposed, square):
    queue.decide(proposed, "00-00", "accepted", "anna")
    queue.decide(proposed, "00-01", "rejected", "anna")
    save(proposed, "00-00", square(6.0))
    save(proposed, "00-01", square(6.0))
    assert len(sync_edits(proposed)) == 2
    queue.decide(proposed, "00-01", "rejected", "anna")
    assert sync_edits(proposed) == []
    assert states(proposed)[:2] == ["edited", "rejected"]


def test_labelme_that_was_open_during_a_decision_takes_nothing_back(proposed, square):
    opened = provenance.read(folder.drawing_path(proposed, "00-00")).drawing
    decided = queue.decide(proposed, "00-00", "accepted", "anna")
    save(proposed, "00-00", square(), drawing=opened)  # with the provenance of before
    assert sync_edits(proposed) == []
    assert queue.read(proposed)[0] == decided
    assert provenance.read(folder.drawing_path(proposed, "00-00")).provenance.decision == "accepted"


def test_a_decision_that_was_killed_before_it_reached_the_drawing_is_told_to_it(proposed):
    entries = queue.read(proposed)
    entries[0] = replace(entries[0], state="accepted", who="anna")
    folder.queue_path(proposed).write_text(to_csv(entries))
    assert sync_edits(proposed) == []
    assert provenance.read(folder.drawing_path(proposed, "00-00")).provenance.who == "anna"


def test_nonsense_is_named_and_nothing_is_changed(proposed, square):
    save(proposed, "00-00", square(6.0))
    folder.drawing_path(proposed, "00-01").write_text('{"shapes": 7}')
    folder.drawing_path(proposed, "01-00").write_text("<<<<<<< HEAD")
    before = (proposed / "queue.csv").read_bytes()
    with pytest.raises(UserError) as raised:
        sync_edits(proposed)
    first, second = raised.value.messages
    assert "00-01.json: this is not a labelme file" in first
    assert "01-00.json: this is not JSON" in second
    assert (proposed / "queue.csv").read_bytes() == before


def test_what_is_missing_is_said(proposed, square, capsys):
    (proposed / "tiles/00-00.png").unlink()
    folder.drawing_path(proposed, "00-01").unlink()
    labelme.write(folder.drawing_path(proposed, "stray"), Drawing("stray.png", (16, 16), [square()]))
    assert sync_edits(proposed) == []
    said = capsys.readouterr().out
    assert "00-00: no longer in tiles/" in said
    assert "00-01: without their JSON" in said
    assert "stray: drawn in queue/, but not in queue.csv" in said
    assert states(proposed) == ["proposed"] * 4
