"""Proposals reach the queue and labelme, and never take the place of a person's work."""

import json

import numpy as np
import pytest
from specs import segmenter

from kerasseg.annotations import labelme
from kerasseg.annotations.draw import draw_mask
from kerasseg.annotations.shapes import Drawing
from kerasseg.errors import UserError
from kerasseg.labelling import folder, provenance, queue
from kerasseg.labelling.edits import sync_edits
from kerasseg.labelling.proposals import Proposal, by_model, propose, uncertainty, unproposed
from kerasseg.spec import Objects

TILES = ["00-00", "00-01", "01-00", "01-01"]


@pytest.fixture
def proposer(square):
    """Propose one square, and remember for which tiles."""

    def proposed(image, name):
        proposed.seen.append(name)
        return Proposal([square()], 0.9, 0.1 * len(proposed.seen))

    proposed.seen = []
    return proposed


def run(root, proposer, names=TILES, *, model="1"):
    return propose(root, names, proposer, by="sam", model=model)


def states(root):
    return [entry.state for entry in queue.read(root)]


def save(root, tile, *shapes):
    """Save as labelme does, for a tile that nothing was proposed for too."""
    path = folder.drawing_path(root, tile)
    other = labelme.read(path).other if path.is_file() else {}
    labelme.write(path, Drawing(f"{tile}.png", (16, 16), list(shapes), other=other))


def test_a_proposal_is_a_line_a_view_and_a_drawing(selected, proposer, square):
    assert run(selected, proposer, ["00-01"]) == ["00-01"]
    entry = queue.read(selected)[1]
    assert (entry.state, entry.proposer, entry.uncertainty, entry.score) == ("proposed", "sam", 0.1, 0.9)
    found = provenance.read(folder.drawing_path(selected, "00-01"))
    assert found.drawing.shapes[0].points.tolist() == square().points.tolist()
    assert (found.provenance.proposer, found.provenance.model, found.is_changed) == ("sam", "1", False)
    assert folder.view_path(selected, "00-01").samefile(selected / "tiles/00-01.png")


def test_who_is_accepted_edited_or_drawn_upon_is_left_and_counted(selected, proposer, square, capsys):
    run(selected, proposer)
    queue.decide(selected, "00-00", "accepted", "anna")
    save(selected, "00-01", square(6.0))  # not noticed yet
    save(selected, "01-00", square(6.0))
    sync_edits(selected)
    queue.decide(selected, "01-00", "rejected", "anna")
    before = [folder.drawing_path(selected, tile).read_bytes() for tile in TILES[:3]]
    assert run(selected, proposer, model="2") == ["01-01"]
    assert [folder.drawing_path(selected, tile).read_bytes() for tile in TILES[:3]] == before
    assert states(selected) == ["accepted", "edited", "rejected", "proposed"]
    assert "1 proposed, 0 there already, 3 left as people drew" in capsys.readouterr().out


def test_a_drawing_by_hand_without_a_line_of_its_own_is_left(selected, proposer, square):
    save(selected, "00-00", square(6.0))
    assert run(selected, proposer, ["00-00"]) == []
    assert proposer.seen == []


def test_a_rejected_proposal_is_replaced_by_another_model_only(selected, proposer):
    run(selected, proposer, ["00-00"])
    queue.decide(selected, "00-00", "rejected", "anna")
    assert run(selected, proposer, ["00-00"]) == []
    assert run(selected, proposer, ["00-00"], model="2") == ["00-00"]
    assert queue.read(selected)[0].decision == ("", "", "")
    assert provenance.read(folder.drawing_path(selected, "00-00")).provenance.model == "2"


def test_what_was_killed_goes_on(selected, proposer):
    def dying(image, name):
        if name == "01-00":
            raise KeyboardInterrupt
        return proposer(image, name)

    with pytest.raises(KeyboardInterrupt):
        run(selected, dying)
    assert states(selected) == ["proposed", "proposed", "selected", "selected"]
    assert run(selected, proposer) == ["01-00", "01-01"]
    assert proposer.seen == TILES
    assert run(selected, proposer) == []


def test_what_a_person_does_while_a_proposal_is_made_is_left(selected, proposer, square):
    run(selected, proposer)

    def slow(image, name):
        if name == "00-00":
            queue.decide(selected, name, "accepted", "anna")
        elif name == "00-01":
            save(selected, name, square(6.0))
        return Proposal([], None, 0.5)

    assert run(selected, slow, TILES[:3], model="2") == ["01-00"]
    assert states(selected)[:2] == ["accepted", "proposed"]
    assert [entry.tile for entry in sync_edits(selected)] == ["00-01"]


