"""Which part of a request is at fault: for errors, where a codec trips over something.

A field may hold anything where its type says `Any`, and histories are loaded from JSON of
any origin. Codecs need not look out for each wrong value: what one raises is turned into
a `UserError`, which names the message and the part, the setting or the tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import attrs

from .._annotations import wrong_field
from ..exceptions import UserError, shown
from ..messages import ModelMessage, ModelRequest, ModelResponse, OpaquePart, UserPromptPart
from ..settings import ModelSettings
from ..tools import ModelRequestParameters
from .codec import Codec
from .target import with_parts

__all__ = ("check_messages", "explained", "listed")

_HELLO = ModelRequest([UserPromptPart("Hello")])


def listed(messages: Any) -> list[ModelMessage]:
    """Return messages as a list.

    Raises:
        UserError: They are something else.
    """
    one = isinstance(messages, (str, ModelRequest, ModelResponse))
    items: list[Any] = list(messages) if isinstance(messages, Iterable) else [messages]
    wrong = [each for each in items if not isinstance(each, (ModelRequest, ModelResponse))]
    if wrong or one:
        raise UserError(
            "`messages` is a list of ModelRequest and ModelResponse, such as "
            "[ModelRequest.user_text_prompt('Hello')]; "
            f"got {shown(messages if one else wrong[0])}"
        )
    return items


def check_messages(messages: Any) -> list[ModelMessage]:
    """Return messages as a list, if they hold what their types say.

    Raises:
        UserError: A field does not, or holds what a later version stored.
    """
    said = listed(messages)
    for at, message in enumerate(said):
        if not isinstance(message.parts, tuple):
            raise UserError(f"Message {at} is made of parts, not of {shown(message.parts)}")
        for number, part in enumerate(message.parts):
            if not attrs.has(type(part)):
                raise UserError(f"Message {at} is made of parts, not of {shown(part)}")
            wrong = wrong_field(part)
            if wrong is not None:
                _refuse_later_pieces(part)
                raise UserError(f"{_place(at, number, part)} has a wrong field: {wrong}")
        wrong = wrong_field(message)
        if wrong is not None:
            raise UserError(f"Message {at} has a wrong field: {wrong}")
    return said


def _refuse_later_pieces(part: Any) -> None:
    content = getattr(part, "content", None)
    for piece in content if isinstance(content, tuple) else ():
        if isinstance(piece, OpaquePart):
            raise UserError(f"A piece of kind {piece.part_kind!r} cannot be sent")


def _place(at: int, number: int, part: object) -> str:
    return f"Part {number} of message {at}, a {type(part).__name__},"


def explained(
    error: Exception,
    codec: Codec,
    messages: Sequence[ModelMessage],
    settings: ModelSettings,
    parameters: ModelRequestParameters,
) -> UserError:
    """Return the error for what a codec raised, with what it was raised for.

    Args:
        error: What the codec raised.
        codec: The codec.
        messages: What it was to write.
        settings: The settings of the request.
        parameters: The parameters of the request.
    """
    culprits = (
        each[0]
        for each in _smaller(messages, settings, parameters)
        if type(_raised(codec, *each[1:])) is type(error)
    )
    what = next(culprits, "The request")
    return UserError(f"{what} cannot be sent: {_shown(error)}")


def _shown(error: Exception) -> str:
    # Those of the library itself say what is wrong; others only with their name.
    return str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"


_Request = tuple[str, list[ModelMessage], ModelSettings, ModelRequestParameters]


def _smaller(
    messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
) -> Iterator[_Request]:
    """Yield requests of one part, one setting or one tool each, with what that is."""
    plain = ModelRequestParameters()
    for at, message in enumerate(messages):
        for number, part in enumerate(message.parts):
            yield _place(at, number, part), [with_parts(message, [part])], {}, plain
        yield f"Message {at}", [with_parts(message, [])], {}, plain
    for key, value in settings.items():
        yield f"The setting {key!r}", [_HELLO], cast(ModelSettings, {key: value}), plain
    for field in ("function_tools", "output_tools", "builtin_tools"):
        for tool in getattr(parameters, field):
            one = cast(Any, ModelRequestParameters)(**{field: [tool]})
            yield f"The tool {getattr(tool, 'name', tool.kind)!r}", [_HELLO], {}, one
    yield "The output", [_HELLO], {}, attrs.evolve(parameters, function_tools=(), builtin_tools=())
    yield "Together with its parameters, the request", [_HELLO], settings, parameters


def _raised(
    codec: Codec,
    messages: list[ModelMessage],
    settings: ModelSettings,
    parameters: ModelRequestParameters,
) -> Exception | None:
    try:
        codec.encode(messages, settings, parameters, stream=False)
    except Exception as exc:
        return exc
    return None
