"""Which error a status, a code or a document in a stream is, and how long it asks to wait."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct_anyio import exceptions as e
from direct_anyio._core.failures import (
    document_of,
    http_error,
    in_stream_error,
    retry_after,
    tells_error,
)

STATUSES: dict[int, type[e.ModelHTTPError]] = {
    302: e.ModelHTTPError,
    400: e.ModelRequestRejectedError,
    401: e.ModelAuthenticationError,
    402: e.ModelQuotaExceededError,
    403: e.ModelAuthenticationError,
    404: e.ModelNotFoundError,
    408: e.ModelHTTPError,
    409: e.ModelHTTPError,
    413: e.ModelRequestRejectedError,
    418: e.ModelHTTPError,
    422: e.ModelRequestRejectedError,
    425: e.ModelHTTPError,
    429: e.ModelRateLimitError,
    500: e.ModelServerError,
    502: e.ModelServerError,
    503: e.ModelUnavailableError,
    504: e.ModelServerError,
    524: e.ModelServerError,
    529: e.ModelOverloadedError,
    999: e.ModelHTTPError,
}


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_has_a_class(status: int) -> None:
    """A status alone tells the class, whatever the body is."""
    for body in (None, "text", ["x"], {"error": "boom"}, {"error": {"code": "unheard_of"}}):
        error = http_error(status, body, "m")
        assert type(error) is STATUSES[status]
        assert (error.status_code, error.model_name, error.in_stream) == (status, "m", False)


@pytest.mark.parametrize("status", [status for status in STATUSES if 400 <= status < 600])
@pytest.mark.parametrize("form", [int, str])
def test_a_status_in_a_stream_has_the_same_class(status: int, form: type) -> None:
    """A program catches one class for a status, before a stream or in it."""
    error = in_stream_error({"error": {"code": form(status), "message": "no"}}, "m")
    assert type(error) is STATUSES[status]
    assert (error.status_code, error.in_stream) == (status, True)


# Status of the answer and its document, to the class.
SHARPER: list[tuple[int, dict[str, Any], type[e.ModelHTTPError]]] = [
    (429, {"error": {"code": "insufficient_quota"}}, e.ModelQuotaExceededError),
    (429, {"error": {"type": "enforced_spend_limit_reached"}}, e.ModelQuotaExceededError),
    (400, {"error": {"type": "billing_error"}}, e.ModelQuotaExceededError),
    (400, {"error": {"code": "context_length_exceeded"}}, e.ModelContextWindowExceededError),
    (400, {"error": {"type": "exceed_context_size_error"}}, e.ModelContextWindowExceededError),
    (429, {"error": {"type": "invalid_request_error"}}, e.ModelRateLimitError),
    (503, {"error": {"code": "insufficient_quota"}}, e.ModelUnavailableError),
]


@pytest.mark.parametrize(("status", "document", "cls"), SHARPER, ids=range(len(SHARPER)))
def test_a_code_may_say_more_than_its_status(
    status: int, document: dict[str, Any], cls: type[e.ModelHTTPError]
) -> None:
    """An empty account and an overlong history are told by their codes; others by the status."""
    assert type(http_error(status, document, "m")) is cls


# Documents of a stream, to class and status.
IN_STREAM: list[tuple[Any, type[e.ModelHTTPError], int]] = [
    ({"error": "boom"}, e.ModelServerError, 500),
    ({"error": {}}, e.ModelServerError, 500),
    ({"error": {"message": "boom"}}, e.ModelServerError, 500),
    ({"message": "boom"}, e.ModelServerError, 500),
    ({"error": {"type": "server_error", "code": None}}, e.ModelServerError, 500),
    ({"error": {"code": "rate_limit_exceeded"}}, e.ModelRateLimitError, 429),
    ({"error": {"code": "insufficient_quota"}}, e.ModelQuotaExceededError, 402),
    ({"error": {"code": 429, "type": "insufficient_quota"}}, e.ModelQuotaExceededError, 429),
    ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, e.ModelRateLimitError, 429),
    ({"error": {"code": 503, "status": "UNAVAILABLE"}}, e.ModelUnavailableError, 503),
    ({"error": {"code": 502, "message": "upstream"}}, e.ModelServerError, 502),
    ({"error": {"code": 7}}, e.ModelServerError, 500),
    ({"error": {"code": True}}, e.ModelServerError, 500),
    ({"type": "error", "error": {"type": "overloaded_error"}}, e.ModelOverloadedError, 529),
    ({"type": "error", "error": {"type": "api_error"}}, e.ModelServerError, 500),
    ({"type": "error", "code": "model_not_found"}, e.ModelNotFoundError, 404),
    ({"error": {"type": "authentication_error"}}, e.ModelAuthenticationError, 401),
    ({"error": {"code": "context_length_exceeded"}}, e.ModelContextWindowExceededError, 400),
    ([], e.ModelServerError, 500),
]


@pytest.mark.parametrize(("document", "cls", "status"), IN_STREAM, ids=range(len(IN_STREAM)))
def test_an_error_in_a_stream_is_typed(
    document: Any, cls: type[e.ModelHTTPError], status: int
) -> None:
    """An error document in a stream has the class and the status of its category."""
    error = in_stream_error(document, "m")
    assert (type(error), error.status_code, error.in_stream) == (cls, status, True)
    assert error.body == document


def google(code: int, status: str, message: str, *details: Any) -> dict[str, Any]:
    return {"error": {"code": code, "status": status, "message": message, "details": [*details]}}


def quota(id: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": id}]}


def wait(delay: Any) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


PLAN = "You exceeded your current quota, please check your plan and billing details."
LONG, QUOTA = e.ModelContextWindowExceededError, e.ModelQuotaExceededError
RATE, KEY, REJECTED = (
    e.ModelRateLimitError,
    e.ModelAuthenticationError,
    e.ModelRequestRejectedError,
)


def fault(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message} | more}


# HTTP status and document, as providers write them, to class and seconds to wait.
CLASSES: dict[str, tuple[int, Any, type[e.ModelHTTPError], float | None]] = {
    "Anthropic, too long": (
        400, fault("prompt is too long: 200251 tokens > 200000 maximum",
                  type="invalid_request_error"), LONG, None,
    ),
    "Anthropic, too long with the answer": (
        400, fault("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
        LONG, None,
    ),
    "Gemini, too long": (
        400, google(400, "INVALID_ARGUMENT", "The input token count (1048577) exceeds the maximum "
                    "number of tokens allowed (1048576)."), LONG, None,
    ),
    "Mistral, too long": (
        400, {"object": "error", "message": "Prompt contains 40000 tokens, too large",
              "type": "invalid_request_prompt_too_long", "code": "3051"}, LONG, None,
    ),
    "Mistral, its code for other arguments": (
        400, {"object": "error", "message": "Logprobs are not enabled for this model",
              "type": "invalid_request_invalid_args", "code": "3051"},
        e.ModelRequestRejectedError, None,
    ),
    "Mistral, its code for other arguments and a long prompt": (
        400, {"object": "error", "code": "3051", "type": "invalid_request_invalid_args",
              "message": "Prompt contains 40000 tokens, too large for model with 32768 maximum "
                         "context length"}, LONG, None,
    ),
    "Mistral, its code as a number": (400, {"code": 3051, "message": "too large"}, LONG, None),
    "Cohere, too long": (
        400, {"message": "too many tokens: the total number of tokens in the prompt exceeds 4096"},
        LONG, None,
    ),
    "Groq, too long": (
        400, fault("Please reduce the length of the messages or completion.",
                  type="invalid_request_error", code="context_length_exceeded"), LONG, None,
    ),
    "Groq, too long without a code": (
        413, fault("Please reduce the length of the messages or completion."), LONG, None,
    ),
    "vLLM, too long": (
        400, {"object": "error", "code": 400, "message": "This model's maximum context length is "
              "4096 tokens. However, you requested 5000 tokens"}, LONG, None,
    ),
    "a gateway's 500, too long": (500, fault("maximum context length is 4096 tokens"), LONG, None),
    "too many tokens a minute": (429, fault("Too many tokens, please wait"), RATE, None),
    "Gemini, a wrong key": (
        400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
                    {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}), KEY, None,
    ),
    "Gemini, an odd argument": (
        400, google(400, "INVALID_ARGUMENT", "Invalid value at 'contents'"), REJECTED, None,
    ),
    "Gemini, a minute's quota": (
        429, google(429, "RESOURCE_EXHAUSTED", PLAN, quota("GenerateRequestsPerMinutePerProject"),
                    wait("17.5s")), RATE, 17.5,
    ),
    "Gemini, a day's quota": (
        429, google(429, "RESOURCE_EXHAUSTED", PLAN,
                    quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), wait("17s")),
        QUOTA, 17,
    ),
    "Gemini, a quota that is not named": (
        429, google(429, "RESOURCE_EXHAUSTED", PLAN, wait("0.5s")), RATE, 0.5,
    ),
    "Gemini, a list of one": (
        429, [google(429, "RESOURCE_EXHAUSTED", PLAN, wait("3s"))], RATE, 3,
    ),
    "Gemini, odd waits": (
        429, google(429, "RESOURCE_EXHAUSTED", PLAN, wait("soon"), wait(None), wait("9" * 400),
                    wait("-3s")), RATE, None,
    ),
    "Gemini, no billing": (
        400, google(400, "FAILED_PRECONDITION", "User location is not supported without a billing "
                    "account linked."), QUOTA, None,
    ),
    "Gemini, billing to be enabled": (
        400, google(400, "FAILED_PRECONDITION", "Gemini API free tier is not available in your "
                    "country. Please enable billing on your project in Google AI Studio."),
        QUOTA, None,
    ),
    "Anthropic, no credit": (
        400, fault("Your credit balance is too low to access the Anthropic API.",
                  type="invalid_request_error"), QUOTA, None,
    ),
    "OpenAI, the organization's limit": (
        429, fault("no", code="organization_spend_limit_exceeded"), QUOTA, None,
    ),
    "OpenAI, the balance": (429, fault("no", code="credit_balance_exhausted"), QUOTA, None),
    "Moonshot": (429, fault("no", type="exceeded_current_quota_error"), QUOTA, None),
    "Z.ai": (429, fault("no", code="1113"), QUOTA, None),
    "Z.ai, its code as a number": (429, fault("no", code=1113), QUOTA, None),
    **{
        f"too long, {number}": (400, fault(message), LONG, None)
        for number, message in enumerate((
            "The decoder prompt (length 9) is longer than the maximum model length of 4096.",
            "Your request exceeded model token limit: 8192",
            "Prompt exceeds max length",
            "Range of input length should be [1, 30720]",
            "Input validation error: `inputs` must have less than 4095 tokens. Given: 5000",
            "`inputs` tokens + `max_new_tokens` must be <= 4096",
            "Input length (5000 tokens) exceeds the maximum allowed length (4096 tokens).",
            "the input token count is 1250000 but model only supports up to 1048576",
            "The model is loaded with context length of only 4096 tokens",
        ))
    },
    "GitHub, too long": (413, fault("no", code="tokens_limit_reached"), LONG, None),
    "Bedrock, too many tokens a minute": (
        429, {"__type": "ThrottlingException", "message": "Too many tokens, please wait before "
              "trying again."}, RATE, None,
    ),
    **{
        f"no credit, {number}": (status, fault(message), QUOTA, None)
        for number, (status, message) in enumerate((
            (400, "You have reached your specified workspace API usage limits."),
            (429, "Your prepayment credits are depleted."),
            (429, "Your project has exceeded its monthly spending cap."),
            (429, "Billing hard limit has been reached"),
            (403, "Your team doesn't have any credits yet"),
            (429, "You have exceeded your monthly included credits for Inference Providers"),
            (429, "Rate limit reached on requests per day (RPD): Limit 1000, Used 1000."),
            (429, "Too many tokens per day, please wait"),
        ))
    },
    "billing is off": (
        403, google(403, "PERMISSION_DENIED", "no", {"reason": "BILLING_DISABLED"}), QUOTA, None,
    ),
    "Gemini, a wrong key without details": (
        400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
        KEY, None,
    ),
    "new-api, no credit": (403, fault("no", code="insufficient_user_quota"), QUOTA, None),
    **{
        f"rejected, {number}": (400, fault(message), REJECTED, None)
        for number, message in enumerate((
            "Invalid 'tools[0].function.name': expected a string with maximum length 64.",
            "max_tokens (9000) must be <= 8192",
            "Invalid schema for function 'credit balance': no",
            "tool_context: number of tools exceeds 128",
            "Authentication error while communicating with the MCP server",
        ))
    },
    "a deadline of Go's": (
        500, fault("context deadline exceeded", type="server_error"), e.ModelServerError, None,
    ),
    "billing that fails": (
        500, fault("billing is temporarily unavailable"), e.ModelServerError, None,
    ),
    "a day's limit that is over soon": (
        429, fault("Rate limit reached on tokens per day (TPD). Please try again in 17.28s.",
                  code="rate_limit_exceeded"), RATE, 17.28,
    ),
    "a day's limit that is not over soon": (
        429, fault("Rate limit reached on tokens per day (TPD). Please try again in 14m11.04s.",
                  code="rate_limit_exceeded"), QUOTA, 851.04,
    ),
    **{
        f"a long period, {number}": (429, fault(message), QUOTA, None)
        for number, message in enumerate((
            "Number of request tokens has exceeded your daily rate limit",
            "You have exceeded the daily token limit. Try again tomorrow",
            "Weekly usage limit reached",
            "Rate limit exceeded: free-models-per-day",
        ))
    },
    "a wait that is available": (
        429, {"detail": "Request was throttled. Expected available in 13 seconds."}, RATE, 13,
    ),
    "a wait until a reset": (429, fault("limit reached, resets in 42 seconds"), RATE, 42),
    "a wait as a header's": (429, fault("Too many requests. Retry-After: 12"), RATE, 12),
    "a wait in two words": (429, fault("wait 1 minute and 30 seconds"), RATE, 90),
    "no wait at all": (429, fault("available in 3 regions; reset after noon"), RATE, None),
    "a wait in a member": (429, fault("no", retryAfter=4), RATE, 4),
    "OpenRouter, a wait in headers": (
        429, fault("no", metadata={"headers": {"Retry-After": "9"}}), RATE, 9,
    ),
    "a wait of a minute and more": (429, fault("Retry after 1 minute 20 secs."), RATE, 80),
    "a wait in hours": (429, fault("Please try again in 1h2m3s"), RATE, 3723),
    "a wait in words": (429, fault("Rate limit reached. Please try again in 1.5s."), RATE, 1.5),
    "a wait in minutes": (429, fault("Rate limit. Try again in 1m26.4s"), RATE, 86.4),
    "a wait in milliseconds": (429, fault("Rate limit. Please try again in 350ms."), RATE, 0.35),
    "a wait of Azure's": (429, fault("Too many. Please retry after 14 seconds."), RATE, 14),
    "a wait as Google's own object": (
        429, google(429, "RESOURCE_EXHAUSTED", "no", wait({"seconds": 17, "nanos": 5})), RATE, 17,
    ),
    "a wait in the document": (429, fault("no", retry_after=7), RATE, 7),
    # A pattern that tries every split of the digits never ends.
    "many digits that are none": (429, fault("no", retry_after="1" * 4000 + "x"), RATE, None),
    "many numbers that are none": (429, fault("no", retry_after="1 " * 2000 + "x"), RATE, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_what_providers_write_has_a_class(name: str) -> None:
    """The class and the wait are the same for an HTTP status and inside a stream."""
    status, document, cls, seconds = CLASSES[name]
    error = http_error(status, document, "m")
    assert (type(error), error.status_code, error.retry_after) == (cls, status, seconds)
    if isinstance(document, dict) and document.get("error"):
        named = {**document, "error": {"status_code": status} | document["error"]}
        inside = in_stream_error(named, "m")
        assert (type(inside), inside.retry_after) == (cls, seconds)


@pytest.mark.parametrize(
    "document",
    [
        {"choices": []},
        {"choices": [], "usage": {"prompt_tokens": 1}, "error": None},
        {"type": "message_start", "message": {"id": "m"}},
        {"type": "ping", "message": "still there"},
        {"candidates": [], "error": {}},
        {"id": "c", "choices": [{"delta": {}}], "base_resp": {"status_code": 0}},
        {"model": "m", "created": 1},
        {"code": 200, "msg": "ok"},
        {"choices": [], "error": {"message": "", "type": "", "code": None}},
        {"choices": [], "error": {"code": 200, "message": "OK"}},
        {"status": "success", "message": "stream complete"},
        {"type": "status", "message": "Loading model"},
        {"object": "chat.completion.chunk", "choices": [], "message": "queued"},
        {"type": "tool_event", "status": "429"},
        {"code": 0, "message": "success", "choices": []},
        {},
    ],
)
def test_what_is_no_error(document: dict[str, Any]) -> None:
    """An empty member `error`, and a message of another kind, tell no error."""
    assert not tells_error(document)
    assert not tells_error(document, events={"message_start"})


def test_an_error_may_hint_at_the_way_out() -> None:
    """Where it is known what to do, the message says it."""
    assert str(http_error(401, None, "m")).endswith(
        "(check the key, and that it may use this model)"
    )
    assert http_error(500, None, "m").hint is None


BODIES: list[tuple[bytes, Any]] = [
    (b'{"error": 1}', {"error": 1}),
    (b"<html>\xff", "<html>\ufffd"),
    (b"", ""),
    (b"[" * 1000 + b"]" * 1000, "[" * 1000 + "]" * 1000),
]


@pytest.mark.parametrize(("body", "document"), BODIES, ids=["json", "text", "empty", "deep"])
def test_an_error_body_is_read(body: bytes, document: Any) -> None:
    """An error body is JSON where it is, else text; neither can make the error fail."""
    assert document_of(body) == document
    assert str(http_error(502, document_of(body), "m"))


DATE = "Thu, 22 Jan 2026 12:00:00 GMT"
WAITS: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"retry-after": "1"}, 1.0),
    ({"retry-after": " 2 "}, 2.0),
    ({"retry-after": "0.5"}, 0.5),
    ({"retry-after": "3600"}, 3600.0),
    ({"retry-after": "1" + "0" * 400}, math.inf),
    ({"retry-after-ms": "300"}, 0.3),
    ({"retry-after-ms": "300", "retry-after": "5"}, 0.3),
    ({"retry-after-ms": "soon", "retry-after": "5"}, 5.0),
    *(
        ({"retry-after": value}, None)
        for value in ("", "0", "0.0", "-5", "+5", "nan", "inf", "-inf", "1e3", "1_000", "soon", "٣")
    ),
    ({"retry-after": "Thu, 22 Jan 2026 12:00:02 GMT", "date": DATE}, 2.0),
    ({"retry-after": "Thursday, 22-Jan-26 12:00:02 GMT", "date": DATE}, 2.0),
    ({"retry-after": "Thu Jan 22 12:00:02 2026", "date": DATE}, 2.0),
    ({"retry-after": "Thu, 22 Jan 2026 12:00:02 GMT", "date": "Thu Jan 22 12:00:00 2026"}, 2.0),
    ({"retry-after": "Thu, 22 Jan 2026 11:59:00 GMT", "date": DATE}, None),
    ({"retry-after": DATE, "date": DATE}, None),
    ({"retry-after": DATE, "date": "today"}, None),
    ({"retry-after": DATE}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), WAITS, ids=[str(h)[:60] for h, _ in WAITS])
def test_the_wait_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds, seconds and the three HTTP dates are read; what asks for no time is none."""
    assert retry_after(headers) == seconds


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), st.text()))
def test_no_header_can_make_the_wait_fail(headers: dict[str, str]) -> None:
    """Any header gives a time above 0 or none."""
    seconds = retry_after(headers)
    assert seconds is None or seconds > 0


def test_a_date_is_taken_relative_to_our_clock_where_the_response_tells_none() -> None:
    """Without a `Date` header the caller's time counts."""
    headers = {"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}
    assert retry_after(headers, datetime(2026, 10, 21, 7, 28, tzinfo=UTC)) == 30
    assert retry_after(headers) is None
