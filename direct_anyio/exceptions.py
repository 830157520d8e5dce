"""Every way a model request can fail, typed by whose fault it is.

    UserError                            you: unknown model, missing key, wrong thread
      ConcurrencyLimitExceeded             your own limit says no
    ModelAPIError                        they; one `except` catches everything below
      ModelHTTPError                       an HTTP status of 400 or more, in a stream too
        ModelRateLimitError                  429: slow down
        ModelQuotaExceededError              402, or 429 with a quota code: pay first
        ModelUnavailableError                503
          ModelOverloadedError                 529
        ModelServerError                     any other 5xx
        ModelRequestRejectedError            400, 413, 422
          ModelContextWindowExceededError      the messages are too long for the model
        ModelAuthenticationError             401, 403
        ModelNotFoundError                   404
      ModelConnectionError                 the bytes did not get through
        ModelTimeoutError                    a deadline passed; also a TimeoutError
        StreamInterrupted                    the stream ended without its end
      UnexpectedModelBehavior              reached, but the answer cannot be read
        ResponseTooLarge                     a cap was hit
        ContentFilterError                   the provider withheld the answer
        EmptyResponse                        a complete answer with nothing in it
    FallbackExceptionGroup               every model of a `FallbackModel` failed

    ResponseCacheWarning                 a warning: a cache of responses has failed
    SchemaWarning                        a warning: a strict schema loses a part of its meaning
    UnencryptedKeyWarning                a warning: a key is sent over plain http://
    UnheededSettingWarning               a warning: a setting has no effect on the model

All of them pickle and deep-copy, and none holds a key, a header or an unbounded body.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .messages import ModelResponse

__all__ = (
    "AgentRunError",
    "ConcurrencyLimitExceeded",
    "ContentFilterError",
    "EmptyResponse",
    "FallbackExceptionGroup",
    "ModelAPIError",
    "ModelAuthenticationError",
    "ModelConnectionError",
    "ModelContextWindowExceededError",
    "ModelHTTPError",
    "ModelNotFoundError",
    "ModelOverloadedError",
    "ModelQuotaExceededError",
    "ModelRateLimitError",
    "ModelRequestRejectedError",
    "ModelRequestTimeout",
    "ModelServerError",
    "ModelTimeoutError",
    "ModelUnavailableError",
    "Phase",
    "ResponseTooLarge",
    "ResponseCacheWarning",
    "SchemaWarning",
    "StreamInterrupted",
    "UnexpectedModelBehavior",
    "UnencryptedKeyWarning",
    "UnheededSettingWarning",
    "UserError",
)

Phase = Literal["pool", "connect", "write", "headers", "body"]
"""What was being waited for, in the order in which a request goes through it."""

MAX_MESSAGE = 512
"""Characters of provider text that an error message may carry."""

MAX_BODY = 4096
"""Characters of a provider's error body that an error keeps."""

MAX_MISTAKE = 900
"""Characters of a `UserError`, which may quote what the program passed."""


def printable(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return `text` cut to `limit` characters, control and direction marks escaped.

    Provider text goes to terminals and logs, where an escape sequence would act.
    """
    # Cut before, since the text may be long, and after, since an escape is longer.
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:limit])
    return shown if len(text) <= limit and len(shown) <= limit else shown[: limit - 1] + "…"


def shown(value: object) -> str:
    """Return the first 80 characters of a value's `repr`; its type where that fails."""
    try:
        return f"{value!r:.80}"
    except Exception:  # as for a value that holds itself, or one of a strange class
        return f"a value of type {type(value).__name__}"


def bounded(body: object | None) -> object | None:
    """Return an error body as it is while small, else its first `MAX_BODY` characters."""
    if body is None:
        return None
    text = body if isinstance(body, str) else json.dumps(body, default=str)
    return body if len(text) <= MAX_BODY else text[:MAX_BODY]


def _restore(
    cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]
) -> BaseException:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class _Restorable:
    """Pickle and copy by state: the default calls the constructor with the message."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__.copy())  # type: ignore[attr-defined]


class UnencryptedKeyWarning(UserWarning):
    """A key is sent over plain `http://` to another machine, for all on the way to read.

    It is shown once for each host. On a network that is trusted, filter it.
    """


class UnheededSettingWarning(UserWarning):
    """A setting of a request has no effect, since the model or its protocol has nothing like it.

    It is shown once for each model and setting, and listed in the response's
    `provider_details['direct_anyio']['unheeded']`.
    """


class ResponseCacheWarning(RuntimeWarning):
    """A cache of responses could not be read or written; the request was made all the same."""


class SchemaWarning(UserWarning):
    """A JSON schema is sent with less meaning than it was given; the message says how to mend it.

    Strict schemas allow no object with keys of any name, so that a `dict[str, int]` in one can
    only ever be empty.
    """


class UserError(_Restorable, RuntimeError):
    """The calling program made a mistake; the message says which and how to mend it.

    Attributes:
        message: What went wrong.
    """

    message: str

    def __init__(self, message: str) -> None:
        if len(message) > MAX_MISTAKE:
            # Advice is at the end, and what is long is quoted before it.
            message = f"{message[: MAX_MISTAKE // 2]} … {message[-MAX_MISTAKE // 2 :]}"
        self.message = message
        super().__init__(message)


class ConcurrencyLimitExceeded(UserError):
    """A concurrency limiter's queue is full."""


