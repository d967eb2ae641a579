"""The shipped recipes: this folder is the package `kerasseg.recipes` once installed."""
