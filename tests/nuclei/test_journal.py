"""What was found before a kill is found again after it."""

import pytest

from kerasseg.errors import UserError
from kerasseg.nuclei.journal import Journal
from kerasseg.nuclei.linking import Sighting

ASKED = {"stack": {"bytes": 12}, "settings": {"diameter": "134"}}
SIGHTINGS = [Sighting(at, 1.25, 2.5, 4.0, 3.0, 90.0, 9.42, at == 1, 0.912) for at in range(2)]


def test_sightings_are_read_as_they_were_kept(tmp_path):
    journal = Journal(tmp_path, ASKED)
    journal.keep(SIGHTINGS[:1])
    journal.keep([])
    again = Journal(tmp_path, ASKED)
    assert again.slices == 2
    again.keep(SIGHTINGS[1:])
    assert list(again.sightings()) == SIGHTINGS


def test_a_line_that_a_kill_cut_off_is_forgotten(tmp_path):
    journal = Journal(tmp_path, ASKED)
    journal.keep(SIGHTINGS[:1])
    with journal.path.open("a") as file:
        file.write("[[1, 2")
    again = Journal(tmp_path, ASKED)
    assert again.slices == 1
    again.keep(SIGHTINGS[1:])
    assert list(again.sightings()) == SIGHTINGS


def test_another_question_is_refused_by_its_differences(tmp_path):
    Journal(tmp_path, ASKED)
    with pytest.raises(UserError, match="another extraction was begun here") as raised:
        Journal(tmp_path, {**ASKED, "settings": {"diameter": "120"}})
    assert raised.value.messages[1:] == ("  settings.diameter: '134' then, '120' now",)
