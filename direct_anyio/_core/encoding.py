"""Checks and encodes a request, with errors that name the part that is at fault.

A field may hold anything where its type says `Any`, and histories are loaded from JSON of
any origin. Codecs need not check each value: what one raises becomes a `UserError`, which
names the message and the part, the setting or the tool.
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
from .codec import Codec, HTTPCall
from .target import history_for, with_parts

__all__ = ("check_messages", "encode_request", "listed", "place")

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
    checked = listed(messages)
    for at, message in enumerate(checked):
        if not isinstance(message.parts, tuple):
            raise UserError(f"Message {at} is made of parts, not of {shown(message.parts)}")
        for number, part in enumerate(message.parts):
            if not attrs.has(type(part)):
                raise UserError(f"Message {at} is made of parts, not of {shown(part)}")
            wrong = wrong_field(part)
            if wrong is not None:
                named = place(at, number, part)
                content = getattr(part, "content", None)
                for piece in content if isinstance(content, tuple) else ():
                    if isinstance(piece, OpaquePart):
                        unknown = f"a piece of the unknown kind {shown(piece.part_kind)}"
                        raise UserError(f"{named} cannot be sent: it holds {unknown}")
                raise UserError(f"{named} has a wrong field: {wrong}")
        wrong = wrong_field(message)
        if wrong is not None:
            raise UserError(f"Message {at} has a wrong field: {wrong}")
    return checked


def place(at: int, number: int, part: object) -> str:
    """Return how a part is called in errors."""
    return f"Part {number} of message {at}, a {type(part).__name__},"


def encode_request(
    codec: Codec,
    messages: list[ModelMessage],
    settings: ModelSettings,
    parameters: ModelRequestParameters,
    *,
    stream: bool,
) -> HTTPCall:
    """Return a request as `codec` writes it, the history fitted to the model first.

    The messages hold what their types say, as `check_messages` has found.

    Raises:
        UserError: It cannot be written; the error names the message and the part, the setting
            or the tool.
    """
    try:
        continues = codec.continues(settings)
        fitted = history_for(messages, codec.profile, parameters, continues=continues)
        return codec.encode(fitted, settings, parameters, stream=stream)
    except UserError as exc:
        raise _explained(exc, codec, messages, settings, parameters) from exc.__cause__
    except Exception as exc:
        raise _explained(exc, codec, messages, settings, parameters) from exc


def _explained(
    error: Exception,
    codec: Codec,
    messages: Sequence[ModelMessage],
    settings: ModelSettings,
    parameters: ModelRequestParameters,
) -> UserError:
    """Return the error for what a codec raised, with what it was raised for.

    A `UserError` is returned as it is where no message is at fault: it says itself which
    setting or tool is.

    Args:
        error: What the codec raised.
        codec: The codec.
        messages: What it was to write.
        settings: The settings of the request.
        parameters: The parameters of the request.
    """
    what = None
    for at, message in enumerate(messages):
        if _raises(error, codec, [message]):
            what = f"Message {at}"
            for number, part in enumerate(message.parts):
                if _raises(error, codec, [with_parts(message, [part])]):
                    what = place(at, number, part)
                    break
            break
    else:
        if isinstance(error, UserError):
            return error
        smaller = _smaller(settings, parameters)
        what = next((each[0] for each in smaller if _raises(error, codec, *each[1:])), None)
    # Errors of our own say what is wrong; others only with their name.
    is_own = type(error) in (ValueError, UserError)
    text = str(error) if is_own else f"{type(error).__name__}: {error}"
    return UserError(f"{what or 'The request'} cannot be sent: {text}")


def _smaller(
    settings: ModelSettings, parameters: ModelRequestParameters
) -> Iterator[tuple[str, list[ModelMessage], ModelSettings, ModelRequestParameters]]:
    """Yield requests of one setting or one tool each, with what that is."""
    plain = ModelRequestParameters()
    for key, value in settings.items():
        yield f"The setting {key!r}", [_HELLO], cast(ModelSettings, {key: value}), plain
    for field in ("function_tools", "output_tools", "builtin_tools"):
        for tool in getattr(parameters, field):
            one = cast(Any, ModelRequestParameters)(**{field: [tool]})
            yield f"The tool {getattr(tool, 'name', tool.kind)!r}", [_HELLO], {}, one
    yield "The output", [_HELLO], {}, attrs.evolve(parameters, function_tools=(), builtin_tools=())
    yield "Together with its parameters, the request", [_HELLO], settings, parameters


def _raises(
    error: Exception,
    codec: Codec,
    messages: list[ModelMessage],
    settings: ModelSettings | None = None,
    parameters: ModelRequestParameters | None = None,
) -> bool:
    """Return whether a codec raises an error of this class, and with this text if it is ours."""
    parameters = parameters or ModelRequestParameters()
    try:
        codec.encode(messages, settings or {}, parameters, stream=False)
    except Exception as exc:
        same = not isinstance(error, UserError) or str(exc) == str(error)
        return type(exc) is type(error) and same
    return False
