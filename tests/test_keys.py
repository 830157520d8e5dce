"""Keys as functions and in lists: what is asked with which key, and what never shows."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from anyio import to_thread

from direct_anyio import (
    FallbackModel,
    Model,
    ModelAuthenticationError,
    ModelNotFoundError,
    ModelRateLimitError,
    ModelRequest,
    ModelRequestParameters,
    StreamInterrupted,
    TestModel,
    UnencryptedKeyWarning,
    UserError,
    infer_model,
    list_models,
    model_request,
)
from direct_anyio._core.secrets import Hidden
from direct_anyio.models import keys
from direct_anyio.models.google import GoogleModel
from direct_anyio.models.openai import OpenAIChatModel
from direct_anyio.providers.azure import AzureProvider
from direct_anyio.providers.google import GoogleProvider
from direct_anyio.providers.openai import OpenAIProvider
from direct_anyio.testing import Recorder

from .callers import CALLERS, streamed, unary
from .serving import (
    Connection,
    Handler,
    Server,
    answering,
    completion,
    delta,
    frame,
    reply,
    serving,
)

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]
ONE, TWO, THREE = "key-one-12345678", "key-two-12345678", "key-three-12345678"


class Clock:
    """A clock for the times at which keys may be used again."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1e-6  # no two keys are limited at once
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, no_backoff: None) -> Clock:
    """The clock of the keys, which moves only where a test sets it."""
    clock = Clock()
    monkeypatch.setattr(keys, "monotonic", clock)
    return clock


def sent(server: Server) -> list[str]:
    """Return the keys that requests came with."""
    return [each.headers["authorization"].removeprefix("Bearer ") for each in server.received]


def by_key(answers: dict[str, Handler]) -> Handler:
    """Return a handler that answers by the key, and well where it is not among those listed."""

    def answer(connection: Connection) -> None:
        key = connection.request.headers["authorization"].removeprefix("Bearer ")
        answers.get(key, answering("Yes."))(connection)

    return answer


def failing(status: int, *headers: str, **error: Any) -> Handler:
    return reply({"error": {"message": "No.", **error}}, f"{status} No", *headers)


def model_with(server: Server, api_key: Any, **more: Any) -> Model:
    return infer_model("openai:x", api_key=api_key, base_url=server.url, **more)


class Asked:
    """A function that returns one key after another, and the last one again and again."""

    def __init__(self, *texts: Any) -> None:
        self.texts = texts
        self.times = 0

    def __call__(self) -> Any:
        self.times += 1
        return self.texts[min(self.times, len(self.texts)) - 1]

    async def later(self) -> Any:
        await anyio.lowlevel.checkpoint()
        return self()


class AsyncCallable:
    async def __call__(self) -> str:
        return ONE


async def _given(text: str) -> str:
    return text


SOURCES: dict[str, Any] = {
    "a text": ONE,
    "a text with white space around it": f" {ONE}\n",
    "a function": lambda: ONE,
    "a function whose key ends in a newline": lambda: f"{ONE}\n",
    "an async function": partial(_given, ONE),
    "a function that returns an awaitable": lambda: _given(ONE),
    "a bound method": Asked(ONE).later,
    "a callable object": Asked(ONE),
    "an async callable object": AsyncCallable(),
    "a list of one": [ONE],
    "a tuple of functions and texts": (partial(_given, ONE), TWO),
}


@pytest.mark.parametrize("case", SOURCES)
async def test_a_key_is_a_text_or_comes_from_a_function(case: str) -> None:
    """Whatever returns it, the request has it where keys go."""
    with serving(answering("Yes.")) as server:
        await unary(model_with(server, SOURCES[case]), MESSAGES)
        assert sent(server) == [ONE]


