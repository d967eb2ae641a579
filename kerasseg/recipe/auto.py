"""Keys that are a number, or the word auto: the program chooses."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from kerasseg.recipe.mistakes import shown


def or_auto(numbers: Any, meant: str) -> Any:
    """Make the type of a key that is a number or auto; pydantic alone would complain of each by itself.

    Parameters
    ----------
    numbers : type
        What a number must be.
    meant : str
        What is expected, for the message: ``"0 or a number of pixels"``.

    Returns
    -------
    type
        An annotated union, to stand in a section.
    """

    def number_or_auto(value: Any, validate: ValidatorFunctionWrapHandler) -> int | str:
        try:
            return validate(value)
        except ValidationError as error:
            text = f"must be {meant}, or auto; got {shown(value)}"
            raise PydanticCustomError("component", "{text}", {"text": text}) from error

    return Annotated[Union[numbers, Literal["auto"]], WrapValidator(number_or_auto)]  # noqa: UP007
