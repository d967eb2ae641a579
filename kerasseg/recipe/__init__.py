"""What a recipe may say: sections, defaults, overrides, all its mistakes at once, and their JSON Schema."""

from kerasseg.recipe.loading import amended, load
from kerasseg.recipe.recipe import Recipe, schema
from kerasseg.recipe.shipped import find, shipped

__all__ = ["Recipe", "amended", "find", "load", "schema", "shipped"]
