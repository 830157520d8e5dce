"""Values of types, read from what a model wrote.

Guarantees:

1.  Every type that has a JSON schema (`_type_schemas`) is read, and no other.
2.  Nothing is guessed; `_types.kinds` says what fits. Unknown keys are ignored.
3.  Where a type takes any text, alone or as one of a union, an answer that is no JSON is the
    value itself. For `str` so is one that is JSON, but neither a text nor an object.
4.  What does not fit is one `UnexpectedModelBehavior` that names the places, in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ._json import STRICT
from ._type_schemas import OUTER_KEY, Known, kind_of_arguments, known
from ._types.compounds import Alias, Limited, Union
from ._types.kinds import Kind, Scalar
from ._validation import ValidationError
from .exceptions import UnexpectedModelBehavior, printable

__all__ = ("arguments", "structured")

_FENCE = re.compile(r"(`{3,}|~{3,})")
# What stands between a fence and what is inside: nothing or a language, or any line.
_INFOS = (re.compile(r"[ \t]*[\w+.-]*\s*"), re.compile(r"[^\r\n]*\s*"))
_CLOSED = re.compile(r"\s*(?:`{3,}|~{3,}|\Z)")


def structured(annotation: Any, text: str | None, call: str | None = None) -> Any:
    """Return what a model wrote as a value of a type.

    Args:
        annotation: The type.
        text: The model's text: JSON, or JSON in a Markdown fence; plain text where the type
            takes it.
        call: Arguments of a call, which count where the text is no JSON.

    Raises:
        UserError: The type has no JSON schema.
        UnexpectedModelBehavior: There is no JSON, or it does not fit the type.
    """
    of_type = known(annotation)
    candidates = [each for each in (text, call) if each and each.strip()]
    if not candidates:
        raise UnexpectedModelBehavior("The response holds no output: no text and no tool call")
    takes_text, is_text = _texts_of(of_type.kind)
    problem: Exception = ValueError()
    for written in candidates:
        try:
            document = _document(written)
        except (ValueError, RecursionError) as exc:
            problem = exc
            continue
        is_wrapped = isinstance(document, dict) and OUTER_KEY in document
        has_text = isinstance(document, str) or is_wrapped
        if is_text and written is text and not has_text and _is_plain(written):
            break
        return _fitted(of_type, document, written)
    if takes_text and text and _is_plain(text):
        return _fitted(of_type, text, text)
    raise UnexpectedModelBehavior(f"The output is not JSON: {problem}", candidates[0])


def _texts_of(kind: Kind) -> tuple[bool, bool]:
    """Return whether a kind takes any text, and whether it takes nothing else."""
    match kind:
        case Scalar(name="str"):
            return True, True
        case Limited(inner=inner) | Alias(inner=inner):
            return _texts_of(inner)
        case Union(members=members):
            return any(_texts_of(each)[0] for each in members), False
    return False, False


def _is_plain(text: str) -> bool:
    """Return whether a text says something, and is no object that was cut short."""
    return text.strip()[:1] not in ("", "{")


def _fitted(of_type: Known, document: Any, written: str) -> Any:
    if of_type.is_wrapped and type(document) is dict and OUTER_KEY in document:
        document = document[OUTER_KEY]
    return _read(of_type.kind, document, written, "output")


def _read(kind: Kind, document: Any, written: str, what: str) -> Any:
    try:
        return kind.read(document, {})
    except ValidationError as exc:
        message = f"The {what} does not fit {printable(kind.name, 200)}: {exc}"
        raise UnexpectedModelBehavior(message, written) from None
    except RecursionError:
        raise UnexpectedModelBehavior(f"The {what} is nested too deeply", written) from None


def arguments(function: Any, written: str) -> dict[str, Any]:
    """Return the arguments of a call as values of a function's parameters.

    Args:
        function: A function, or what else `parameters_of` takes.
        written: The arguments as JSON.

    Raises:
        UserError: The parameters have no JSON schema.
        UnexpectedModelBehavior: The arguments are no JSON, or do not fit the parameters.
    """
    kind, more = kind_of_arguments(function)
    try:
        document = STRICT.decode(written)
    except (ValueError, RecursionError) as exc:
        message = f"The arguments of {kind.name} are not JSON: {exc}"
        raise UnexpectedModelBehavior(message, written) from None
    values: dict[str, Any] = _read(kind, document, written, "call")
    if more is not None:
        others = {key: each for key, each in document.items() if key not in kind.names}
        values |= _read(more, others, written, "call")
    return values


def _document(text: str) -> Any:
    """Return what JSON says that is a whole text, or the first in a Markdown fence.

    Raises:
        ValueError: There is none.
        RecursionError: It is nested too deeply.
    """
    try:
        return STRICT.decode(text)
    except ValueError:
        for document in _fenced(text):
            return document
        raise


def _fenced(text: str) -> Iterator[Any]:
    """Yield the JSON documents that fill a Markdown fence, one that nothing closes too.

    A document is read from where it starts, since a text in it may hold a fence.
    """
    at = 0
    while opening := _FENCE.search(text, at):
        for info in _INFOS:
            start = info.match(text, opening.end())
            assert start is not None  # it may be empty
            try:
                document, end = STRICT.raw_decode(text, start.end())
            except ValueError:
                continue
            if closing := _CLOSED.match(text, end):
                yield document
                at = closing.end()
                break
        else:
            closing_at = text.find(opening[0], opening.end())
            at = len(text) if closing_at < 0 else closing_at + len(opening[0])
