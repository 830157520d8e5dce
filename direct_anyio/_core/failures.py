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
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from .._json import loads
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
from .codec import index_of, maybe

__all__ = (
    "document_of",
    "http_error",
    "in_stream_error",
    "is_error",
    "retry_after",
    "tells_error",
)


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

# What providers write in the members `_CODES` of an error document, as `_canonical` has it.
_BY_CODE = {
    "1113": _QUOTA,  # Z.ai
    "1261": _TOO_LONG,  # Z.ai
    "3051": _TOO_LONG,  # Mistral
    "api": _SERVER,
    "apikeyinvalid": _AUTHENTICATION,
    "arrearage": _QUOTA,
    "authentication": _AUTHENTICATION,
    "badrequest": _REJECTED,
    "billing": _QUOTA,
    "billingdisabled": _QUOTA,
    "billinghardlimitreached": _QUOTA,
    "contextlengthexceeded": _TOO_LONG,
    "creditbalanceexhausted": _QUOTA,
    "deadlineexceeded": _UNAVAILABLE,
    "deploymentnotfound": _NOT_FOUND,
    "enforcedspendlimitreached": _QUOTA,
    "exceedcontextsize": _TOO_LONG,
    "exceededcurrentquota": _QUOTA,
    "expiredtokenexception": _AUTHENTICATION,
    "failedtodownloadimage": _REJECTED,
    "forbidden": _FORBIDDEN,
    "imagecontentpolicyviolation": _REJECTED,
    "insufficientbalance": _QUOTA,
    "insufficientquota": _QUOTA,
    "insufficientuserquota": _QUOTA,
    "internal": _SERVER,
    "internalserver": _SERVER,
    "invalidapikey": _AUTHENTICATION,
    "invalidargument": _REJECTED,
    "invalidauthentication": _AUTHENTICATION,
    "invalidimage": _REJECTED,
    "invalidimageurl": _REJECTED,
    "invalidprompt": _REJECTED,
    "invalidrequest": _REJECTED,
    "invalidrequestinvalidargs": _REJECTED,  # Mistral
    "invalidtoken": _AUTHENTICATION,
    "modelmaxprompttokensexceeded": _TOO_LONG,
    "modelnotfound": _NOT_FOUND,
    "notfound": _NOT_FOUND,
    "organizationspendlimitexceeded": _QUOTA,
    "overloaded": _OVERLOADED,
    "permission": _FORBIDDEN,
    "permissiondenied": _FORBIDDEN,
    "ratelimit": _RATE_LIMIT,
    "ratelimited": _RATE_LIMIT,
    "ratelimitexceeded": _RATE_LIMIT,
    "requesttoolarge": _REJECTED,
    "resourceexhausted": _RATE_LIMIT,
    "resourcenotfound": _NOT_FOUND,
    "server": _SERVER,
    "serveroverloaded": _OVERLOADED,
    "serviceunavailable": _UNAVAILABLE,
    "throttlingexception": _RATE_LIMIT,
    "timeout": _UNAVAILABLE,
    "tokenslimitreached": _TOO_LONG,
    "toomanyrequests": _RATE_LIMIT,
    "unauthenticated": _AUTHENTICATION,
    "unauthorized": _AUTHENTICATION,
    "unavailable": _UNAVAILABLE,
    "unsupportedimagemediatype": _REJECTED,
    "validation": _REJECTED,
    "validationexception": _REJECTED,
    "vectorstoretimeout": _UNAVAILABLE,
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

# Patterns in messages, in lower case; the first category that fits counts.
_MESSAGE_PATTERNS: dict[_Category, tuple[str, ...]] = {
    _QUOTA: (
        "credit balance is",
        "spend(ing)? (limit|cap)",
        "insufficient (account |user )?(balance|credit|fund|quota)",
        "(no|any|out of|not enough|add more|purchase|included) (more )?credits?",
        "credits? (are|is|have been|has been) (depleted|exhausted|used)",
        "payment required",
        "(enable|without|check your) billing",
        "billing (account|is|has|not|to be|hard limit)",
        "api usage limits?",
        "(daily|weekly|monthly) ([a-z]+ ){0,2}(limit|quota|cap)",
        "(requests?|tokens?|models?)[ -]per[ -]day",
    ),
    _TOO_LONG: (
        "prompt is too long",
        "input is too long",
        "too many (input )?tokens(?!.{0,20}wait)",
        "maximum (context|prompt|model|sequence) length",
        "(prompt|input).{0,40}max(imum)? (allowed |input )?length",
        "input token count.*(exceed|only supports)",
        "reduce the length of the (messages|prompt|input)",
        "(exceed|larger than|longer than|beyond|fit).{0,40}context",
        "context (window|length|size|limit)",
        "model token limit",
        "range of input length",
        r"\binputs?\b.{0,60}(less than|<=?) [0-9]+",
    ),
    _RATE_LIMIT: ("rate.?limit", "too many (requests|tokens)", "resource.?exhausted", "slow down"),
    _OVERLOADED: ("overloaded", "(at|no|over) capacity"),
    _AUTHENTICATION: (
        "(invalid|incorrect|missing|wrong|expired|no).{0,10}api.?(key|token)",
        "api.?(key|token).{0,20}(invalid|not|expired)",
        "(security|access|bearer) token.{0,40}(invalid|expired)",
        "unauthori[sz]ed",
        "unauthenticated",
        "not (authenticated|authori[sz]ed)",
        "authentication",
    ),
    _FORBIDDEN: ("forbidden",),
    _UNAVAILABLE: ("(temporarily|service) unavailable", "time.?out", "timed out"),
    _NOT_FOUND: ("(model|deployment).{0,60}(not found|not exist)", "^not found"),
}
_BY_MESSAGE = {
    category: re.compile("|".join(words)) for category, words in _MESSAGE_PATTERNS.items()
}

_STATUS = re.compile(r"([45][0-9][0-9])(\.0)?")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?")

# A wait such as "17.5s", "1m30s" or "5 minutes", and the words before one. What a piece took
# is not given back: digits that end in something else must not be tried in every split.
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PIECE = r"([0-9]+(?:\.[0-9]*)?)\s*(milliseconds?|ms|hours?|h|minutes?|mins?|m|seconds?|secs?|s)?"
_WAIT = re.compile(rf"(?>{_PIECE}\s*(?:and\s+)?)++")
_PIECES = re.compile(_PIECE)
_WAIT_PHRASE = re.compile(
    "(?:(?:try again|retry|wait)[ -](?:in|after|for)?:? ?"
    "|(?:available|resets?) (?:in|after) (?=[0-9.]+ ?(?:ms|milli|sec|min|hour|s|m|h)))"
    f"({_WAIT.pattern})"
)

# Categories that count before the status, by the statuses that they may come with: too many
# tokens at 429 are a rate limit.
_OVERRIDES_STATUS = {
    _QUOTA: (400, 402, 403, 429),
    _TOO_LONG: (400, 413, 422, 500),
    _AUTHENTICATION: (400,),
}

# Categories that a message can refine; a server's own failure stays one.
_REFINED_BY_MESSAGE = {_REJECTED, _AUTHENTICATION, _FORBIDDEN, _RATE_LIMIT}

_CODES = (
    "code",
    "type",
    "__type",
    "status",
    "status_code",
    "statusCode",
    "http_status",
    "error_type",
    "error_code",
    "reason",
)
_MESSAGES = (
    "message",
    "Message",
    "msg",
    "detail",
    "error",
    "errors",
    "error_msg",
    "error_message",
    "errorMessage",
    "status_msg",
)
_HOLDERS = ("error", "errors", "detail", "message", "x_groq", "base_resp")
"""Members that may hold another object which tells of the error."""

_WAITS = ("retry_after", "retryAfter", "retry-after", "Retry-After")
"""Members that hold a wait in seconds, or with a unit."""

_SUCCESS_CODES = ("0", "200", "ok", "success")
"""Codes of success that some servers write behind an answer."""

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

_MAX_PASSING_WAIT = 60.0
"""Seconds of a wait up to which a limit of a day is a rate limit."""

_MAX_MESSAGES = 8

_MAX_SEARCHED = 4096
"""Characters of a message that are searched."""

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
    document: Mapping[str, Any], event: str = "message", events: Collection[str] = ()
) -> bool:
    """Return whether a document that came with status 200 is an error, whatever form it has.

    Args:
        document: A frame of a stream, or a body.
        event: The name of the frame's event.
        events: The names of the protocol's own events, which it writes in `type`, too.
    """
    if event == "error" or ("error" in document and is_error(document["error"])):
        return True
    if "base_resp" in document and _base_resp(document):
        return True
    if "x_groq" in document and _get(document["x_groq"], "error"):
        return True
    if document.get("choices"):
        return False
    error_type, others = document.get("type"), (name for name in _MESSAGES if name != "error")
    words = any(_text_of(document.get(name)) for name in others)
    if document.get("object") == "error" or "error" in (error_type, document.get("status")):
        return True
    if _status_of(document) is not None and (words or not isinstance(error_type, str)):
        return True
    if isinstance(error_type, str) and _by_code(error_type) is not None:
        return words
    if any(document.get(name) for name in _ANSWERS):
        return False
    if document.get("success") is False:
        return True
    # A message and nothing else; not one of a notice, or behind an answer that succeeded.
    is_notice = isinstance(error_type, str) and (bool(events) or "error" not in error_type.lower())
    is_other = event not in ("message", "", *events)
    is_chunk = str(document.get("object")).startswith("chat.")
    codes = [str(document.get(name)).lower() for name in ("code", "status", "status_code")]
    is_success = document.get("success") is True or any(code in _SUCCESS_CODES for code in codes)
    return words and not (is_notice or is_other or is_chunk or is_success)


