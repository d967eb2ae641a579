"""The queue on the disk, what may follow what, and what git and people make of it."""

import subprocess
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseg.annotations.shapes import Drawing
from kerasseg.errors import UserError
from kerasseg.labelling import entries, folder, provenance, queue
from kerasseg.labelling.entries import Entry
from kerasseg.labelling.tables import columns

HEADER = ",".join(columns(Entry))
ONE = Entry("00-00", 1, "train", 1, "random")


def messages(act, *arguments):
    with pytest.raises(UserError) as raised:
        act(*arguments)
    return raised.value.messages


def put(root, *lines, header=HEADER):
    (root / "queue.csv").write_text("\n".join([header, *lines]) + "\n")


def lines(root):
    return (root / "queue.csv").read_text().splitlines()


def prepare(root, tile, *shapes):
    provenance.propose(
        folder.drawing_path(root, tile), Drawing(f"{tile}.png", (16, 16), list(shapes)), "", ""
    )


def test_a_round_is_a_line_a_tile_sorted_by_tile(slide, draw):
    added = queue.add(slide, draw("01-00", "00-01", cluster=3, policy="inverse"), "train", 2)
    assert [entry.tile for entry in added] == ["01-00", "00-01"]
    assert (slide / "queue.csv").read_bytes().decode() == (
        f"{HEADER}\n00-01,3,train,2,inverse,,,,selected,,\n01-00,3,train,2,inverse,,,,selected,,\n"
    )
    assert queue.read(slide) == sorted(added, key=lambda entry: entry.tile)


def test_no_queue_yet_is_an_empty_one(slide):
    assert queue.read(slide) == []
    (slide / "tiles.csv").unlink()
    assert "crop the slide first" in messages(queue.read, slide)[0]


def test_a_round_of_known_or_foreign_tiles_is_refused_whole(selected, draw):
    before = lines(selected)
    found = messages(queue.add, selected, draw("00-00", "07-07"), "train", 2)
    assert len(found) == 2
    assert "no tile '07-07' in tiles.csv" in found[0]
    assert "00-00 is in the queue already: selected, of round 1" in found[1]
    assert "unknown part 'validate'" in messages(queue.add, selected, draw("00-00"), "validate", 2)[0]
    assert lines(selected) == before


def test_a_tile_drawn_twice_is_refused(slide, draw):
    assert "00-00 would be in the queue twice" in messages(queue.add, slide, draw("00-00", "00-00"), "", 1)[0]
    assert not (slide / "queue.csv").exists()


def test_a_decision_changes_one_line_and_is_kept_beside_the_shapes(selected, square):
    prepare(selected, "00-01", square())
    before = lines(selected)
    entry = queue.decide(selected, "00-01", "accepted", "anna")
    after = lines(selected)
    assert [at for at in range(5) if before[at] != after[at]] == [2]
    assert after[2] == f"00-01,1,train,1,random,,,,accepted,anna,{entry.when}"
    known = provenance.read(folder.drawing_path(selected, "00-01")).provenance
    assert (known.decision, known.who, known.when) == ("accepted", "anna", entry.when)


def test_the_user_decides_by_default(selected, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "kim")
    assert queue.decide(selected, "00-00", "rejected").who == "kim"


def test_an_empty_tile_is_accepted_but_one_without_a_file_is_not(selected):
    assert (
        "00-00.json: there is no such file" in messages(queue.decide, selected, "00-00", "accepted", "a")[0]
    )
    prepare(selected, "00-00")
    assert queue.decide(selected, "00-00", "accepted", "a").state == "accepted"


def test_a_decision_upon_nonsense_changes_nothing(selected):
    prepare(selected, "00-00")
    folder.drawing_path(selected, "00-00").write_text("{")
    before = lines(selected)
    assert "00-00.json: this is not JSON" in messages(queue.decide, selected, "00-00", "rejected", "a")[0]
    assert "'09-09' is not in the queue" in messages(queue.decide, selected, "09-09", "rejected", "a")[0]
    assert lines(selected) == before


@pytest.mark.parametrize(
    ("before", "proposer", "may_follow"),
    [
        ("selected", "", "selected accepted edited rejected"),
        ("proposed", "sam", "proposed accepted edited rejected"),
        ("accepted", "sam", "proposed accepted edited rejected"),
        ("accepted", "", "selected accepted edited rejected"),
        ("edited", "sam", "accepted edited rejected"),
        ("rejected", "sam", "proposed accepted edited rejected"),
    ],
)
def test_what_may_follow_what(before, proposer, may_follow):
    entry = replace(ONE, state=before, proposer=proposer)
    for state in entries.STATES:
        if state in may_follow.split():
            assert entry.decided(state, "a", "t").state == state
        else:
            assert "cannot become" in messages(entry.decided, state, "a", "t")[0]


