"""Which of our errors a provider's error document is, and whether a document is one.

The same tables serve an HTTP status, a document of status 200 and an error inside a stream, so
that a program catches one class for all. A status or a code counts before the words of a
message; but what says that nothing is left to spend, that the request is too long, or that the
key is wrong, says more than a status.

Facts: the providers' references of their errors, and public reports of what gateways send.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..exceptions import (
    ModelAuthenticationError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelServerError,
    ModelUnavailableError,
)
from .codec import maybe
from .json import loads

__all__ = ("document_of", "http_error", "in_stream_error", "retry_after", "tells_error")


class _Category(NamedTuple):
    status: int
    error: type[ModelHTTPError]


_REJECTED = _Category(400, ModelRequestRejectedError)
_AUTHENTICATION = _Category(401, ModelAuthenticationError)
_QUOTA = _Category(402, ModelQuotaExceededError)
_FORBIDDEN = _Category(403, ModelAuthenticationError)
_NOT_FOUND = _Category(404, ModelNotFoundError)
_TOO_LONG = _Category(400, ModelContextWindowExceededError)
_RATE_LIMIT = _Category(429, ModelRateLimitError)
_SERVER = _Category(500, ModelServerError)
_UNAVAILABLE = _Category(503, ModelUnavailableError)
_OVERLOADED = _Category(529, ModelOverloadedError)

_BY_STATUS = {
    400: _REJECTED,
    401: _AUTHENTICATION,
    402: _QUOTA,
    403: _FORBIDDEN,
    404: _NOT_FOUND,
    413: _REJECTED,
    422: _REJECTED,
    429: _RATE_LIMIT,
    503: _UNAVAILABLE,
    529: _OVERLOADED,
}

# What providers write in the members `_CODES` of an error document, in lower case.
_BY_CODE = {
    "1113": _QUOTA,  # Z.ai
    "3051": _TOO_LONG,  # Mistral
    "api_error": _SERVER,
    "api_key_invalid": _AUTHENTICATION,
    "authentication_error": _AUTHENTICATION,
    "billing_error": _QUOTA,
    "billing_hard_limit_reached": _QUOTA,
    "context_length_exceeded": _TOO_LONG,
    "credit_balance_exhausted": _QUOTA,
    "deadline_exceeded": _UNAVAILABLE,
    "enforced_spend_limit_reached": _QUOTA,
    "exceed_context_size_error": _TOO_LONG,
    "exceeded_current_quota_error": _QUOTA,
    "failed_to_download_image": _REJECTED,
    "image_content_policy_violation": _REJECTED,
    "insufficient_balance": _QUOTA,
    "insufficient_quota": _QUOTA,
    "internal": _SERVER,
    "internal_server_error": _SERVER,
    "invalid_api_key": _AUTHENTICATION,
    "invalid_argument": _REJECTED,
    "invalid_image": _REJECTED,
    "invalid_image_url": _REJECTED,
    "invalid_prompt": _REJECTED,
    "invalid_request_error": _REJECTED,
    "model_not_found": _NOT_FOUND,
    "not_found": _NOT_FOUND,
    "not_found_error": _NOT_FOUND,
    "organization_spend_limit_exceeded": _QUOTA,
    "overloaded": _OVERLOADED,
    "overloaded_error": _OVERLOADED,
    "permission_denied": _FORBIDDEN,
    "permission_error": _FORBIDDEN,
    "rate_limit_error": _RATE_LIMIT,
    "rate_limit_exceeded": _RATE_LIMIT,
    "request_too_large": _REJECTED,
    "resource_exhausted": _RATE_LIMIT,
    "server_error": _SERVER,
    "timeout_error": _UNAVAILABLE,
    "too_many_requests": _RATE_LIMIT,
    "unauthenticated": _AUTHENTICATION,
    "unavailable": _UNAVAILABLE,
    "unsupported_image_media_type": _REJECTED,
    "vector_store_timeout": _UNAVAILABLE,
}

# MiniMax's own numbers, which `base_resp` holds.
_BY_BASE_RESP = {
    1002: _RATE_LIMIT,
    1004: _AUTHENTICATION,
    1008: _QUOTA,
    1039: _RATE_LIMIT,
    2013: _REJECTED,
    2049: _AUTHENTICATION,
    2056: _QUOTA,
}

# What messages say, in lower case; the first category that fits counts.
_SAID: dict[_Category, tuple[str, ...]] = {
    _QUOTA: (
        "credit balance",
        "spend(ing)? limit",
        "insufficient (account )?(balance|credit|fund|quota)",
        "(no|out of|not enough|add more|purchase) (more )?credits?",
        "payment required",
        "(enable|without|check your) billing",
        "billing (account|is|has|not|to be)",
        "daily (request )?(limit|quota)",
    ),
    _TOO_LONG: (
        "prompt is too long",
        "input is too long",
        "too many (input )?tokens",
        "maximum (context|prompt) length",
        "input token count.*exceed",
        "reduce the length of the (messages|prompt|input)",
        "(exceed|larger than|longer than|beyond|fit).{0,40}context",
        "context (window|length|size|limit).{0,40}(exceed|limit|too)",
    ),
    _RATE_LIMIT: ("rate.?limit", "too many requests", "resource.?exhausted", "slow down"),
    _OVERLOADED: ("overloaded", "(at|no) capacity"),
    _AUTHENTICATION: (
        "(invalid|incorrect|missing|wrong|expired).{0,10}api.?key",
        "api.?key.{0,20}(invalid|not)",
        "unauthori[sz]ed",
        "unauthenticated",
        "authentication",
    ),
    _UNAVAILABLE: ("(temporarily|service) unavailable", "time.?out", "timed out"),
    _NOT_FOUND: ("model.{0,60}(not found|not exist)",),
}
_BY_MESSAGE = {category: re.compile("|".join(words)) for category, words in _SAID.items()}

_STATUS = re.compile("[45][0-9][0-9]")
_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]*)?)s?")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?")

# What says more than the status it came with, by the statuses that it may come with: words of
# too many tokens are a rate limit at 429.
_SHARPER = {
    _QUOTA: (400, 402, 403, 429, 500),
    _TOO_LONG: (400, 413, 422, 500),
    _AUTHENTICATION: (400,),
}

_CODES = ("code", "type", "status", "status_code", "error_type", "error_code", "reason")
_MESSAGES = ("message", "msg", "detail", "error", "errors", "status_msg", "error_message")

_HINTS: dict[type[ModelHTTPError], str] = {
    ModelAuthenticationError: "check the key, and that it may use this model",
    ModelNotFoundError: "check the name of the model and the base URL",
    ModelContextWindowExceededError: "send fewer or shorter messages",
    ModelQuotaExceededError: "check the account's credit and spend limits",
}


def document_of(body: bytes) -> Any:
    """Return an error body as JSON, or as text where it is none."""
    try:
        return loads(body)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")


def tells_error(
    document: Mapping[str, Any], event: str = "message", *, typed_events: bool = False
) -> bool:
    """Return whether a document that came with status 200 is an error, whatever form it has.

    Args:
        document: A frame of a stream, or a body.
        event: The name of the frame's event.
        typed_events: Whether the protocol writes the names of its events in `type`.
    """
    if document.get("error") or event == "error":
        return True
    if "base_resp" in document and _base_resp(document):
        return True
    if "x_groq" in document and _get(document["x_groq"], "error"):
        return True
    if document.get("choices") or any(document.get(name) for name in _ANSWERS):
        return False
    kind = document.get("type")
    if typed_events and isinstance(kind, str) and "error" not in kind:
        return _status_of(document) is not None
    is_named = document.get("object") == "error" or kind == "error"
    return is_named or any(_text_of(document.get(name)) for name in _MESSAGES)


# Members that make a document an answer, or a part of one, of any protocol.
_ANSWERS = (
    "usage",
    "candidates",
    "usageMetadata",
    "promptFeedback",
    "content",
    "output",
    "delta",
    "response",
    "item",
    "item_id",
    "content_block",
)


def http_error(status: int, document: Any, model_name: str, hint: str = "") -> ModelHTTPError:
    """Return the error for an HTTP status and its body.

    Args:
        status: The status.
        document: The body, as JSON or as text.
        model_name: The model that was asked.
        hint: What to do about it, beside what is said of every such error.
    """
    told = _category_of(document)
    if told is not None and status in _SHARPER.get(told, ()):
        kind = told.error
    elif status in _BY_STATUS:
        kind = _BY_STATUS[status].error
    else:
        kind = ModelServerError if 500 <= status < 600 else ModelHTTPError
    hints = [each for each in (_HINTS.get(kind), hint) if each]
    error = kind(status, model_name, document, hint="; ".join(hints) or None)
    error.retry_after = _retry_after_of(document)
    return error


def in_stream_error(document: Any, model_name: str) -> ModelHTTPError:
    """Return the error for an error document of status 200: a frame of a stream, or a body.

    It has the status that it names, else that of its category: 500 where nothing tells.
    """
    category = _category_of(document) or _SERVER
    status = next(filter(None, map(_status_of, _levels(document))), category.status)
    error = http_error(status, document, model_name)
    error.in_stream = True
    return error


def _levels(document: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the objects that tell of an error, the innermost first."""
    if isinstance(document, list):
        document = next((each for each in document if isinstance(each, dict)), None)
    if not isinstance(document, dict):
        return
    choices = document.get("choices")
    for outer in (*(choices if isinstance(choices, list) else ()), document):
        inner = _get(outer, "error")
        if isinstance(inner, str) and inner[:1] == "{":  # an error inside of an error's text
            inner = maybe(lambda text: loads(text.encode()), inner)
        for holder in (inner, _get(outer, "errors"), _get(outer, "x_groq")):
            first = holder[0] if isinstance(holder, list) and holder else holder
            if isinstance(first, dict):
                yield from (each for each in (first.get("error"), first) if isinstance(each, dict))
    base = document.get("base_resp")
    yield from (each for each in (base, document) if isinstance(each, dict))