def is_error(value: Any) -> bool:
    """Return whether a member `error` tells of one: some servers write an empty one always."""
    if isinstance(value, dict):
        return any(is_error(each) for each in value.values())
    return bool(value) and str(value).lower() not in (*_SUCCESS_CODES, "null", "none")


def http_error(status: int, document: Any, model_name: str, hint: str = "") -> ModelHTTPError:
    """Return the error for an HTTP status and its body.

    Args:
        status: The status.
        document: The body, as JSON or as text.
        model_name: The model that was asked.
        hint: What to do about it, beside the hint of every such error.
    """
    category = _category_of(document, status)
    if category is not None and status in _OVERRIDES_STATUS.get(category, ()):
        error_class = category.error
    elif status in _BY_STATUS:
        error_class = _BY_STATUS[status].error
    else:
        error_class = ModelServerError if 500 <= status < 600 else ModelHTTPError
    hints = [each for each in (_HINTS.get(error_class), hint) if each]
    error = error_class(status, model_name, document, hint="; ".join(hints) or None)
    error.retry_after = _retry_after_of(document)
    return error


def in_stream_error(document: Any, model_name: str) -> ModelHTTPError:
    """Return the error for an error document of status 200: a frame of a stream, or a body.

    It has the status that it names, else that of its category, else 500.
    """
    category = _category_of(document, None) or _SERVER
    status = next(filter(None, map(_status_of, _levels(document))), category.status)
    error = http_error(status, document, model_name)
    error.in_stream = True
    return error