def test_the_same_decision_again_stays_the_first_and_taking_back_forgets_who(selected):
    entry = replace(ONE, state="rejected", who="a", when="t", proposer="sam")
    assert entry.decided("rejected", "b", "u") is entry
    assert entry.decided("proposed", "b", "u").decision == ("", "", "")
    assert "did you mean 'accepted'" in messages(entry.decided, "acepted", "b", "u")[0]


def test_waiting_are_ordered_by_uncertainty_and_labelled_are_accepted_or_edited():
    queued = [
        replace(ONE, tile="a"),
        replace(ONE, tile="b", state="proposed", uncertainty=0.2),
        replace(ONE, tile="d", state="proposed", uncertainty=0.7),
        replace(ONE, tile="c", state="proposed", uncertainty=0.7),
        replace(ONE, tile="e", state="accepted", uncertainty=0.9),
        replace(ONE, tile="f", state="rejected"),
        replace(ONE, tile="g", state="edited"),
    ]
    assert [entry.tile for entry in queue.waiting(queued)] == ["c", "d", "b", "a"]
    assert [entry.tile for entry in queue.labelled(queued)] == ["e", "g"]


words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8)
entries_ = st.builds(
    Entry,
    tile=st.sampled_from(["00-00", "00-01"]),
    cluster=st.integers(0, 99),
    part=st.sampled_from(entries.PARTS),
    round=st.integers(0, 99),
    policy=words,
    proposer=words,
    uncertainty=st.none() | st.integers(0, 1000).map(lambda n: n / 1000),
    score=st.none() | st.integers(-1000, 1000).map(lambda n: n / 8),
    state=st.sampled_from(entries.STATES),
    who=words,
    when=st.sampled_from(["", "2025-11-30T17:05:00Z"]),
)


@given(st.lists(entries_, unique_by=lambda entry: entry.tile))
def test_what_is_written_is_read_and_written_the_same(queued):
    text = entries.to_csv(queued)
    assert len(text.splitlines()) == len(queued) + 1
    read = entries.from_csv(text, folder.queue_path("r"), {"00-00", "00-01"})
    assert entries.to_csv(read) == text
    assert [entry.tile for entry in read] == sorted(entry.tile for entry in queued)


def test_numbers_have_few_digits_and_names_stay_on_their_line():
    text = entries.to_csv([replace(ONE, uncertainty=1 / 3, score=2e-7, who='Anna\nB., "x"')])
    assert text.splitlines()[1] == '00-00,1,train,1,random,,0.3333,2e-07,selected,"Anna B., ""x""",'


def test_a_spreadsheets_marks_and_line_ends_are_understood(slide):
    text = "\ufeff" + "\r\n".join([HEADER, "00-00,1,train,1,random,,,,selected,,", ""])
    (slide / "queue.csv").write_bytes(text.encode())
    assert queue.read(slide) == [ONE]


def test_all_mistakes_are_named_at_once_by_line(slide):
    put(
        slide,
        "00-00,x,validate,-1,random,,much,nan,done,,yesterday",
        "00-01,1,train,1,random,,,,selected,,",
        "Mar-17,1,train,1,random,,,,selected,,",
        "01-00,1,train",
        "01-01,1,train,1,random,,,,selected,,,,",
    )
    found = messages(queue.read, slide)
    assert [message.split(": ")[1] for message in found] == ["line 2", "line 4", "line 5", "line 6"]
    for part in ("cluster is 'x'", "part is 'validate'", "round is '-1'", "uncertainty is 'much'"):
        assert part in found[0]
    for part in ("score is 'nan'", "state is 'done'", "when is 'yesterday'"):
        assert part in found[0]
    assert "tile is 'Mar-17'; expected the name of a tile in tiles.csv" in found[1]
    assert "it has 3 cells; expected 11" in found[2]


def test_unknown_missing_and_doubled_columns_are_named(slide):
    put(slide, header=HEADER.replace("cluster", "clustre").replace("who", "tile"))
    found = messages(queue.read, slide)
    assert any("unknown column 'clustre'" in m and "did you mean 'cluster'" in m for m in found)
    for part in ("no column cluster", "no column who", "column tile is there twice"):
        assert sum(part in message for message in found) == 1, part


def test_a_file_that_is_no_table_is_refused(slide):
    (slide / "queue.csv").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in messages(queue.read, slide)[0]
    put(slide, '00-00,1,train,1,"random')
    assert "this is not CSV" in messages(queue.read, slide)[0]