async def test_where_a_function_runs() -> None:
    """An async one in the thread of the event loop, another one in a worker thread."""
    threads: list[int] = []

    def function() -> str:
        threads.append(threading.get_ident())
        return ONE

    async def later() -> str:
        return function()

    with serving(answering("Yes.")) as server:
        for each in (function, later, partial(later)):
            await unary(model_with(server, each), MESSAGES)
    here = threading.get_ident()
    assert [thread == here for thread in threads] == [False, True, True]


async def test_a_dead_connection_is_no_attempt() -> None:
    """The request is sent again with the key that it had."""

    def answer(connection: Connection) -> None:
        if len(connection.server.received) == 2:
            connection.socket.close()
        else:
            answering("Yes.")(connection)

    with serving(answer) as server:
        model = model_with(server, Asked(ONE, TWO, THREE))
        for _ in range(2):
            await unary(model, MESSAGES)
        assert sent(server) == [ONE, TWO, TWO]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_new_key_after_a_401(caller: str, kind: str) -> None:
    """The function is asked once more, and the request is sent again; that is no retry."""
    asked = Asked(ONE, TWO)
    reported: list[Any] = []
    settings: Any = {"max_retries": 0, "on_retry": reported.append}
    with serving(by_key({ONE: failing(401)})) as server:
        model = model_with(server, asked if kind == "sync" else asked.later)
        response = await CALLERS[caller](model, MESSAGES, model_settings=settings)
        assert sent(server) == [ONE, TWO]
    assert (response.text, asked.times) == ("Yes.", 2)
    assert [(type(each.error), each.attempt, each.delay) for each in reported] == [
        (ModelAuthenticationError, 1, 0.0)
    ]
    assert response.provider_details is not None
    assert len(response.provider_details["direct_anyio"]["attempts"]) == 1


IN_STREAM = {"error": {"message": "No.", "code": 401}}

# The answers to the requests, what the function returns, and the keys that are sent.
REFRESHES: dict[str, tuple[list[Handler], list[str], list[str], int, type[Exception] | None]] = {
    "another key is refused, too": (
        [failing(401)] * 3,
        [ONE, TWO, THREE],
        [ONE, TWO],
        2,
        ModelAuthenticationError,
    ),
    "the same key again": ([failing(401)], [ONE], [ONE], 2, ModelAuthenticationError),
    "what the key may not do": ([failing(403)], [ONE, TWO], [ONE], 1, ModelAuthenticationError),
    "an invalid key that is told with 400": (
        [failing(400, message="API key not valid.", code="invalid_api_key")],
        [ONE, TWO],
        [ONE, TWO],
        2,
        None,
    ),
    "in a stream, before content": (
        [lambda connection: connection.stream(frame(IN_STREAM))],
        [ONE, TWO],
        [ONE, TWO],
        2,
        None,
    ),
    "in a stream, after content": (
        [lambda connection: connection.stream(delta(content="Ye"), frame(IN_STREAM))],
        [ONE, TWO],
        [ONE],
        1,
        ModelAuthenticationError,
    ),
    "a retry after the new key": (
        [failing(401), failing(503)],
        [ONE, TWO, THREE],
        [ONE, TWO, THREE],
        3,
        None,
    ),
    "a new key after a retry": (
        [failing(503), failing(401)],
        [ONE, TWO, THREE],
        [ONE, TWO, THREE],
        3,
        None,
    ),
    "a key for each attempt": (
        [failing(503), failing(503)],
        [ONE, TWO, THREE],
        [ONE, TWO, THREE],
        3,
        None,
    ),
}


@pytest.mark.parametrize("case", REFRESHES)
async def test_when_a_function_is_asked(case: str) -> None:
    """For each attempt, and once more in a request for a key that is not valid any more."""
    answers, texts, expected, times, kind = REFRESHES[case]
    asked = Asked(*texts)
    left = iter([*answers, *[answering("Yes.")] * 9])
    with serving(lambda connection: next(left)(connection)) as server:
        model = model_with(server, asked)
        if kind is None:
            assert (await streamed(model, MESSAGES)).text == "Yes."
        else:
            with pytest.raises(kind):
                await streamed(model, MESSAGES)
        assert (sent(server), asked.times) == (expected, times)