def _levels(document: Any, depth: int = 4) -> Iterator[Mapping[str, Any]]:
    """Yield the objects that tell of an error, the innermost first."""
    if isinstance(document, list):
        document = next((each for each in document if isinstance(each, (dict, str))), None)
    if isinstance(document, str) and document[:1] == "{":  # an error inside of an error's text
        document = maybe(lambda text: loads(text.encode()), document)
    if type(document) is int:
        document = {"code": document}
    if not isinstance(document, dict) or depth == 0:
        return
    choices = document.get("choices")
    for choice in choices[:8] if isinstance(choices, list) else ():
        error = _get(choice, "error")
        yield from _levels({"message": error} if isinstance(error, str) else error, depth - 1)
    for name in _HOLDERS:
        yield from _levels(document.get(name), depth - 1)
    yield document


def _category_of(document: Any, status: int | None) -> _Category | None:
    """Return what an error is by its codes, and then by its message; None for neither.

    That nothing is left to spend, or that the request is too long, counts before all else.

    Args:
        document: The error.
        status: The HTTP status that it came with, None inside a stream.
    """
    found: list[_Category] = []
    for level in _levels(document):
        # Google's `details` have a reason, or the quota that is used up.
        details = level.get("details")
        for detail in details if isinstance(details, list) else ():
            category = _by_code(_get(detail, "reason"))
            violations = _get(detail, "violations")
            for violation in violations if isinstance(violations, list) else ():
                if "PerDay" in str(_get(violation, "quotaId")):
                    category = _QUOTA
            found += [category] if category else []
        # Mistral gives the code of a long prompt to other arguments, too.
        is_other = level.get("type") == "invalid_request_invalid_args"
        names = ("type",) if is_other else _CODES
        found += [category for name in names if (category := _by_code(level.get(name)))]
        named = _status_of(level)
        found += [_BY_STATUS[named]] if named in _BY_STATUS else []
    base = _BY_BASE_RESP.get(_base_resp(document)) if isinstance(document, dict) else None
    found += [base] if base else []
    by_status = {_BY_STATUS[status]} if status in _BY_STATUS else set()
    by_message = _category_of_words(document, {*found} | by_status)
    if by_message is not None:
        found = [by_message, *found]
    first = (each for each in found if each in (_QUOTA, _TOO_LONG))
    return next(first, found[0] if found else None)


