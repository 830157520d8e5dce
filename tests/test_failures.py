"""Which error a status, a code or a document in a stream is, and how long it asks to wait."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct_anyio import exceptions as e
from direct_anyio._core.failures import document_of, http_error, in_stream_error, retry_after

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
