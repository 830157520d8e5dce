"""Retries: what is repeated, how often, how soon, and what never is."""

from __future__ import annotations

import math
from typing import Any

import anyio
import pytest

from direct_anyio import (
    Model,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequest,
    ModelRequestRejectedError,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
    StreamInterrupted,
    UnexpectedModelBehavior,
    UserError,
    infer_model,
    model_request,
    model_request_stream,
)
from direct_anyio._io.retry import (
    MAX_BUDGETS,
    Budget,
    _budgets,
    budget_of,
    delay_before,
    retry_reason,
)
from direct_anyio.models.http import HTTPModel

from .serving import Connection, Handler, answering, delta, frame, reply, serving

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]


pytestmark = pytest.mark.usefixtures("no_backoff")


def _model(url: str, name: str = "openai:x") -> HTTPModel:
    model = infer_model(name, api_key="k", base_url=url)
    assert isinstance(model, HTTPModel)
    return model


def _with(error: ModelAPIError, **attributes: Any) -> ModelAPIError:
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


KINDS: dict[str, tuple[ModelAPIError, str | None]] = {
    "429": (ModelRateLimitError(429, "m"), "throttle"),
    "quota": (ModelQuotaExceededError(429, "m"), None),
    "too long": (ModelContextWindowExceededError(500, "m"), None),
    "529": (ModelOverloadedError(529, "m"), "throttle"),
    "503": (ModelUnavailableError(503, "m"), "transient"),
    "503 with Retry-After": (_with(ModelUnavailableError(503, "m"), retry_after=1), "throttle"),
    **{
        str(status): (ModelServerError(status, "m"), "transient")
        for status in (408, 409, 425, 500, 502, 504, 520, 524)
    },
    **{
        str(status): (ModelHTTPError(status, "m"), None)
        for status in (301, 400, 401, 403, 404, 413, 422, 501, 505, 600, 999)
    },
    "refused": (_with(ModelConnectionError("m", "refused"), phase="connect"), "transient"),
    "certificate": (
        _with(ModelConnectionError("m", "certificate verify failed"), phase="connect"),
        None,
    ),
    "unknown name": (
        _with(ModelConnectionError("m", "Name or service not known"), phase="connect"),
        None,
    ),
    "reset before the head": (_with(ModelConnectionError("m", "r"), phase="headers"), "transient"),
    "cut in the body": (_with(StreamInterrupted("m", "cut"), phase="body"), None),
    "nonsense": (UnexpectedModelBehavior("what?"), None),
    "connect timeout": (_with(ModelTimeoutError("m", "t"), limit="connect"), "transient"),
    "headers timeout": (_with(ModelTimeoutError("m", "t"), limit="headers"), None),
    "pool timeout": (_with(ModelTimeoutError("m", "t"), limit="pool"), None),
}


@pytest.mark.parametrize("case", KINDS)
def test_what_is_retried(case: str) -> None:
    """Each error is retried as its row says."""
    error, kind = KINDS[case]
    assert retry_reason(error, ambiguous=False) == kind


def test_an_ambiguous_timeout_is_retried_only_on_request() -> None:
    """What may have been accepted is repeated where the user says so."""
    error = _with(ModelTimeoutError("m", "t"), limit="headers")
    assert retry_reason(error, ambiguous=True) == "transient"


def test_the_delay_grows_and_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backoff doubles up to eight seconds, with full jitter."""
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    delays = [delay_before(attempt, "transient", None) for attempt in range(1, 8)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert delay_before(1, "throttle", None) == 1.0


def test_retry_after_is_obeyed_or_refused() -> None:
    """A provider's delay is never cut short; one over a minute is not waited for."""
    assert delay_before(1, "throttle", 3.0) == 3.0
    assert delay_before(1, "throttle", 60.5) is None


def test_the_budget_runs_out_and_is_refilled() -> None:
    """Retries cost, successes pay back, and there is never more than the capacity."""
    budget = Budget()
    taken = [budget.take("transient") for _ in range(40)]
    assert taken.count(None) == 40 - 500 // 14
    budget.refund(14)
    assert budget.take("transient") == 14
    budget.refund(10_000)
    assert [budget.take("transient") for _ in range(36)].count(None) == 1