def test_what_cannot_be_read_is_named_after_the_rest_was_done(selected, proposer):
    (selected / "tiles/00-00.png").unlink()
    unproposed(selected, ["00-01"])
    folder.drawing_path(selected, "00-01").write_text("{")
    with pytest.raises(UserError) as raised:
        run(selected, proposer)
    first, second = raised.value.messages
    assert "00-00.png: this tile is gone" in first
    assert "00-01.json: this is not JSON" in second
    assert folder.drawing_path(selected, "00-01").read_text() == "{"
    assert states(selected) == ["selected", "selected", "proposed", "proposed"]


def test_tiles_that_are_not_in_the_queue_are_all_named(selected, proposer):
    with pytest.raises(UserError) as raised:
        run(selected, proposer, ["00-00", "08-08", "09-09"])
    assert len(raised.value.messages) == 2
    assert proposer.seen == []


def test_flags_and_foreign_keys_stay(selected, proposer):
    path = folder.drawing_path(selected, "00-00")
    labelme.write(path, Drawing("00-00.png", (16, 16), [], flags={"unsure": True}, other={"plate": "B"}))
    run(selected, proposer, ["00-00"])
    drawing = provenance.read(path).drawing
    assert (drawing.flags, drawing.other["plate"]) == ({"unsure": True}, "B")


def test_without_a_proposer_tiles_wait_with_nothing_on_them(selected, square):
    save(selected, "00-00", square())
    assert unproposed(selected, TILES) == TILES[1:]
    assert states(selected) == ["selected"] * 4
    drawings = [labelme.read(folder.drawing_path(selected, tile)) for tile in TILES]
    assert [len(drawing.shapes) for drawing in drawings] == [1, 0, 0, 0]
    assert all(folder.view_path(selected, tile).is_file() for tile in TILES)
    assert [entry.tile for entry in sync_edits(selected)] == ["00-00"]


SIGMOID = np.array([[0.9, 0.7, 0.2], [0.8, 0.1, 0.0], [0.5, 0.0, 0.6]], np.float32)


def saying(probabilities, **changes):
    """A model that has one answer."""
    answer = lambda batch: probabilities[None].repeat(len(batch), 0)  # noqa: E731
    return segmenter(answer, {"overlap": 0}, stride=(1, 1), **changes)


def test_a_models_objects_are_proposed_with_score_and_uncertainty():
    predict = by_model(
        saying(SIGMOID[..., None], threshold=0.55, objects=Objects("components", {"smallest": 2}))
    )
    proposal = predict(np.zeros((3, 3, 1), np.uint8), "a")
    assert [shape.label for shape in proposal.shapes] == ["cell"]
    assert draw_mask(proposal.shapes, (3, 3), ["cell"]).tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert proposal.score == pytest.approx((0.9 + 0.7 + 0.8) / 3)  # the single pixel was dropped
    # 1 - |2p - 1|: 0.2 0.6 0.4, 0.4 0.2 0, 1 0 0.8
    assert proposal.uncertainty == pytest.approx(3.6 / 9)


def test_a_softmaxs_uncertainty_is_its_margin():
    probabilities = np.array([[[0.1, 0.2, 0.7], [0.5, 0.1, 0.4], [0.1, 0.9, 0.0]]], np.float32)
    propose_ = by_model(saying(probabilities, classes=("cell", "debris"), activation="softmax"))
    proposal = propose_(np.zeros((1, 3, 1), np.uint8), "a")
    assert [shape.label for shape in proposal.shapes] == ["debris", "cell"]
    assert proposal.score == pytest.approx((0.7 + 0.9) / 2)
    assert proposal.uncertainty == pytest.approx(1 - (0.5 + 0.1 + 0.8) / 3)


def test_two_exclusive_classes_are_as_uncertain_as_one_sigmoid():
    both = np.stack([1 - SIGMOID, SIGMOID], axis=-1)
    assert uncertainty(both, "softmax") == pytest.approx(uncertainty(SIGMOID[..., None], "sigmoid"), abs=1e-6)


def test_a_filled_hole_is_of_its_objects_class_and_scores_nothing():
    ring = np.ones((3, 3, 1), np.float32)
    ring[1, 1] = 0
    propose_ = by_model(saying(ring, objects=Objects("components", {"fill": True})))
    proposal = propose_(np.zeros((3, 3, 1), np.uint8), "a")
    assert (proposal.score, len(proposal.shapes)) == (1.0, 1)


def test_nothing_found_has_no_score():
    propose_ = by_model(saying(np.zeros((4, 4, 1), np.float32)))
    assert propose_(np.zeros((4, 4, 1), np.uint8), "a") == Proposal([], None, 0.0)


def test_labelme_reads_a_proposal(selected, proposer, monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    module = pytest.importorskip("labelme._label_file", reason="no labelme 6", exc_type=ImportError)
    run(selected, proposer, ["00-00"])
    path = folder.drawing_path(selected, "00-00")
    opened = module.LabelFile(str(path))
    assert len(opened.shapes) == 1
    assert opened.other_data["kerasseg"] == json.loads(path.read_text())["kerasseg"]