class ModelAPIError(_Restorable, RuntimeError):
    """A model provider failed, or could not be reached.

    Attributes:
        model_name: The model that was asked, '' where no model is known.
        message: What went wrong.
        provider: Name of the provider, such as `'openai'`.
        request_id: The provider's id for the request, to quote to its support.
        phase: What was being waited for.
        attempts: One line for each attempt that failed before this one.
        retry_after: Seconds that the provider asks to wait before the next request.
        in_stream: Whether the error came inside a stream that had started well.
        response: What had been delivered before the failure, with its `state`.
    """

    model_name: str
    message: str
    provider: str | None = None
    request_id: str | None = None
    phase: Phase | None = None
    attempts: tuple[str, ...] = ()
    retry_after: float | None = None
    in_stream: bool = False
    response: ModelResponse | None = None

    def __init__(self, model_name: str, message: str) -> None:
        self.model_name = model_name
        self.message = message
        super().__init__(message)


class ModelHTTPError(ModelAPIError):
    """The provider answered with an error status.

    Attributes:
        status_code: The HTTP status, or that of the category for an error in a stream.
        body: The provider's error document, at most 4,096 characters of it.
        hint: What to do about it, where that is known.
    """

    status_code: int
    body: object | None
    hint: str | None

    def __init__(
        self,
        status_code: int,
        model_name: str,
        body: object | None = None,
        *,
        hint: str | None = None,
    ) -> None:
        self.status_code = status_code
        self.body = bounded(body)
        self.hint = hint
        shown = printable(str(self.body))
        message = f"status_code: {status_code}, model_name: {model_name}, body: {shown}"
        super().__init__(model_name, f"{message} ({hint})" if hint else message)


class ModelRateLimitError(ModelHTTPError):
    """Too many requests or tokens a minute (429); `retry_after` says how long to wait."""


class ModelQuotaExceededError(ModelHTTPError):
    """The account has no credit left, or its spend cap is reached; waiting does not help."""


class ModelUnavailableError(ModelHTTPError):
    """The provider is not available for the moment (503)."""


class ModelOverloadedError(ModelUnavailableError):
    """The provider has more traffic than it can serve (529)."""


class ModelServerError(ModelHTTPError):
    """The provider failed (5xx)."""


class ModelRequestRejectedError(ModelHTTPError):
    """The provider found the request itself wrong (400, 413, 422)."""


class ModelContextWindowExceededError(ModelRequestRejectedError):
    """The messages are longer than the model can read."""


class ModelAuthenticationError(ModelHTTPError):
    """The key is wrong, or may not use this model (401, 403)."""


class ModelNotFoundError(ModelHTTPError):
    """The provider knows no such model, or the base URL is wrong (404)."""


class ModelConnectionError(ModelAPIError):
    """The request or its answer did not get through; `phase` says how far it came."""


class ModelTimeoutError(ModelConnectionError, TimeoutError):
    """A deadline passed.

    Attributes:
        limit: Name of the deadline, such as `'first_event'`.
    """

    limit: str | None = None

    def __new__(cls, *args: object) -> ModelTimeoutError:
        """Return an error that OSError's own constructor has not read."""
        # OSError, the base of TimeoutError, would read two arguments as errno and its text.
        return TimeoutError.__new__(cls)


class StreamInterrupted(ModelConnectionError):
    """The stream ended without the provider's end marker: the answer may be cut short.

    `response` holds what had been delivered.
    """


class UnexpectedModelBehavior(ModelAPIError):
    """The provider answered, but the answer cannot be used.

    Attributes:
        body: The start of the answer.
    """

    body: str | None

    def __init__(self, message: str, body: str | None = None) -> None:
        self.body = None if body is None else body[:MAX_BODY]
        super().__init__("", message)

    def __str__(self) -> str:
        return (
            self.message if self.body is None else f"{self.message}, body:\n{printable(self.body)}"
        )


class ResponseTooLarge(UnexpectedModelBehavior):
    """A cap on the size of an answer was hit; the message names the cap."""


class ContentFilterError(UnexpectedModelBehavior):
    """The provider's content filter withheld the answer."""


class EmptyResponse(UnexpectedModelBehavior):
    """The answer is complete and holds nothing at all."""


class FallbackExceptionGroup(ExceptionGroup[Exception]):
    """Every model of a `FallbackModel` failed; holds one error for each."""


AgentRunError = ModelAPIError
ModelRequestTimeout = ModelTimeoutError