def _category_of_words(document: Any, known: set[_Category]) -> _Category | None:
    """Return what an error's words add to what is known of it by its codes, None for nothing."""
    messages = _messages_of(document)
    fitting = (
        category
        for category, words in _BY_MESSAGE.items()
        if any(words.search(message) for message in messages)
    )
    category = next(fitting, None)
    if not known or category is None:
        return category
    if category is _QUOTA:
        # A limit that ends within a minute is a rate limit; a quota of a day is not.
        is_passing = _RATE_LIMIT in known and (_wait_in(messages) or math.inf) <= _MAX_PASSING_WAIT
        return category if known <= _REFINED_BY_MESSAGE and not is_passing else None
    if category is _TOO_LONG:
        return None if _RATE_LIMIT in known else category
    is_key = category is _AUTHENTICATION and known <= {_REJECTED}
    return category if is_key and any("api" in message for message in messages) else None


def _by_code(code: Any) -> _Category | None:
    return _BY_CODE.get(_canonical(str(code))) if isinstance(code, (str, int)) else None


def _canonical(code: str) -> str:
    """Return a code in lower case without what its spellings differ in: `RateLimitError`."""
    return re.sub("[^a-z0-9]", "", code[:100].lower()).removesuffix("error")


def _messages_of(document: Any) -> list[str]:
    """Return the messages of an error, each once and in lower case."""
    if isinstance(document, str):
        texts: Iterable[str] = [document]
    else:
        levels = _levels(document)
        texts = (_text_of(level.get(name)) for level in levels for name in _MESSAGES)
    known = list(islice(filter(None, dict.fromkeys(texts)), _MAX_MESSAGES))
    return [text[:_MAX_SEARCHED].lower() for text in known]


def _text_of(value: Any) -> str:
    """Return a message: a text, or the one in an object, or in the first of several."""
    for _ in range(4):
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict):
            texts = (value.get(name) for name in ("message", "msg", "error"))
            value = next(filter(None, texts), None)
    return value if isinstance(value, str) else ""


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _base_resp(document: Mapping[str, Any]) -> int:
    """Return MiniMax's status: 0 for success, and where there is none."""
    return index_of(_get(document.get("base_resp"), "status_code")) or 0


def _status_of(level: Mapping[str, Any]) -> int | None:
    """Return the HTTP status that an error names, as a number or a text."""
    matches = (_STATUS.fullmatch(str(level.get(name))) for name in _CODES)
    return next((int(match[1]) for match in matches if match), None)


def _retry_after_of(document: Any) -> float | None:
    """Return the seconds that an error document asks to wait, None where it does not say.

    Google gives them in a `RetryInfo`, such as "17.5s"; others in words.
    """
    for level in _levels(document):
        details = level.get("details")
        delays = [_get(each, "retryDelay") for each in details] if isinstance(details, list) else []
        # OpenRouter passes the headers of its provider on.
        passed = _get(level.get("metadata"), "headers")
        waits = (_get(each, name) for each in (level, passed) for name in _WAITS)
        for delay in (*delays, *waits):
            text = str(_get(delay, "seconds") if isinstance(delay, dict) else delay)[:_MAX_SEARCHED]
            wait = _wait_of(text) if _WAIT.fullmatch(text) else None
            if wait is not None:
                return wait
    return _wait_in(_messages_of(document))


def _wait_in(messages: Iterable[str]) -> float | None:
    matches = (_WAIT_PHRASE.search(message) for message in messages)
    return next((_wait_of(match[1]) for match in matches if match), None)


def _wait_of(text: str) -> float | None:
    """Return the seconds that a text such as "17.5s", "350ms" or "1m30s" stands for."""
    seconds = 0.0
    for number, unit in _PIECES.findall(text):
        short = "ms" if unit[:5] in ("ms", "milli") else unit[:1]
        seconds += float(number) * _UNITS.get(short, 1.0)
    return round(seconds, 6) if 0 < seconds < math.inf else None


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