def test_a_budget_is_of_a_host_and_a_key() -> None:
    """Who has the same host, port and key shares it, and nobody else."""
    one = _model("http://one.test/v1").budget
    assert _model("http://one.test/v2", "anthropic:y").budget is one
    others = [
        _model("http://two.test/v1").budget,
        _model("http://one.test:81/v1").budget,
        budget_of(("one.test", hash("another key"))),
    ]
    assert len({id(each) for each in (one, *others)}) == 4


def test_budgets_are_forgotten() -> None:
    """The table does not grow with the keys of many tenants; what was taken is remembered."""
    spent = budget_of("spent")
    spent.take("transient")
    for number in range(3 * MAX_BUDGETS):
        budget_of(number)
    assert len(_budgets) <= MAX_BUDGETS
    assert budget_of("spent") is spent
    for number in range(3 * MAX_BUDGETS):
        budget_of(number).take("transient")
    assert len(_budgets) <= MAX_BUDGETS


def _tokens(budget: Budget) -> int:
    """Take all that a budget holds, and return how much that was."""
    taken = 0
    while budget.take("throttle"):
        taken += 5
    return taken


async def test_an_empty_budget_fails_fast() -> None:
    """With nothing left to pay for a retry there is none, and the error says so."""
    with serving(_first(UNAVAILABLE)) as server:
        model = _model(server.url)
        _tokens(model.budget)
        with pytest.raises(ModelUnavailableError) as caught:
            await model_request(model, MESSAGES)
        assert len(server.received) == 1
        assert caught.value.__notes__ == [
            "It was not tried again: too many requests to this host fail."
        ]
        for _ in range(5):
            await model_request(model, MESSAGES)
        assert _tokens(model.budget) == 5


REFUNDS: dict[str, tuple[tuple[Handler, ...], int]] = {
    "no failure": ((), 101),
    "a failure": ((reply({}, "500 No"),), 100),
    "a failure of the throttled kind": ((reply({}, "429 No"),), 100),
    "two failures": ((reply({}, "429 No"), reply({}, "500 No")), 95),
}


@pytest.mark.parametrize("case", REFUNDS)
async def test_an_answer_pays_back(case: str) -> None:
    """It pays 1 at the first attempt, else the price of the retry that brought it."""
    failures, left = REFUNDS[case]
    with serving(_first(*failures)) as server:
        model = _model(server.url)
        _tokens(model.budget)
        model.budget.refund(100)
        await model_request(model, MESSAGES)
        # To the token: what is left is counted in fives.
        model.budget.refund(5 - left % 5)
        assert _tokens(model.budget) == left + 5 - left % 5
        model.budget.refund(4)
        assert _tokens(model.budget) == 0


def _first(*failures: Handler) -> Handler:
    """Return a handler that fails the first requests and answers the others."""

    def answer(connection: Connection) -> None:
        number = len(connection.server.received)
        handler = failures[number - 1] if number <= len(failures) else answering("Yes.")
        handler(connection)

    return answer


def _reset(connection: Connection) -> None:
    connection.socket.close()


UNAVAILABLE = reply({"error": {"message": "later"}}, "503 Service Unavailable")


async def test_a_passing_failure_costs_a_retry() -> None:
    """Two failures and an answer are an answer, with the failures noted."""
    reported: list[Any] = []
    with serving(_first(_reset, UNAVAILABLE)) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        settings: Any = {"on_retry": reported.append}
        response = await model_request(model, MESSAGES, model_settings=settings)
    assert response.text == "Yes."
    assert response.provider_details is not None
    attempts = response.provider_details["direct_anyio"]["attempts"]
    assert [attempt.partition(":")[0] for attempt in attempts] == [
        "ModelConnectionError",
        "ModelUnavailableError",
    ]
    assert [retry.attempt for retry in reported] == [1, 2]
    keys = {request.headers["idempotency-key"] for request in server.received}
    assert len(server.received) == 3
    assert len(keys) == 1
    assert len({request.body for request in server.received}) == 1


async def test_a_lasting_failure_is_three_attempts() -> None:
    """The last error is raised, and holds the attempts before it."""
    with serving(UNAVAILABLE) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with pytest.raises(ModelUnavailableError) as caught:
            await model_request(model, MESSAGES)
        assert len(server.received) == 3
    assert len(caught.value.attempts) == 2