async def test_a_text_is_not_tried_twice() -> None:
    """Nobody can be asked for another one."""
    with serving(failing(401)) as server:
        with pytest.raises(ModelAuthenticationError):
            await unary(model_with(server, ONE), MESSAGES)
        assert sent(server) == [ONE]


# Lists of keys.

QUOTA = failing(429, code="insufficient_quota")
LIMITED = failing(429)

# What each key is answered, the keys that are sent, and what is raised.
ROTATIONS: dict[str, tuple[dict[str, Handler], list[str], type[Exception] | None]] = {
    "limited": ({ONE: LIMITED}, [ONE, TWO], None),
    "limited in a stream": (
        {ONE: lambda c: c.stream(frame({"error": {"message": "No.", "code": 429}}))},
        [ONE, TWO],
        None,
    ),
    "not to be retried": ({ONE: failing(429, "x-should-retry: false")}, [ONE, TWO], None),
    "limited for an hour": ({ONE: failing(429, "retry-after: 3600")}, [ONE, TWO], None),
    "no quota": ({ONE: QUOTA}, [ONE, TWO], None),
    "no credit": ({ONE: failing(402)}, [ONE, TWO], None),
    "not valid": ({ONE: failing(401)}, [ONE, TWO], None),
    "not allowed": ({ONE: failing(403)}, [ONE, TWO], None),
    "two of three": ({ONE: QUOTA, TWO: LIMITED}, [ONE, TWO, THREE], None),
    "all without quota": (
        {ONE: QUOTA, TWO: failing(402), THREE: failing(401)},
        [ONE, TWO, THREE],
        ModelAuthenticationError,
    ),
    "all limited for long": (
        dict.fromkeys([ONE, TWO, THREE], failing(429, "retry-after: 61")),
        [ONE, TWO, THREE],
        ModelRateLimitError,
    ),
    "all limited": (
        dict.fromkeys([ONE, TWO, THREE], LIMITED),
        [ONE, TWO, THREE, ONE, TWO],
        ModelRateLimitError,
    ),
    "limited for no time": (
        dict.fromkeys([ONE, TWO, THREE], failing(429, "retry-after-ms: 0.0001")),
        [ONE, TWO, THREE, THREE, THREE],
        ModelRateLimitError,
    ),
    "all not to be retried": (
        dict.fromkeys([ONE, TWO, THREE], failing(429, "x-should-retry: false")),
        [ONE, TWO, THREE],
        ModelRateLimitError,
    ),
    "what no key can mend": ({ONE: failing(404)}, [ONE], ModelNotFoundError),
}


@pytest.mark.parametrize("case", ROTATIONS)
async def test_the_next_key_is_taken_at_once(case: str, clock: Clock) -> None:
    """A key that is limited or refused is left for the next; all of them once, uncounted."""
    answers, expected, kind = ROTATIONS[case]
    reported: list[float] = []
    settings: Any = {"on_retry": lambda retry: reported.append(retry.delay)}
    with serving(by_key(answers)) as server:
        model = model_with(server, [ONE, TWO, THREE])
        if kind is None:
            settings["max_retries"] = 0
            response = await streamed(model, MESSAGES, model_settings=settings)
            assert response.text == "Yes."
        else:
            with pytest.raises(kind):
                await streamed(model, MESSAGES, model_settings=settings)
        assert sent(server) == expected
    assert reported == [0.0] * (len(expected) - 1)


async def test_a_failure_of_the_server_is_retried_with_the_same_key() -> None:
    """Another key would not help, and it has nothing cached."""
    left = iter([failing(503), failing(500), answering("Yes.")])
    with serving(lambda connection: next(left)(connection)) as server:
        await unary(model_with(server, [ONE, TWO]), MESSAGES)
        assert sent(server) == [ONE, ONE, ONE]


