"""What every section shares: frozen, deaf to nothing, no silent conversion of types."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Item = TypeVar("Item")


@dataclass(frozen=True)
class Words:
    """What a text must be, for people; stands in ``Annotated`` beside the check that enforces it."""

    text: str


class Options(BaseModel):
    """Base of all sections. Unknown keys are errors, ``3.0`` is no integer and ``'3'`` is no number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    #: Whether its documentation tells inherited keys before its own.
    inherited_first: ClassVar[bool] = False


class Shorthand(Options):
    """A section that may also be written as the bare value of one of its keys: ``cpu`` for ``{name: cpu}``."""

    shorthand: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, value: object) -> object:
        return value if isinstance(value, dict | cls) else {cls.shorthand: value}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        spelled_out = handler(schema)
        bare = handler.resolve_ref_schema(spelled_out)["properties"][cls.shorthand]
        return {"anyOf": [bare, spelled_out]}


@dataclass(frozen=True)
class BareTag:
    """In ``Annotated`` of a union of variants: the bare tag stands for that variant with its defaults.

    Args:
        key: that names the variant: ``kind``.
    """

    key: str

    def spell_out(self, value: object) -> object:
        """``"tagging"`` to ``{"kind": "tagging"}``; anything else as it is."""
        if isinstance(value, dict):  # what comes from JSON stands behind this as Python's, where a list is no tuple
            return {key: tuple(one) if isinstance(one, list) else one for key, one in value.items()}
        return {self.key: value} if isinstance(value, str) else value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.spell_out, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        spelled_out = handler(schema)
        variants = [handler.resolve_ref_schema(dict(one)) for one in spelled_out["oneOf"]]
        bare = [one["properties"][self.key]["const"] for one in variants if one.get("required") == [self.key]]
        return {"anyOf": [{"enum": bare, "type": "string"}, spelled_out]}


def reject(code: str, rule: str, hint: str = "") -> PydanticCustomError:
    """An error of our own from inside a validator: ``code`` and ``hint`` reach the ``Fault`` unchanged."""
    # pydantic asks for a literal so that its template is never user input; braces in `rule` would be one
    template = cast("Literal['']", rule.replace("{", "(").replace("}", ")"))
    return PydanticCustomError(cast("Literal['']", code), template, {"hint": hint})


def _distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    for index, item in enumerate(items):
        if item in items[:index]:
            raise reject("config.duplicate-value", "must not repeat a value")
    return items


#: In ``Annotated[tuple[...], Distinct]``: a list without repeated values.
Distinct = AfterValidator(_distinct)


def _written(value: object) -> object:
    if value is None:
        raise reject("config.type", "has no value", "write one, or delete the line")
    return value


#: In ``Annotated[X | None, Written]``: the key may be left out, but ``key:`` with nothing behind it is a fault.
Written = BeforeValidator(_written)

SLUG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

#: A name that is also a folder name.
Slug = Annotated[
    str,
    Field(pattern=SLUG_PATTERN),
    Words("a name of 1 to 64 letters, digits, '.', '_' or '-' that starts with a letter or digit"),
]

Text = Annotated[str, Field(min_length=1, max_length=4096), Words("a text that is not empty")]

JSON = Any  # plain data as YAML gives it: text, numbers, booleans, null, lists and mappings of them
