"""What a learning curve is of: ``curve.json``, by which one that was begun is recognised."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kerasseg.commands.learning_curve.plan import Plan
from kerasseg.errors import UserError, changes
from kerasseg.files import write_atomically
from kerasseg.labelling.slide import read_slide
from kerasseg.recipe import Recipe
from kerasseg.synthetic.origin import is_synthetic


def gather(recipe: Recipe, plan: Plan, root: Path, truth: Path | None, **counts: int) -> dict[str, Any]:
    """Gather what a curve's points depend on, and what its page says."""
    slide = Path(read_slide(root)["slide"]["path"])
    folders = [file.parent for file in (slide, truth) if file]
    return {
        "root": str(root),
        "truth": str(truth) if truth else None,
        "synthetic": any(map(is_synthetic, folders)),
        "plan": asdict(plan) | counts,
        "recipe": recipe.dump(),
    }


def settle(path: Path, facts: dict[str, Any]) -> None:
    """Write down what a curve is of, or refuse to go on with another; more seeds and policies are fine."""
    facts = json.loads(json.dumps(facts))
    then = json.loads(path.read_text(encoding="utf-8")) if path.exists() else facts
    more = {"plan": {**facts["plan"], "seeds": then["plan"]["seeds"], "policies": then["plan"]["policies"]}}
    if changed := changes(then, facts | more):
        raise UserError(
            f"{path.parent}: this holds another curve, which cannot go on as this one; set these back, or "
            "choose another directory",
            *(f"  {line}" for line in changed),
        )
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