async def test_a_key_stays_in_use(clock: Clock) -> None:
    """Requests share what is known of the keys: one is used until it is limited itself."""
    answers = {ONE: failing(429, "retry-after: 30")}
    with serving(by_key(answers)) as server:
        model = model_with(server, [ONE, TWO])
        await unary(model, MESSAGES)
        await unary(copy.deepcopy(model), MESSAGES)
        clock.now += 31
        await unary(model, MESSAGES)
        assert sent(server) == [ONE, TWO, TWO, TWO]
        # Now the other one is limited, and the first is free again.
        answers = {TWO: LIMITED}
        server.handler = by_key(answers)
        await unary(model, MESSAGES)
        await unary(model, MESSAGES)
        assert sent(server)[4:] == [TWO, ONE, ONE]


REST: dict[str, tuple[Handler, float]] = {
    "limited, for a time that is told": (failing(429, "retry-after: 30"), 30.0),
    "limited": (LIMITED, keys.RATE_LIMIT_PAUSE),
    "refused": (failing(401), keys.REFUSED_PAUSE),
    "no quota": (QUOTA, keys.REFUSED_PAUSE),
}


@pytest.mark.parametrize("case", REST)
async def test_a_key_is_left_alone_for_a_time(case: str, clock: Clock) -> None:
    """Before that it is not used, though the others are limited, too."""
    answer, seconds = REST[case]
    with serving(by_key({ONE: answer})) as server:
        model = model_with(server, [ONE, TWO])
        settings: Any = {"max_retries": 0}
        await unary(model, MESSAGES)
        server.handler = by_key({TWO: LIMITED})
        clock.now += seconds - 1
        with pytest.raises(ModelRateLimitError):
            await unary(model, MESSAGES, model_settings=settings)
        assert sent(server) == [ONE, TWO, TWO]
        clock.now += 1
        await unary(model, MESSAGES, model_settings=settings)
        assert sent(server)[3:] == [ONE]


async def test_the_shortest_wait_counts() -> None:
    """Where all are limited, the backoff is that of the key that can be used first."""
    waits = {ONE: "40", TWO: "10", THREE: "30"}
    left = {key: failing(429, f"retry-after-ms: {wait}") for key, wait in waits.items()}

    def answer(connection: Connection) -> None:
        by_key(left)(connection)
        left.pop(sent(connection.server)[-1], None)

    reported: list[float] = []
    settings: Any = {"on_retry": lambda retry: reported.append(retry.delay)}
    with serving(answer) as server:
        await unary(model_with(server, [ONE, TWO, THREE]), MESSAGES, model_settings=settings)
        assert sent(server) == [ONE, TWO, THREE, TWO]
    assert reported == pytest.approx([0, 0, 0.01], abs=1e-4)


async def test_a_limited_key_is_waited_for_where_the_last_one_is_refused() -> None:
    """The one can be used in a moment, the other not at all."""
    answers = {ONE: failing(429, "retry-after-ms: 10"), TWO: failing(401)}
    with serving(by_key(answers)) as server:
        model = model_with(server, [ONE, TWO])
        with pytest.raises(ModelRateLimitError) as caught:
            await unary(model, MESSAGES, model_settings={"max_retries": 1})
        assert sent(server) == [ONE, TWO, ONE]
    assert [each.partition(":")[0] for each in caught.value.attempts] == [
        "ModelRateLimitError",
        "ModelAuthenticationError",
    ]
    assert caught.value.__notes__ == ["It was asked with key 1 of 2 of `api_key`."]


async def test_a_limited_key_is_better_than_a_refused_one(clock: Clock) -> None:
    """Its time is over later, and yet it is the one that may answer."""
    with serving(by_key({ONE: failing(401)})) as server:
        model = model_with(server, [ONE, TWO])
        await unary(model, MESSAGES)
        server.handler = by_key({TWO: failing(429, "retry-after: 50")})
        clock.now += keys.REFUSED_PAUSE / 2
        for _ in range(2):
            with pytest.raises(ModelRateLimitError):
                await unary(model, MESSAGES, model_settings={"max_retries": 0})
        assert sent(server) == [ONE, TWO, TWO, TWO]


