"""What a run says it ran on."""

import importlib.metadata
import json

from kerasseg.runs import environment


def test_versions_are_those_that_are_installed():
    facts = environment.facts()
    assert facts["keras"] == importlib.metadata.version("keras")
    assert facts["cores"] >= 1
    assert json.loads(json.dumps(facts)) == facts


def test_a_package_that_is_not_there_is_none(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package",))
    assert environment.facts()["no-such-package"] is None