ANNA = "00-00,1,train,1,random,sam,0.5,0.9,accepted,anna,2025-11-30T17:05:00Z"
BORIS = "00-00,1,train,1,random,sam,0.5,0.9,rejected,boris,2025-11-30T18:00:00Z"
WAITS = "00-00,1,train,1,random,sam,0.5,0.9,proposed,,"


def test_equal_lines_are_one_and_a_decision_goes_before_what_waits(slide):
    put(slide, WAITS, ANNA, ANNA, "00-00,1,train,1,random,,,,selected,,")
    (entry,) = queue.read(slide)
    assert entry.decision == ("accepted", "anna", "2025-11-30T17:05:00Z")


def test_two_decisions_upon_a_tile_are_named_with_who_and_when(slide):
    put(slide, ANNA, BORIS)
    (message,) = messages(queue.read, slide)
    assert "line 2: accepted by anna at 2025-11-30T17:05:00Z" in message
    assert "line 3: rejected by boris at 2025-11-30T18:00:00Z" in message
    assert "keep one" in message


def test_conflict_markers_are_named_as_such(slide):
    put(slide, "<<<<<<< HEAD", ANNA, "=======", BORIS, ">>>>>>> boris")
    (message,) = messages(queue.read, slide)
    assert "git left its conflict markers in the lines 2, 4, 6" in message


def git(root, *arguments):
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *author, *arguments], cwd=root, check=True, capture_output=True)


def test_git_merges_the_decisions_of_two_people(selected):
    git(selected, "init")
    git(selected, "add", ".")
    git(selected, "commit", "-m", "round 1")
    git(selected, "checkout", "-b", "boris")
    queue.decide(selected, "00-01", "rejected", "boris")
    git(selected, "commit", "-am", "boris")
    git(selected, "checkout", "main")
    queue.decide(selected, "00-00", "rejected", "anna")  # the line above
    git(selected, "commit", "-am", "anna")
    git(selected, "merge", "boris")
    assert [entry.who for entry in queue.read(selected)] == ["anna", "boris", "", ""]


def test_a_line_that_another_program_writes_in_between_is_kept(selected):
    with queue.locked(selected) as queued:
        others = [*queue.read(selected)[:3], replace(queued["01-01"], state="rejected", who="boris")]
        folder.queue_path(selected).write_text(entries.to_csv(others))  # by git, say, which does not wait
        queued["00-00"] = replace(queued["00-00"], state="rejected", who="anna")
    assert [entry.who for entry in queue.read(selected)] == ["anna", "", "", "boris"]
    assert not list(selected.glob(".queue.*"))


def test_a_line_that_is_written_while_the_new_queue_is_written_is_kept(selected, monkeypatch):
    replace_file = folder.SharedFile.replace

    def late(file, before):
        monkeypatch.setattr(folder.SharedFile, "replace", replace_file)
        others = [*queue.read(selected)[:3], replace(ONE, tile="01-01", state="rejected", who="boris")]
        folder.queue_path(selected).write_text(entries.to_csv(others))
        return replace_file(file, before)

    monkeypatch.setattr(folder.SharedFile, "replace", late)
    queue.decide(selected, "00-00", "rejected", "anna")
    assert [entry.who for entry in queue.read(selected)] == ["anna", "", "", "boris"]


def test_a_line_that_two_programs_change_at_once_is_left_to_the_first(selected):
    def both():
        with queue.locked(selected) as queued:
            first = [replace(queued["00-00"], state="rejected", who="boris"), *queue.read(selected)[1:]]
            folder.queue_path(selected).write_text(entries.to_csv(first))
            queued["00-00"] = queued["00-00"].decided("rejected", "anna", "")

    assert "changed the line of 00-00 just now; try again" in messages(both)[0]
    assert queue.read(selected)[0].who == "boris"


def test_a_step_that_is_killed_changes_nothing(selected):
    def killed():
        with queue.locked(selected) as queued:
            queued["00-00"] = queued["00-00"].decided("rejected", "anna", "")
            raise KeyboardInterrupt

    before = lines(selected)
    with pytest.raises(KeyboardInterrupt):
        killed()
    assert lines(selected) == before


def test_threads_lose_no_click(selected):
    tiles = [entry.tile for entry in queue.read(selected)]
    threads = [
        threading.Thread(target=queue.decide, args=(selected, tile, "rejected", tile)) for tile in tiles
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.who for entry in queue.read(selected)] == tiles


def test_a_queue_that_cannot_be_written_stays(selected, monkeypatch):
    before = lines(selected)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    assert "No space left" in messages(queue.decide, selected, "00-00", "rejected", "a")[0]
    assert lines(selected) == before
    assert not list(selected.glob(".queue.*"))