async def test_functions_in_a_list_are_refreshed_before_the_next_is_taken() -> None:
    """A 401 may be a key that has expired; its new one comes first."""
    first, second = Asked(ONE, TWO), Asked(THREE)
    with serving(by_key({ONE: failing(401), TWO: failing(401)})) as server:
        await unary(model_with(server, [first, second]), MESSAGES)
        assert sent(server) == [ONE, TWO, THREE]


# What can go wrong.

NO_KEYS: dict[str, tuple[Any, str]] = {
    "a number": (5, "not int"),
    "bytes": (ONE.encode(), "not bytes"),
    "a set": ({ONE}, "not set"),
    "a credential": (object(), r"get_token\(scope\)\.token.* not object"),
    "an empty list": ([], "empty list"),
    "a number in a list": ([ONE, 5], "not int"),
    "None in a list": ([ONE, None], "not NoneType"),
    "a list in a list": ([[ONE]], "not list"),
    "an empty text in a list": ([ONE, " "], "is empty"),
    "white space": (" \n", "is empty"),
    "a newline": (f"{ONE}\n{TWO}", "invalid character at position 16"),
    "a newline in a list": ([ONE, f"{ONE}\r\n{TWO}"], "invalid character at position 16"),
    "letters of another alphabet": ("kéy", "invalid character at position 1"),
    "a function that wants arguments": (lambda scope: ONE, "takes no arguments"),
}


@pytest.mark.parametrize("case", NO_KEYS)
def test_what_is_no_key_is_an_error_at_once(case: str) -> None:
    """The error names the kind and shows nothing of a key."""
    value, message = NO_KEYS[case]
    with pytest.raises(UserError, match=message) as caught:
        infer_model("openai:x", api_key=value)
    assert ONE not in str(caught.value)
    with pytest.raises(UserError, match=message):
        OpenAIChatModel("x", provider=OpenAIProvider(api_key=value))


NO_RESULTS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "NoneType"),
    "an empty text": ("", "is empty"),
    "bytes": (ONE.encode(), "bytes"),
    "a token and its end": ((ONE, 5), "tuple"),
    "a newline": (f"{ONE}\n{TWO}", "invalid character at position 16"),
}


@pytest.mark.parametrize("case", NO_RESULTS)
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_function_that_returns_no_key(case: str, kind: str) -> None:
    """It is the program's mistake; nothing is sent, and the result is not shown."""
    value, message = NO_RESULTS[case]
    asked = Asked(value)
    with serving(answering("Yes.")) as server:
        model = model_with(server, asked if kind == "sync" else asked.later)
        with pytest.raises(UserError, match=message) as caught:
            await unary(model, MESSAGES)
        assert server.received == []
    assert ONE not in str(caught.value)


class Unreachable(Exception):
    """What an identity library raises."""


def _unreachable() -> str:
    raise Unreachable


async def _unreachable_later() -> str:
    raise Unreachable


@pytest.mark.parametrize("function", [_unreachable, _unreachable_later])
@pytest.mark.parametrize("caller", CALLERS)
async def test_what_a_function_raises_stays_what_it_is(
    caller: str, function: Callable[[], Any]
) -> None:
    """It is raised by the request, or is a reason to ask the next model."""
    with serving(answering("Yes.")) as server:
        model = model_with(server, function)
        with pytest.raises(Unreachable):
            await CALLERS[caller](model, MESSAGES)
        either = FallbackModel(
            model, TestModel(custom_output_text="Other."), fallback_on=Unreachable
        )
        assert (await CALLERS[caller](either, MESSAGES)).text == "Other."
        assert server.received == []