def _category_of(document: Any) -> _Category | None:
    """Return what an error is by its codes, and then by its message; None for neither.

    That nothing is left to spend, or that the request is too long, counts before all else.
    """
    found: list[_Category] = []
    for level in _levels(document):
        found += _categories_of_details(level.get("details"))
        found += [category for name in _CODES if (category := _by_code(level.get(name)))]
        status = _status_of(level)
        found += [_BY_STATUS[status]] if status in _BY_STATUS else []
    base = _BY_BASE_RESP.get(_base_resp(document)) if isinstance(document, dict) else None
    found += [base] if base else []
    said = _message_of(document).lower()
    by_message = next((each for each, words in _BY_MESSAGE.items() if words.search(said)), None)
    is_sharp = by_message is _QUOTA or (by_message is _TOO_LONG and _RATE_LIMIT not in found)
    if by_message is not None and (is_sharp or not found):
        found.append(by_message)
    sharp = (each for each in found if each in (_QUOTA, _TOO_LONG))
    return next(sharp, found[0] if found else None)


def _by_code(code: Any) -> _Category | None:
    return _BY_CODE.get(str(code).lower()) if isinstance(code, (str, int)) else None


def _categories_of_details(details: Any) -> list[_Category]:
    """Return what Google's `details` of an error tell: a reason, or the quota that is used up."""
    found: list[_Category] = []
    for detail in details if isinstance(details, list) else ():
        category = _by_code(_get(detail, "reason"))
        violations = _get(detail, "violations")
        for violation in violations if isinstance(violations, list) else ():
            if "PerDay" in str(_get(violation, "quotaId")):
                category = _QUOTA
        found += [category] if category else []
    return found


