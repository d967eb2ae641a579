"""The JSON Schema of recipes and cascades, by which editors complete and check them."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from kerasseg.recipe.cascade import CascadeRecipe
from kerasseg.recipe.recipe import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Describe what a file may say, draft 2020-12: what has `stages` is a cascade, all else a recipe."""
    sections = TypeAdapter(CascadeRecipe | Recipe).json_schema()["$defs"]
    sections["Recipe"]["required"].remove("name")  # a stage has one already
    return {
        "$schema": DIALECT,
        "title": "kerasseg recipe",
        "if": {"required": ["stages"]},
        "then": {"$ref": "#/$defs/CascadeRecipe"},
        "else": {"$ref": "#/$defs/Recipe", "required": ["name"]},
        "$defs": sections,
    }
