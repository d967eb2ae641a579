"""What a recipe may say: sections, defaults, overrides, all its mistakes at once, and their JSON Schema."""

from kerasseg.recipe.cascade import CascadeRecipe, load_any
from kerasseg.recipe.loading import amended, load
from kerasseg.recipe.recipe import Recipe
from kerasseg.recipe.schema import schema
from kerasseg.recipe.shipped import find, shipped

__all__ = ["CascadeRecipe", "Recipe", "amended", "find", "load", "load_any", "schema", "shipped"]