@pytest.mark.parametrize("caller", [unary, streamed])
async def test_what_ends_a_program_is_raised_by_the_task_that_asks(caller: Any) -> None:
    """It goes through no other task, in which it would end the event loop."""

    async def function() -> str:
        raise SystemExit("cannot log in")

    with serving(answering("Yes.")) as server:
        with pytest.raises(SystemExit, match="cannot log in"):
            await caller(model_with(server, function), MESSAGES)


async def test_what_a_function_raises_after_a_401_has_it_as_context() -> None:
    """Both can be seen in the traceback."""
    functions = iter([lambda: ONE, _unreachable])
    with serving(failing(401)) as server:
        with pytest.raises(Unreachable) as caught:
            await unary(model_with(server, lambda: next(functions)()), MESSAGES)
        assert sent(server) == [ONE]
    assert isinstance(caught.value.__context__, ModelAuthenticationError)


@pytest.mark.parametrize("caller", [unary, streamed])
async def test_a_cancellation_reaches_an_async_function(caller: Any) -> None:
    """Whoever asks is cancelled, and with it the function, whose own cleaning up runs."""
    seen: list[str] = []

    async def function() -> str:
        try:
            await anyio.sleep_forever()
        finally:
            seen.append("cancelled")
        return ONE

    with serving(answering("Yes.")) as server:
        async with anyio.create_task_group() as group:
            group.start_soon(caller, model_with(server, function), MESSAGES)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        assert (seen, server.received) == (["cancelled"], [])


async def test_a_sync_function_needs_none_of_the_programs_own_threads() -> None:
    """They may all be waiting for requests, which would wait for them in turn."""
    limiter = to_thread.current_default_thread_limiter()
    own = limiter.total_tokens
    with serving(answering("Yes.")) as server:
        model = model_with(server, lambda: ONE)
        await unary(model, MESSAGES)
        limiter.total_tokens = 1
        try:
            async with limiter:
                with anyio.fail_after(10):
                    await unary(model, MESSAGES)
        finally:
            limiter.total_tokens = own


# Many at once.


async def test_a_key_that_expires_under_many_requests() -> None:
    """Each asks once more, whatever the others do, and all of them are answered."""
    asked: Counter[str] = Counter()
    refused = threading.Event()

    async def function() -> str:
        asked["times"] += 1
        return TWO if refused.is_set() else ONE

    def refuse(connection: Connection) -> None:
        refused.set()
        failing(401)(connection)

    with serving(by_key({ONE: refuse})) as server:
        model = model_with(server, function)
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(unary, model, MESSAGES)
        counts = Counter(sent(server))
    assert counts[TWO] == 20
    assert asked["times"] == 20 + counts[ONE]


async def test_many_requests_share_their_keys() -> None:
    """The first failures tell all others; no request fails."""
    with serving(by_key({ONE: LIMITED, TWO: QUOTA})) as server:
        model = model_with(server, [ONE, TWO, THREE])
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(unary, model, MESSAGES)
        assert Counter(sent(server))[THREE] == 20
        before = len(server.received)
        await unary(model, MESSAGES)
        assert sent(server)[before:] == [THREE]


async def test_a_request_in_line_has_the_key_of_its_turn() -> None:
    """What was found out of a key while it waited is heeded."""
    with serving(by_key({ONE: LIMITED})) as server:
        model = model_with(server, [ONE, TWO], max_connections=1)
        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(unary, model, MESSAGES)
        # The next in line may be quicker than the one that has just failed.
        assert sent(server).count(ONE) <= 2
        assert sent(server).count(TWO) == 6


# What does not show.


async def test_no_key_shows_in_an_error() -> None:
    """A provider that repeats what it was sent, and an older key, tells nobody."""

    def echo(connection: Connection) -> None:
        failing(401, message=f"No: {connection.request.headers['authorization']}, {ONE}")(
            connection
        )

    with serving(echo) as server:
        with pytest.raises(ModelAuthenticationError) as caught:
            await unary(model_with(server, [Asked(ONE, TWO), THREE]), MESSAGES)
        assert sent(server) == [ONE, TWO, THREE]
    error = caught.value
    shown = f"{error!r} {error} {vars(error)} {pickle.dumps(error)!r}"
    assert not [key for key in (ONE, TWO, THREE) if key in shown]
    assert "***" in shown