# The status of every answer, to the class of the error and the requests that are made.
STATUSES: dict[int, tuple[type[ModelHTTPError], int]] = {
    400: (ModelRequestRejectedError, 1),
    401: (ModelAuthenticationError, 1),
    402: (ModelQuotaExceededError, 1),
    403: (ModelAuthenticationError, 1),
    404: (ModelNotFoundError, 1),
    408: (ModelHTTPError, 3),
    409: (ModelHTTPError, 2),
    413: (ModelRequestRejectedError, 1),
    422: (ModelRequestRejectedError, 1),
    425: (ModelHTTPError, 3),
    429: (ModelRateLimitError, 3),
    500: (ModelServerError, 3),
    501: (ModelServerError, 1),
    502: (ModelServerError, 3),
    503: (ModelUnavailableError, 3),
    504: (ModelServerError, 3),
    505: (ModelServerError, 1),
    520: (ModelServerError, 3),
    529: (ModelOverloadedError, 3),
    600: (ModelHTTPError, 1),
}


@pytest.mark.parametrize("status", STATUSES)
async def test_a_status_is_worth_so_many_requests(status: int) -> None:
    """The last error says all about itself; all requests take the same connection."""
    kind, requests = STATUSES[status]
    with serving(reply({}, f"{status} No", "x-request-id: id-7")) as server:
        with pytest.raises(kind) as caught:
            await model_request(_model(server.url), MESSAGES)
        assert (len(server.received), server.connections) == (requests, 1)
    error = caught.value
    assert type(error) is kind
    assert (error.status_code, error.phase, error.request_id) == (status, "headers", "id-7")
    assert (error.model_name, error.provider) == ("x", "openai")
    assert (error.response, error.retry_after) == (None, None)
    assert error.attempts == (f"{kind.__name__}: {error}",) * (requests - 1)


async def test_retries_can_be_switched_off() -> None:
    """`max_retries=0` is one attempt."""
    with serving(UNAVAILABLE) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with pytest.raises(ModelUnavailableError):
            await model_request(model, MESSAGES, model_settings={"max_retries": 0})
        assert len(server.received) == 1


ONCE: dict[str, tuple[Handler, type[Exception]]] = {
    "no credit": (
        reply({"error": {"code": "insufficient_quota"}}, "429 Too Many Requests"),
        ModelQuotaExceededError,
    ),
    "x-should-retry: false": (
        reply({}, "503 Service Unavailable", "x-should-retry: false"),
        ModelUnavailableError,
    ),
    "x-should-retry: false of a 429": (
        reply({}, "429 Too Many Requests", "x-should-retry: false"),
        ModelRateLimitError,
    ),
    "x-should-retry: true of a 400": (
        reply({}, "400 Bad Request", "x-should-retry: true"),
        ModelHTTPError,
    ),
}


@pytest.mark.parametrize("case", ONCE)
async def test_one_attempt_is_enough(case: str) -> None:
    """What a retry would not mend is raised at once."""
    handler, kind = ONCE[case]
    with serving(handler) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with pytest.raises(kind):
            await model_request(model, MESSAGES)
        assert len(server.received) == 1


# Headers, to the seconds that they ask for.
TOO_LONG: dict[str, tuple[tuple[str, ...], float]] = {
    "an hour": (("retry-after: 3600",), 3600),
    "a second over the longest": (("retry-after: 61",), 61),
    "in milliseconds": (("retry-after-ms: 61000", "retry-after: 1"), 61),
    "beyond all numbers": ((f"retry-after: 1{'0' * 400}",), math.inf),
    "milliseconds beyond all numbers": ((f"retry-after-ms: 1{'0' * 400}",), math.inf),
    "a date on the server's clock": (
        ("date: Thu, 22 Jan 2015 12:00:00 GMT", "retry-after: Thu, 22 Jan 2015 12:01:40 GMT"),
        100,
    ),
}


GOOGLE = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.5s"}
DAILY = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}


@pytest.mark.parametrize("status", ["429 Too Many Requests", "200 OK"])
async def test_a_wait_that_the_document_asks_for(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google has no header for it; its wait is obeyed, and a quota of a day is not tried again."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("random.uniform", lambda least, most: 0.0)
    monkeypatch.setattr("direct_anyio.models.attempts.anyio.sleep", sleep)
    for details, attempts in (([GOOGLE], 3), ([GOOGLE, DAILY], 1)):
        slept.clear()
        error = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "no", "details": details}
        with serving(reply({"error": error}, status)) as server:
            model = infer_model("google:x", api_key="k", base_url=server.url)
            with pytest.raises(ModelHTTPError) as caught:
                await model_request(model, MESSAGES)
            assert len(server.received) == attempts
        assert slept == [17.5] * (attempts - 1)
        assert caught.value.retry_after == 17.5


