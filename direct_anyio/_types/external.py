"""External types, those of pydantic, which have schemas and validators of their own.

A model is known by its `model_json_schema` and `model_validate_json`. Dataclasses of pydantic's,
and other types that tell only pydantic how to read them, need its `TypeAdapter`, which is there
where they are.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_origin

import attrs

from .._validation import MAX_PLACES, ValidationError
from ..exceptions import UserError, printable
from .kinds import DEFS, Definitions, Kind, Schema, Tried
from .members import has_members

__all__ = ("External", "external_kind")

_HOOK = "__get_pydantic_core_schema__"
_VALIDATOR = "__pydantic_validator__"  # a dataclass of pydantic's has it


@attrs.frozen(eq=False)
class External(Kind):
    """A type of pydantic's, which has its own schema and its own reader.

    Attributes:
        is_class: Whether its schema is worth a definition.
        json_schema: Returns the schema, given what the names of its definitions end with.
        validate: Takes JSON text and returns the value, or raises what has `errors()`.
    """

    key: Any
    name: str
    is_class: bool
    json_schema: Callable[[str], Schema]
    validate: Callable[[str], Any]

    def schema(self, defs: Definitions) -> Schema:
        return defs.embed(self)

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        try:
            return self.validate(json.dumps(value))
        except RecursionError:
            raise
        except Exception as exc:
            raise ValidationError.of(_places(exc)) from None

    def key_schema(self) -> Schema | None:
        return None if self.is_class else {}


def _places(error: Exception) -> Iterator[tuple[list[Any], str]]:
    """Yield what pydantic's errors, or whatever else a validator raised, say of each place."""
    errors = getattr(error, "errors", None)
    if not callable(errors):
        yield [], str(error) or type(error).__name__
        return
    found: Any = errors()
    for each in found[:MAX_PLACES]:
        missing = each["type"] == "missing"
        yield [*reversed(each["loc"])], "is missing" if missing else f"is invalid: {each['msg']}"


def external_kind(annotation: Any) -> External | None:
    """Return the kind of a type of pydantic's, None for any other."""
    cls = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    name = re.sub(r"[^a-zA-Z0-9.\-_]", "_", getattr(cls, "__name__", "type"))
    is_class = isinstance(annotation, type)
    if is_class and hasattr(annotation, "model_json_schema"):
        write = annotation.model_json_schema
        read = getattr(annotation, "model_validate_json", None) or (
            lambda text: annotation.model_validate(json.loads(text))
        )
    elif "pydantic" in sys.modules and _tells_pydantic(annotation):
        pydantic: Any = sys.modules["pydantic"]
        adapter = _called(name, pydantic.TypeAdapter, annotation)
        write, read = adapter.json_schema, adapter.validate_json
        is_class = hasattr(annotation, _VALIDATOR)
    else:
        return None

    def json_schema(ending: str) -> Schema:
        named: Any = {"ref_template": f"{DEFS}{{model}}{ending}"} if ending else {}
        schema: Schema = _untitled(_called(name, write, **named), name)
        return schema

    return External(annotation, name, is_class, json_schema, read)


def _tells_pydantic(annotation: Any) -> bool:
    """Return whether a type, or what its `Annotated` says, tells pydantic how to read it."""
    if get_origin(annotation) is Annotated:
        return any(hasattr(extra, _HOOK) for extra in annotation.__metadata__)
    if not isinstance(annotation, type):
        return False
    own_hook = hasattr(annotation, _HOOK) and not has_members(annotation)
    return own_hook or hasattr(annotation, _VALIDATOR)


def _called(name: str, call: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what pydantic says; that it cannot is the program's mistake."""
    try:
        return call(*args, **kwargs)
    except Exception as exc:
        reason = printable(str(exc), 300)
        raise UserError(f"{name} has no JSON schema: {reason}") from exc


def _untitled(schema: Any, name: str | None = None) -> Any:
    """Return a schema without the titles that say no more than the names of classes and members."""
    if isinstance(schema, list):
        return [_untitled(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "patternProperties") and isinstance(value, dict):
            made[key] = {each: _untitled(inner, each) for each, inner in value.items()}
        elif key in ("default", "examples", "const", "enum"):
            made[key] = value
        elif key != "title" or _letters(value) != _letters(name):
            made[key] = _untitled(value)
    return made


def _letters(text: Any) -> str:
    return re.sub(r"[\W_]", "", str(text)).lower()
