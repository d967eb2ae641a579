"""A model's card: what it is, what it was trained on, how good it is, and how to ask it, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasseg.cascade import Cascade
from kerasseg.report.template import fill
from kerasseg.spec import ModelSpec

NAME = "README.md"
SCORES = ("dice", "iou", "precision", "recall")
SIDES = {2: "height x width", 3: "depth x height x width"}


def render(name: str, spec: ModelSpec, facts: Mapping[str, Any]) -> str:
    """Fill the card in.

    Parameters
    ----------
    name : str
        Under which the model is served.
    spec : ModelSpec
    facts : mapping
        ``data``, ``metrics``, ``environment`` and ``base``: what a run's ``data.json``, ``metrics.json``,
        ``environment.json`` and ``base.json`` hold; ``run``: its folder; ``largest_difference``: of the
        export from the Keras model. What is missing is left out.

    Returns
    -------
    str
        Markdown.
    """
    return fill(Path(__file__).with_suffix(".md"), {**_context(name, spec, facts), "package": False})


def render_package(
    name: str, spec: ModelSpec, facts: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]
) -> str:
    """Fill in the card of a package of the BioImage Model Zoo.

    Parameters
    ----------
    name, spec, facts
        See `render`.
    steps : sequence of mapping
        The package's preprocessing, in the format's words.

    Returns
    -------
    str
        Markdown.
    """
    context = {**_context(name, spec, facts), "package": True, "steps": steps}
    return fill(Path(__file__).with_name("package.md"), context)


def history(spec: ModelSpec, facts: Mapping[str, Any]) -> str:
    """Write the part of a card that tells how a model came about: its data, its scores, what to beware of.

    Parameters
    ----------
    spec, facts
        See `render`.

    Returns
    -------
    str
        Markdown.
    """
    return fill(Path(__file__).with_name("card_history.md"), {**_context("", spec, facts), "package": False})


def _context(name: str, spec: ModelSpec, facts: Mapping[str, Any]) -> dict[str, Any]:
    context = {"spec": spec, "sides": SIDES[spec.rank]}
    return {**context, "name": name, "names": SCORES, "parts": _parts(facts), **facts}


def render_cascade(name: str, cascade: Cascade, facts: Mapping[str, Any]) -> str:
    """Fill a cascade's card in.

    Parameters
    ----------
    name : str
        Under which it is served.
    cascade : Cascade
    facts : mapping
        ``metrics``: what the cascade's ``metrics.json`` holds; ``run``: its folder; ``largest_difference``:
        the share of pixels in which the export differs from the cascade. What is missing is left out.

    Returns
    -------
    str
        Markdown.
    """
    stages: dict[str, list[str]] = {stage: [] for stage in cascade.stages}
    for stage, class_id in cascade.merge:
        stages[stage].append(cascade.stages[stage].segmenter.spec.classes[class_id - 1])
    context = {"name": name, "spec": cascade.spec, "stages": stages, "names": SCORES}
    return fill(Path(__file__).with_name("cascade.md"), {**context, **facts})


def _parts(facts: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Count the groups and the images of each part of the split."""
    groups = facts.get("data", {}).get("audit", {}).get("groups", {})
    return {part: (len(of), sum(of.values())) for part, of in groups.items()}
