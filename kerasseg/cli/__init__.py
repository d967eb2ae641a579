"""The command line. Every verb takes a recipe or a path, and calls the package that does the work."""

from kerasseg.cli.main import app, main

__all__ = ["app", "main"]