def _message_of(document: Any) -> str:
    """Return the words of an error; '' where it has none."""
    if isinstance(document, str):
        return document[:_LOOKED_AT]
    texts = (_text_of(level.get(name)) for level in _levels(document) for name in _MESSAGES)
    return " ".join(text for text in texts if text)[:_LOOKED_AT]


_LOOKED_AT = 4096
"""Characters of a message that are searched."""


def _text_of(value: Any) -> str:
    """Return a message: a text, or the first of several; '' for what is none."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get("message") or value.get("msg")
    return value if isinstance(value, str) else ""


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _base_resp(document: Mapping[str, Any]) -> int:
    """Return MiniMax's status: 0 for success, and where there is none."""
    code = _get(document.get("base_resp"), "status_code")
    return code if type(code) is int else 0


def _status_of(level: Mapping[str, Any]) -> int | None:
    """Return the HTTP status that an error names, as a number or a text."""
    codes = (str(level.get(name)) for name in _CODES)
    return next((int(code) for code in codes if _STATUS.fullmatch(code)), None)


def _retry_after_of(document: Any) -> float | None:
    """Return the seconds that an error document asks to wait, None where it does not say.

    Google tells them in a `RetryInfo`, such as "17.5s".
    """
    for level in _levels(document):
        details = level.get("details")
        delays = [_get(each, "retryDelay") for each in details] if isinstance(details, list) else []
        for delay in (*delays, level.get("retry_after")):
            match = _SECONDS.fullmatch(str(delay))
            if match and math.isfinite(float(match[1])):
                return float(match[1]) or None
    return None


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that a response asks to wait, None where it does not say.

    `retry-after-ms` counts before `retry-after`, which is seconds or an HTTP date; a
    date is taken relative to the response's own `date`, so that clocks may differ. A
    number beyond all floats is infinity: no time to wait for.

    Args:
        headers: By lower-case name.
        now: The time for a response that does not tell its own.
    """
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    seconds = _seconds(headers.get("retry-after"))
    return _until(headers, now) if seconds is None else seconds


def _seconds(value: str | None) -> float | None:
    text = (value or "").strip()
    # `float` alone would also read "inf", "nan", "1e9" and "1_000".
    return float(text) or None if _DECIMAL.fullmatch(text) else None


def _until(headers: Mapping[str, str], now: datetime | None) -> float | None:
    try:
        then = _date(headers["retry-after"])
        at = _date(headers["date"]) if "date" in headers or now is None else now
        seconds = (then - at).total_seconds()
    except (LookupError, TypeError, ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def _date(value: str) -> datetime:
    from email.utils import parsedate_to_datetime  # seldom wanted, and slow to import

    date = parsedate_to_datetime(value)
    # The oldest form of an HTTP date names no zone; all of them are in UTC.
    return date if date.tzinfo else date.replace(tzinfo=UTC)
