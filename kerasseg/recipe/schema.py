"""The JSON Schema of a recipe, for editors: every key with its type, default, choices and meaning."""

from __future__ import annotations

from typing import Any

from kerasseg.recipe.recipe import Recipe


def schema() -> dict[str, Any]:
    """Describe what a recipe may say.

    Returns
    -------
    dict
        JSON Schema, draft 2020-12.
    """
    described = Recipe.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **described,
        "title": "kerasseg recipe",
    }
