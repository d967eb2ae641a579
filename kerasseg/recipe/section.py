"""What every section of a recipe has in common, and how one of several components is named.

A component is written as a mapping of one key, ``{linknet: {attention: false}}``: its name, and the arguments
of the function that the name stands for. The bare name means its defaults, which stand here and nowhere else:
builders take every argument by its name and have none of their own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from kerasseg.errors import unknown
from kerasseg.recipe.document import shown

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]


def imported(place: str) -> Callable[..., Any]:
    """Import a function by its place, such as ``"kerasseg.models.unet:unet"``."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


class Section(BaseModel):
    """Typed keys of a recipe: nothing unknown, nothing coerced, nothing changed once it is read."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Component(Section):
    """A name that stands for a function, and that function's keyword arguments."""

    name: ClassVar[str]
    """How a recipe calls it."""
    builder: ClassVar[str]
    """Where the function is, as ``"package.module:function"``."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments, by name."""
        return dict(self)

    @classmethod
    def function(cls) -> Callable[..., Any]:
        """Import the builder; until something is built, a recipe needs neither TensorFlow nor NumPy."""
        return imported(cls.builder)

    def build(self, *positional: Any, **keywords: Any) -> Any:
        """Call the builder with these arguments and what no recipe says; `keywords` replace arguments."""
        return self.function()(*positional, **self.arguments | keywords)

    @model_validator(mode="before")
    @classmethod
    def _unwrap(cls, value: Any) -> Any:
        return value[cls.name] if isinstance(value, Mapping) and set(value) == {cls.name} else value

    @model_serializer(mode="wrap")
    def _wrap(self, handler) -> dict[str, Any]:
        return {self.name: handler(self)}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema, handler) -> dict[str, Any]:
        properties = {cls.name: handler(core_schema)}
        return {
            "type": "object",
            "properties": properties,
            "required": [cls.name],
            "additionalProperties": False,
        }


class _Names:
    """Tells the JSON Schema of a component that some bare names do as well."""

    def __init__(self, classes: tuple[type[Component], ...]) -> None:
        self.bare = [each.name for each in classes if not _required(each)]

    def __get_pydantic_json_schema__(self, core_schema, handler) -> dict[str, Any]:
        forms = handler(core_schema)["oneOf"]
        return {"anyOf": [{"enum": self.bare}, *forms] if self.bare else forms}


def _required(section: type[Section]) -> bool:
    return any(field.is_required() for field in section.model_fields.values())


def one_of(kind: str, *classes: type[Component]) -> Any:
    """Make the type of a key that names one of several components.

    Parameters
    ----------
    kind : str
        What is named, for messages: ``"model"``.
    *classes : type of Component
        What may be named.

    Returns
    -------
    type
        An annotated union, to stand in a section.
    """
    names = [each.name for each in classes]
    members = tuple(Annotated[each, Tag(each.name)] for each in classes)
    check = BeforeValidator(lambda value: one_key(kind, names, value))
    return Annotated[Union[members], Discriminator(_tag), check, _Names(classes)]  # noqa: UP007


def one_key(kind: str, names: list[str], value: Any) -> Any:
    """Bring a component's short forms into ``{name: {argument: value}}``, or say what is wrong with them."""
    if isinstance(value, Component):
        return value
    if isinstance(value, str):
        value = {value: {}}
    _refuse(kind, names, value)
    name, arguments = next(iter(value.items()))
    return {name: {} if arguments is None else arguments}


def _refuse(kind: str, names: list[str], value: Any) -> None:
    form = f"must be one name and its arguments, such as {{{names[0]}: {{...}}}}"
    if not isinstance(value, Mapping) or not value:
        raise PydanticCustomError("component", "{text}", {"text": form})
    strangers = [unknown(kind, str(name), names) for name in value if name not in names]
    if strangers:
        raise PydanticCustomError("component", "{text}", {"text": "; ".join(strangers)})
    if len(value) > 1:
        text = (
            f"{form}; got {', '.join(value)}: to use another {kind}, replace all of it, by an override "
            "that comes before the others"
        )
        raise PydanticCustomError("component", "{text}", {"text": text})


def _tag(value: Any) -> str:
    return value.name if isinstance(value, Component) else next(iter(value))


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
