"""What all verbs have in common: their arguments, how they start, and how they answer a mistake."""

from __future__ import annotations

import errno
import signal
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from kerasseg.errors import FULL, Incomplete, UserError, counted

MISTAKE, INCOMPLETE = 2, 3
NO_PLACE = (*FULL, errno.EACCES, errno.EROFS)  # full, or not ours to write
KEPT = "what is complete is kept and nothing is half-written; repeat the command to continue"


class Interrupted:
    """Which signal ended the program: that of Ctrl-C, or what batch systems and containers end a job by."""

    signal = signal.SIGINT

    @classmethod
    def by(cls, number: int, frame: object) -> None:
        """Handle a signal: end with what there is."""
        cls.signal = number
        raise KeyboardInterrupt


class Verbs(TyperGroup):
    """Commands that answer a user's mistake with its message and no traceback."""

    def get_params(self, context):
        """Keep --show-completion out of the help: all verbs must fit a screen, and few ask for it."""
        params = super().get_params(context)
        for param in params:
            param.hidden = param.hidden or param.name == "show_completion"
        return params

    def invoke(self, context):
        """Call a command; turn a mistake and an interruption into a message and an exit code."""
        from kerasseg.console import saying_warnings

        try:
            with saying_warnings([]):
                return super().invoke(context)
        except UserError as error:
            for message in counted(error.messages):
                typer.secho(f"error: {message}", fg="red", err=True)
            raise typer.Exit(INCOMPLETE if isinstance(error, Incomplete) else MISTAKE) from error
        except OSError as error:
            if error.errno not in (*NO_PLACE, errno.ENAMETOOLONG):
                raise
            typer.secho(f"error: {error.filename or 'the disk'}: {error.strerror}", fg="red", err=True)
            raise typer.Exit(MISTAKE) from error
        except KeyboardInterrupt as error:
            typer.secho(f"interrupted: {str(error) or KEPT}", fg="yellow", err=True)
            raise typer.Exit(128 + Interrupted.signal) from error


RecipeFile = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY.PATH=VALUE", help="A value that replaces the recipe's.")
]


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print a line of JSON for each image; all else goes to stderr.")
]


def example(command: str) -> dict[str, str]:
    """Give a verb's help its last line."""
    return {"epilog": f"Example:  kerasseg {command}"}


def speaking(*, quiet: bool, json: bool):
    """Choose what is printed where; give what tells programs of each image, where that is asked for."""
    from kerasseg.commands.batch import print_json
    from kerasseg.console import console

    console.quiet, console.stderr = quiet, json
    return print_json if json else None


def load_recipe(recipe: str, overrides: list[str] | None, *, or_cascade: bool = False):
    """Read a recipe, or a shipped one by its name; where a verb takes both, the file may hold a cascade."""
    from kerasseg.recipe import find, load, load_any

    path = find(recipe)
    if path != Path(recipe):
        typer.echo(f"{recipe} is not here: taking the shipped one, {path}", err=True)
    return (load_any if or_cascade else load)(path, overrides or ())
