"""Which of our errors a provider's error document is.

The same table serves an HTTP status and an error inside a stream, so that a program
catches one class for both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
from .json import loads

__all__ = ("document_of", "http_error", "in_stream_error", "retry_after")


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

# What providers write in `code`, `type` or `status` of an error document.
_BY_CODE = {
    "api_error": _SERVER,
    "authentication_error": _AUTHENTICATION,
    "billing_error": _QUOTA,
    "billing_hard_limit_reached": _QUOTA,
    "context_length_exceeded": _TOO_LONG,
    "deadline_exceeded": _UNAVAILABLE,
    "enforced_spend_limit_reached": _QUOTA,
    "exceed_context_size_error": _TOO_LONG,
    "failed_to_download_image": _REJECTED,
    "image_content_policy_violation": _REJECTED,
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
    "overloaded_error": _OVERLOADED,
    "permission_denied": _FORBIDDEN,
    "permission_error": _FORBIDDEN,
    "rate_limit_error": _RATE_LIMIT,
    "rate_limit_exceeded": _RATE_LIMIT,
    "request_too_large": _REJECTED,
    "resource_exhausted": _RATE_LIMIT,
    "server_error": _SERVER,
    "timeout_error": _UNAVAILABLE,
    "unauthenticated": _AUTHENTICATION,
    "unavailable": _UNAVAILABLE,
    "unsupported_image_media_type": _REJECTED,
    "vector_store_timeout": _UNAVAILABLE,
}

_STATUS = re.compile("[45][0-9][0-9]")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?")

# A code that says more than the status it came with.
_SHARPER = (_QUOTA, _TOO_LONG)

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


def http_error(status: int, document: Any, model_name: str, hint: str = "") -> ModelHTTPError:
    """Return the error for an HTTP status and its body.

    Args:
        status: The status.
        document: The body, as JSON or as text.
        model_name: The model that was asked.
        hint: What to do about it, beside what is said of every such error.
    """
    by_code = _category_of_code(document)
    if by_code is not None and by_code in _SHARPER and 400 <= status < 500:
        error = by_code.error
    elif status in _BY_STATUS:
        error = _BY_STATUS[status].error
    else:
        error = ModelServerError if 500 <= status < 600 else ModelHTTPError
    hints = [each for each in (_HINTS.get(error), hint) if each]
    return error(status, model_name, document, hint="; ".join(hints) or None)


def in_stream_error(document: Any, model_name: str) -> ModelHTTPError:
    """Return the error for an error document inside a stream.

    It has the status that it names, else that of its category: 500 where nothing tells.
    """
    category = _category_of_code(document) or _SERVER
    failure = http_error(_status_of(document) or category.status, document, model_name)
    failure.in_stream = True
    return failure


def _inner(document: Any) -> Any:
    inner = document.get("error") if isinstance(document, dict) else None
    return inner if isinstance(inner, dict) else document


def _category_of_code(document: Any) -> _Category | None:
    inner = _inner(document)
    if not isinstance(inner, dict):
        return None
    codes = (inner.get(key) for key in ("code", "type", "status"))
    found = (_BY_CODE.get(code.lower()) for code in codes if isinstance(code, str))
    return next((category for category in found if category), None)


def _status_of(document: Any) -> int | None:
    inner = _inner(document)
    code = inner.get("code") if isinstance(inner, dict) else None
    # Azure writes the number as a string.
    return int(code) if _STATUS.fullmatch(str(code)) else None  # type: ignore[arg-type]


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
