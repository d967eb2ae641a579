"""The JSON Schema of a recipe, for editors: every key with its type, default, choices and meaning."""

from __future__ import annotations

from typing import Any

from kerasseg.recipe.recipe import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Describe what a recipe may say.

    Returns
    -------
    dict
        JSON Schema, draft 2020-12.
    """
    return {"$schema": DIALECT, **Recipe.model_json_schema(), "title": "kerasseg recipe"}