@pytest.mark.parametrize("case", TOO_LONG)
async def test_a_delay_that_is_too_long_is_in_the_error(case: str) -> None:
    """It is not waited for: the error says at once how long it would be."""
    headers, seconds = TOO_LONG[case]
    with serving(reply({}, "429 Too Many Requests", *headers)) as server:
        with pytest.raises(ModelRateLimitError) as caught:
            await model_request(_model(server.url), MESSAGES)
        assert len(server.received) == 1
    assert caught.value.retry_after == seconds


BUSY = {"error": {"type": "overloaded_error", "message": "busy"}}
START = {"type": "message_start", "message": {"id": "1", "role": "assistant", "content": []}}

# What comes before the error, by the name of the model that speaks so.
BEFORE: dict[str, tuple[str, list[bytes]]] = {
    "nothing": ("openai:x", []),
    "a role": ("openai:x", [delta(role="assistant")]),
    "no text": ("openai:x", [delta(role="assistant", content="")]),
    "a start": ("anthropic:x", [frame(START), frame({"type": "ping"})]),
}


@pytest.mark.parametrize("case", BEFORE)
async def test_an_error_in_a_stream_before_any_content_is_retried(case: str) -> None:
    """An in-stream error is of the class of its status, and so are its retries."""
    name, frames = BEFORE[case]

    def overloaded(connection: Connection) -> None:
        connection.stream(*frames, frame({"type": "error", **BUSY}))

    with serving(overloaded) as server:
        with pytest.raises(ModelOverloadedError) as caught:
            async with model_request_stream(_model(server.url, name), MESSAGES):
                pass
        assert len(server.received) == 3
    error = caught.value
    assert (error.in_stream, error.status_code, len(error.attempts)) == (True, 529, 2)


async def _unary(model: Model) -> str | None:
    return (await model_request(model, MESSAGES)).text


async def _streamed(model: Model) -> str | None:
    async with model_request_stream(model, MESSAGES) as stream:
        return (await stream.drain()).text


@pytest.mark.parametrize("ask", [_unary, _streamed])
async def test_an_error_with_the_status_of_an_answer_is_retried(ask: Any) -> None:
    """A document that is an error is one, whatever its status and however it was asked for."""
    with serving(_first(reply(BUSY))) as server:
        assert await ask(_model(server.url)) == "Yes."
        assert len(server.received) == 2


async def test_nothing_is_retried_after_content() -> None:
    """An error behind content is raised with what came, and no second request is made."""

    def broken(connection: Connection) -> None:
        error = frame({"error": {"type": "overloaded_error", "message": "busy"}})
        connection.stream(delta(content="so far"), error)

    with serving(broken) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            with pytest.raises(ModelOverloadedError) as caught:
                await stream.drain()
        assert len(server.received) == 1
    assert caught.value.in_stream
    assert caught.value.response is not None
    assert caught.value.response.text == "so far"


async def test_a_cancelled_wait_sends_nothing_more() -> None:
    """A request holds no place in its backoff, and is over where it is cancelled there."""
    slow = reply({}, "429 Too Many Requests", "retry-after: 30")
    waiting = anyio.Event()
    settings: Any = {"on_retry": lambda retry: waiting.set()}
    with serving(slow) as server:
        model = _model(server.url)
        clients = await model.clients()
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                await model_request(model, MESSAGES, model_settings=settings)

            group.start_soon(ask)
            await waiting.wait()
            await anyio.wait_all_tasks_blocked()
            assert clients.limiter.borrowed_tokens == 0
            group.cancel_scope.cancel()
        assert len(server.received) == 1


async def test_a_retry_that_would_come_too_late_is_not_waited_for() -> None:
    """With less than the delay left of `request_timeout` the error is raised at once."""
    slow = reply({}, "429 Too Many Requests", "retry-after: 30")
    with serving(slow) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with pytest.raises(ModelRateLimitError):
            await model_request(model, MESSAGES, model_settings={"request_timeout": 5})


@pytest.mark.parametrize("timeout", [0, -1, "10", True])
async def test_a_timeout_is_a_number_above_zero(timeout: Any) -> None:
    """Anything else is told before anything is sent."""
    with pytest.raises(UserError, match="seconds above 0"):
        await model_request("ollama:x", MESSAGES, model_settings={"timeout": timeout})