async def test_no_key_shows_in_a_broken_stream() -> None:
    """Nor behind the first content."""

    def echo(connection: Connection) -> None:
        key = connection.request.headers["authorization"]
        error = {"error": {"message": f"Stop: {key}", "code": 500}}
        connection.stream(delta(content="Y"), frame(error))

    with serving(by_key({ONE: failing(401), TWO: echo})) as server:
        with pytest.raises(Exception, match="Stop") as caught:
            await streamed(model_with(server, Asked(ONE, TWO)), MESSAGES)
    assert not isinstance(caught.value, StreamInterrupted)
    assert TWO not in f"{caught.value!r} {vars(caught.value)}"


async def test_no_key_shows_in_a_recording() -> None:
    """Not even one that the answer to another request repeats."""
    recorder = Recorder()

    def echo(connection: Connection) -> None:
        reply(completion(f"{ONE} {TWO}"))(connection)

    with serving(by_key({ONE: failing(401, message=TWO), TWO: echo})) as server:
        await unary(model_with(server, Asked(ONE, TWO), http_client=recorder), MESSAGES)
    assert len(recorder.cassette.exchanges) == 2
    assert not [key for key in (ONE, TWO) if key in repr(recorder.cassette)]


def _from_module() -> str:
    return ONE


def test_what_prints_pickles_and_copies(clock: Clock) -> None:
    """Nothing prints a key; a model pickles where its functions do, as they are."""
    sources: list[Any] = [ONE, [ONE, TWO], _from_module]
    for api_key in (*sources, partial(_given, ONE), [_from_module, TWO]):
        model: Any = infer_model("openai:x", api_key=api_key)
        provider = OpenAIProvider(api_key=api_key)
        assert ONE not in f"{model!r} {vars(model)} {model.keys!r} {provider!r} {provider}"
        again = pickle.loads(pickle.dumps(model))
        assert len(again.keys) == len(model.keys)
        assert copy.deepcopy(model).keys is model.keys
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(infer_model("openai:x", api_key=lambda: ONE))


# Everywhere.

TOKEN = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.c2ln-_bmF0dXJl"


@pytest.mark.parametrize(
    ("name", "key", "header"),
    [
        ("azure", ONE, {"api-key": ONE}),
        ("azure", TOKEN, {"authorization": f"Bearer {TOKEN}"}),
        ("azure-responses", ONE, {"api-key": ONE}),
        ("azure-responses", TOKEN, {"authorization": f"Bearer {TOKEN}"}),
        ("anthropic", TOKEN, {"x-api-key": TOKEN}),
    ],
)
async def test_azure_takes_keys_and_tokens(name: str, key: str, header: dict[str, str]) -> None:
    """A token of Entra ID goes where Azure looks for it, and a key where it does."""
    received: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(404)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        model = infer_model(
            f"{name}:x", api_key=lambda: key, base_url="https://azure.test", http_client=client
        )
        with pytest.raises(ModelNotFoundError):
            await model_request(model, MESSAGES)
    [request] = received
    names = ("api-key", "authorization", "x-api-key")
    assert {n: request.headers[n] for n in names if n in request.headers} == header


def test_a_function_gives_tokens_to_google_cloud() -> None:
    """Keys of its express mode are texts."""
    for api_key, express in ((ONE, True), (_from_module, False)):
        provider = GoogleProvider(vertexai=True, api_key=api_key)
        assert (provider.row.key_header == "x-goog-api-key") is express
    model = GoogleModel("m", provider=GoogleProvider(project="p", api_key=_from_module))
    assert model.key_headers(Hidden("token")) == {"authorization": "Bearer token"}


async def test_listing_counting_and_constructors_take_functions() -> None:
    """All that asks a provider asks for its key in the same way."""
    asked = Asked(ONE, TWO)
    with serving(by_key({ONE: failing(401), TWO: reply({"data": [{"id": "m"}]})})) as server:
        assert await list_models("openai", api_key=asked, base_url=server.url) == ["m"]
        assert sent(server) == [ONE, TWO]
    with serving(by_key({ONE: LIMITED, TWO: reply({"input_tokens": 14})})) as server:
        model = infer_model("openai-responses:gpt-5", api_key=[ONE, TWO], base_url=server.url)
        usage = await model.count_tokens([*MESSAGES], None, ModelRequestParameters())
        assert (usage.input_tokens, sent(server)) == (14, [ONE, TWO])
    with serving(by_key({ONE: failing(401)})) as server:
        provider = OpenAIProvider(server.url, api_key=Asked(ONE, TWO))
        await unary(OpenAIChatModel("x", provider=provider), MESSAGES)
        assert sent(server) == [ONE, TWO]
    assert AzureProvider(api_key=asked).api_key is asked


async def test_a_header_of_the_users_stays() -> None:
    """It takes the place of the key's."""
    settings: Any = {"extra_headers": {"Authorization": "Bearer mine"}}
    with serving(answering("Yes.")) as server:
        await unary(model_with(server, lambda: ONE), MESSAGES, model_settings=settings)
        assert sent(server) == ["mine"]


async def test_an_empty_text_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's is used, as without one; a list never is."""
    monkeypatch.setenv("OPENAI_API_KEY", TWO)
    with serving(answering("Yes.")) as server:
        await unary(model_with(server, ""), MESSAGES)
        await unary(model_with(server, None), MESSAGES)
        assert sent(server) == [TWO, TWO]


def test_budgets_are_of_texts_or_of_a_model() -> None:
    """Models with the same texts share one at a host; a function's keys are its model's own."""
    one, other, changed = (
        [infer_model("openai:x", api_key=key) for _ in range(2)]
        for key in ([ONE, TWO], [ONE], lambda: ONE)
    )
    budgets: list[list[Any]] = [[each.budget for each in pair] for pair in (one, other, changed)]  # type: ignore[attr-defined]
    assert [len({id(each) for each in pair}) for pair in budgets] == [1, 1, 2]
    assert budgets[0][0] is not budgets[1][0]


REAL = "sk-a-real-key-0123456789"
PLAIN: list[tuple[str, Any, bool]] = [
    ("http://gateway.example/v1", REAL, True),
    ("http://10.0.0.5:8000/v1?x=1", REAL, True),
    ("http://gateway.example/v1", lambda: REAL, True),
    ("http://gateway.example/v1", ["none", REAL], True),
    ("https://gateway.example/v1", REAL, False),
    ("http://localhost:8000/v1", REAL, False),
    ("http://127.1:8000/v1", REAL, False),
    ("http://[::1]:8000/v1", REAL, False),
    ("http://gateway.example/v1", "not-needed", False),
    ("http://gateway.example/v1", "EMPTY", False),
    ("http://gateway.example/v1", None, False),
]


@pytest.mark.parametrize(("url", "key", "warns"), PLAIN)
def test_a_key_over_plain_http(
    url: str, key: Any, warns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real key that goes to another machine in the clear is a warning; a mere word is not."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        infer_model("openai:x", api_key=key, base_url=url)
    assert [each.category for each in reported] == [UnencryptedKeyWarning] * warns
    for each in reported:
        assert REAL not in str(each.message)


def test_a_key_over_plain_http_warns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Python's default filter, each host is one line, however many models there are."""
    monkeypatch.setenv("OPENAI_API_KEY", REAL)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway.example/v1")
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("default")
        for _ in range(3):
            infer_model("openai:x")
        OpenAIChatModel("x", provider=OpenAIProvider(base_url="http://other.example/v1"))
    assert len(reported) == 2
