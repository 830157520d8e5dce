"""Answers by script, and real traffic recorded and replayed, through all four functions."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import anyio
import attrs
import httpx
import pytest

from direct_anyio import (
    ModelConnectionError,
    ModelRateLimitError,
    ModelRequest,
    ModelRequestParameters,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    RequestUsage,
    StreamInterrupted,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolDefinition,
    UserError,
    infer_model,
    model_request,
    model_request_stream,
    model_request_stream_sync,
    model_request_sync,
    override_allow_model_requests,
)
from direct_anyio.testing import (
    Cassette,
    Gate,
    RecordedChunk,
    RecordedExchange,
    Recorder,
    Replayer,
    ScriptedModel,
)

from .callers import CALLERS, Caller
from .serving import (
    DONE,
    PATIENCE,
    SSE_HEAD,
    Connection,
    answering,
    chunk,
    completion,
    delta,
    reply,
    serving,
    streamed,
)

MESSAGES = [ModelRequest.user_text_prompt("What is the capital of France?")]
CANARY = 'sk-canary/"quoted"+0123456789'
"""A key whose forms in JSON and in URLs differ from it."""


@pytest.fixture(params=CALLERS.values(), ids=list(CALLERS))
def caller(request: pytest.FixtureRequest) -> Any:
    return request.param


def text_of(event: ModelResponseStreamEvent) -> str | None:
    """Return the text that an event brings."""
    match event:
        case PartStartEvent(part=TextPart(content=text)):
            return text
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
    return None


# -- scripts


async def test_a_script_is_the_answer_at_every_function(caller: Caller) -> None:
    """Texts join up to a part, parts come whole, and the last usage counts."""
    call = ToolCallPart("lookup", {"city": "Paris"}, "call-1")
    usage = RequestUsage(input_tokens=3, output_tokens=5)
    model = ScriptedModel("Let me ", RequestUsage(input_tokens=3), "look.", call, "Done.", usage)
    response = await caller(model, MESSAGES)
    assert response.parts == (TextPart("Let me look."), call, TextPart("Done."))
    assert response.usage == usage
    assert (response.model_name, response.provider_name) == ("scripted", "scripted")
    assert response.state == "complete"


async def test_a_text_is_a_delta() -> None:
    """A stream has an event for each text, in the order of the script."""
    model = ScriptedModel("a", "b", ToolCallPart("f", {}, "1"), "c")
    async with model_request_stream(model, MESSAGES) as stream:
        texts = [text for event in [e async for e in stream] if (text := text_of(event))]
    assert texts == ["a", "b", "c"]


async def test_a_script_is_played_anew_for_each_request(caller: Caller) -> None:
    """Each request has the same answer, and is kept with its settings and parameters."""
    model = ScriptedModel("Yes.", model_name="mine", settings={"temperature": 0.5})
    offered = ModelRequestParameters(function_tools=[ToolDefinition(name="f")])
    for top_p in (0.1, 0.2):
        settings: Any = {"top_p": top_p}
        response = await caller(
            model, MESSAGES, model_settings=settings, model_request_parameters=offered
        )
        assert (response.text, response.model_name) == ("Yes.", "mine")
    first, second = model.requests
    assert first.messages == second.messages == tuple(MESSAGES)
    assert first.model_settings == {"temperature": 0.5, "top_p": 0.1}
    assert second.model_settings == {"temperature": 0.5, "top_p": 0.2}
    assert [tool.name for tool in second.model_request_parameters.function_tools] == ["f"]


async def test_an_empty_script_is_an_empty_answer(caller: Caller) -> None:
    """A script of nothing makes a response without parts."""
    response = await caller(ScriptedModel(), MESSAGES)
    assert (response.parts, response.state) == ((), "complete")


async def test_a_script_may_fail(caller: Caller) -> None:
    """The very exception of the script is raised, with what came before it."""
    failure = ModelConnectionError("scripted", "gone")
    with pytest.raises(ModelConnectionError) as caught:
        await caller(ScriptedModel("Almost", failure, "never"), MESSAGES)
    assert caught.value is failure
    assert failure.response is not None
    assert failure.response.parts == (TextPart("Almost"),)


async def test_a_failure_before_the_first_content_is_raised_by_the_opening() -> None:
    """As over HTTP, a stream whose answer fails at once does not open."""
    model = ScriptedModel(RequestUsage(input_tokens=1), ModelConnectionError("scripted", "gone"))
    opened = model_request_stream(model, MESSAGES)
    with pytest.raises(ModelConnectionError, match="gone"):
        await opened.__aenter__()


def test_a_script_holds_steps_only() -> None:
    """What is no step is refused as the model is made."""
    wrong: Any = 5
    with pytest.raises(TypeError, match="may not hold int"):
        ScriptedModel("a", wrong)


# -- gates


async def test_nothing_passes_a_gate_before_it_opens() -> None:
    """An async reader has all that is before the gate, and gets the rest once it opens."""
    gate = Gate()
    async with model_request_stream(ScriptedModel("a", gate, "b"), MESSAGES) as stream:
        await gate.reached()
        assert text_of(await anext(stream)) == "a"
        while (event := stream._advance()) is not None:
            assert text_of(event) is None
        assert stream.response.text == "a"
        gate.open()
        rest = [text_of(event) async for event in stream]
    assert [text for text in rest if text] == ["b"]
    assert stream.response.text == "ab"


async def test_a_gate_is_reached_and_opened_in_another_task(caller: Caller) -> None:
    """Every function's answer waits at the gate, wherever its event loop is."""
    gate, answers = Gate(), []

    async def ask() -> None:
        answers.append((await caller(ScriptedModel("a", gate, "b"), MESSAGES)).text)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await gate.reached()
        assert answers == []
        gate.open()
    assert answers == ["ab"]


def test_a_gate_in_blocking_code() -> None:
    """A blocking reader waits for the gate in its own thread, and opens it there."""
    gate = Gate()
    with model_request_stream_sync(ScriptedModel("a", gate, "b"), MESSAGES) as stream:
        gate.wait_reached(PATIENCE)
        assert text_of(next(stream)) == "a"
        assert stream.response.text == "a"
        gate.open()
        for _ in stream:
            pass
    assert stream.response.text == "ab"


async def test_a_gate_is_opened_by_a_thread() -> None:
    """Any thread may open a gate that an event loop waits at."""
    gate = Gate()

    def open_when_reached() -> None:
        gate.wait_reached(PATIENCE)
        gate.open()

    threading.Thread(target=open_when_reached).start()
    assert (await model_request(ScriptedModel(gate, "a"), MESSAGES)).text == "a"


async def test_leaving_at_a_gate_leaves() -> None:
    """A stream that waits at a gate can be left; what came stays readable."""
    gate = Gate()
    async with model_request_stream(ScriptedModel("a", gate, "b"), MESSAGES) as stream:
        await gate.reached()
        assert text_of(await anext(stream)) == "a"
    assert (stream.response.text, stream.response.state) == ("a", "interrupted")


async def test_an_open_gate_is_passed() -> None:
    """A gate that was opened before holds nothing up, and tells that it was reached."""
    gate = Gate()
    gate.open()
    gate.open()
    assert (await model_request(ScriptedModel(gate, "a"), MESSAGES)).text == "a"
    await gate.reached()
    gate.wait_reached(0)


def test_a_gate_that_is_not_reached_is_a_timeout() -> None:
    """Waiting for a gate that nothing comes to ends after the given time."""
    with pytest.raises(TimeoutError):
        Gate().wait_reached(0)


def test_a_gate_outlives_the_loop_that_waited_for_it(caplog: pytest.LogCaptureFixture) -> None:
    """Opening a gate whose waiter's loop has ended is no error, and none is logged."""
    gate = Gate()

    async def leave() -> None:
        with anyio.move_on_after(0):
            await gate.wait()

    for backend in ("asyncio", "trio"):
        pytest.importorskip(backend)
        anyio.run(leave, backend=backend)
    gate.open()
    assert caplog.records == []


# -- record and replay


async def chunks_of(client: Any, url: str, content: bytes) -> list[bytes]:
    """Return the chunks that a client gives for a request."""
    request = client.build_request("POST", url, headers={}, content=content)
    response = await client.send(request, stream=True)
    data = [each async for each in response.stream]
    await response.aclose()
    return data


def recorded(*answers: RecordedExchange) -> Replayer:
    return Replayer(Cassette(answers))


def exchange(body: Any, *chunks: bytes, **more: Any) -> RecordedExchange:
    """Return a recorded stream, at once and whole."""
    one = RecordedExchange(
        method="POST",
        url="https://api.example.com/v1/chat/completions",
        body=body,
        status=200,
        headers={"content-type": "text/event-stream"},
        after=0.0,
        chunks=tuple(RecordedChunk(each, 0.0) for each in chunks),
    )
    return attrs.evolve(one, **more)


def asked(model: Any, stream: bool) -> dict[str, Any]:
    """Return the body that the model's codec writes for MESSAGES."""
    call = model.codec.encode(MESSAGES, {}, ModelRequestParameters(), stream=stream)
    body: dict[str, Any] = call.body
    return body


async def test_recorded_traffic_is_replayed(caller: Caller, tmp_path: Path) -> None:
    """What a server said once is said again by the file, with the server gone."""
    path = tmp_path / "new" / "cassette.json"
    recorder = Recorder()
    with serving(answering("The capital ", "is Paris.")) as server:
        model = infer_model("openai:x", api_key=CANARY, base_url=server.url, http_client=recorder)
        live = await caller(model, MESSAGES)
    recorder.cassette.save(path)
    again = infer_model("openai:x", api_key="k", base_url=server.url, http_client=Replayer(path))
    replayed = await caller(again, MESSAGES)
    assert replayed.parts == live.parts == (TextPart("The capital is Paris."),)
    assert (replayed.usage, replayed.provider_response_id) == (live.usage, "chat-1")


async def test_chunks_are_replayed_as_they_were_read(tmp_path: Path) -> None:
    """The boundaries of the chunks on the wire are those of the replay, in text and bytes."""
    frames = [*streamed("Zürich ☃")]
    snowman = frames[1].index(b"\\u2603")
    pieces = [frames[0], frames[1][:snowman], frames[1][snowman:], b"\xff\xfe", b"data: [DO"]
    steps = [threading.Semaphore(0) for _ in pieces]

    def handle(connection: Connection) -> None:
        connection.send(SSE_HEAD)
        for piece, step in zip(pieces, steps, strict=True):
            connection.send(chunk(piece))
            assert step.acquire(timeout=PATIENCE)
        connection.send(chunk(b""))

    recorder, read = Recorder(), []
    with serving(handle) as server:
        sent = recorder.build_request("POST", server.url, headers={}, content=b'{"a": 1}')
        response = await recorder.send(sent, stream=True)
        chunks = aiter(response.stream)
        for step in steps:
            # The next one is sent when this one has been read.
            read.append(await anext(chunks))
            step.release()
        assert await anext(chunks, None) is None
        await response.aclose()
    path = tmp_path / "cassette.json"
    recorder.cassette.save(path)
    assert Cassette.load(path).exchanges[0].cut is None
    assert await chunks_of(Replayer(path), server.url, b'{"a":1}') == read == pieces
    chunk_forms = json.loads(path.read_text())["exchanges"][0]["response"]["chunks"]
    assert [("text" in form, "base64" in form) for form in chunk_forms] == [
        *[(True, False)] * 3,
        (False, True),
        (True, False),
    ]


async def test_a_key_is_never_written_down(tmp_path: Path) -> None:
    """A key that headers, URL, bodies and headers of the answer echo is in no cassette."""
    half = len(CANARY) // 2
    echo = json.dumps({"error": f"bad key {CANARY}"}).encode()

    def handle(connection: Connection) -> None:
        connection.send(SSE_HEAD.replace(b"\r\n\r\n", b"\r\n"))
        connection.send(f"set-cookie: {CANARY}\r\nx-request-id: {CANARY}\r\n\r\n".encode())
        # One echo lies in two chunks.
        for piece in (CANARY[:half].encode(), CANARY[half:].encode() + b" " + echo):
            connection.send(chunk(piece))
        connection.send(chunk(b""))

    names = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"]
    with serving(handle) as server:
        for name in names:
            recorder, value = Recorder(), {"authorization": f"Bearer {CANARY}"}.get(name, CANARY)
            request = recorder.build_request(
                "POST",
                f"{server.url}?key=short&alt=sse",
                headers={name: value},
                content=json.dumps({"user": CANARY}).encode(),
            )
            response = await recorder.send(request, stream=True)
            size = sum([len(data) async for data in response.stream])
            await response.aclose()
            recorder.cassette.save(tmp_path / name)
            (kept,) = recorder.cassette.exchanges
            assert sum(len(each.data) for each in kept.chunks) == size
            assert kept.headers["x-request-id"] == "***"
            assert kept.body == {"user": "***"}
            assert kept.url == f"{server.url}?key=***&alt=sse"
    for name in names:
        text = (tmp_path / name).read_text()
        for piece in ("canary", "quoted", "0123456789", "cookie", "short"):
            assert piece not in text, f"{piece} of {name}"


async def test_a_secret_of_the_request_is_found_by_its_name() -> None:
    """Tokens in the request's JSON and in its query are hidden, and replay matches without."""
    url = "https://api.example.com/v1?key="
    tool = {"authorization_token": "mcp-token-1", "api_key": {"type": "string"}, "name": "a"}
    with serving(reply({})) as server:
        recorder = Recorder()
        body = json.dumps({"servers": [tool]}).encode()
        await chunks_of(recorder, f"{server.url}?key=in-the-query", body)
    (kept,) = recorder.cassette.exchanges
    assert kept.body == {"servers": [tool | {"authorization_token": "***"}]}
    assert kept.url.endswith("?key=***")
    other = json.dumps({"servers": [tool | {"authorization_token": "another"}]}).encode()
    path = kept.url.replace(server.url, url.partition("?")[0])
    assert await chunks_of(Replayer(recorder.cassette), path, other) == [b"{}"]


async def test_the_pool_of_a_users_client_is_respected() -> None:
    """Around a client with one connection, a recorder sends one request at a time."""
    with serving(answering("a")) as server:
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as client:
            model: Any = infer_model(
                "openai:x", api_key="k", base_url=server.url, http_client=Recorder(client)
            )
            limiter = (await model.clients()).limiter
            assert (await model_request(model, MESSAGES)).text == "a"
    assert limiter.total_tokens == 1


async def test_a_users_client_records_in_its_loop() -> None:
    """A recorder around a client sends with it, stays in its loop, and hides its `auth`."""

    def echo(connection: Connection) -> None:
        reply(completion(connection.request.headers["authorization"]))(connection)

    with serving(echo) as server:
        async with httpx.AsyncClient(auth=("user", CANARY), headers={"x-theirs": "1"}) as client:
            recorder = Recorder(client)
            model = infer_model("openai:x", api_key="k", base_url=server.url, http_client=recorder)
            echoed = (await model_request(model, MESSAGES)).text
            with pytest.raises(UserError, match="belongs to another event loop"):
                await anyio.to_thread.run_sync(model_request_sync, model, MESSAGES)
        assert server.received[0].headers["x-theirs"] == "1"
        with pytest.raises(UserError, match="is closed"):
            await model_request(model, MESSAGES)
    (kept,) = recorder.cassette.exchanges
    assert echoed is not None
    assert echoed.startswith("Basic ")
    assert echoed.split()[1].encode() not in kept.chunks[0].data


def test_one_recorder_and_one_replayer_serve_all_loops(tmp_path: Path) -> None:
    """Blocking calls and two loops use the same client, in the order of the recording."""
    pytest.importorskip("trio")

    def ask(client: Any, url: str) -> list[str | None]:
        model = infer_model("openai:x", api_key="k", base_url=url, http_client=client)

        async def one() -> str | None:
            return (await model_request(model, MESSAGES)).text

        return [
            asyncio.run(one()),
            anyio.run(one, backend="trio"),
            model_request_sync(model, MESSAGES).text,
        ]

    numbers = iter(range(9))
    with serving(lambda c: reply(completion(f"{next(numbers)}"))(c)) as server:
        recorder = Recorder()
        assert ask(recorder, server.url) == ["0", "1", "2"]
    assert ask(Replayer(recorder.cassette), "https://elsewhere.example/v1") == ["0", "1", "2"]


async def test_a_response_that_was_left_ends_where_it_was_left() -> None:
    """A recording of a reader who left says so to one who reads on."""

    def hold(connection: Connection) -> None:
        connection.stream(delta(content="a"), end=False)
        connection.closed_by_peer()

    with serving(hold) as server:
        recorder = Recorder()
        model = infer_model("openai:x", api_key="k", base_url=server.url, http_client=recorder)
        async with model_request_stream(model, MESSAGES) as stream:
            await anext(stream)
    again = infer_model(
        "openai:x", api_key="k", base_url=server.url, http_client=Replayer(recorder.cassette)
    )
    async with model_request_stream(again, MESSAGES) as stream:
        with pytest.raises(StreamInterrupted, match="its reader left"):
            async for _ in stream:
                pass
    assert stream.response.text == "a"


async def test_a_broken_response_breaks_again() -> None:
    """A connection that broke while it was recorded is the same error when it is replayed."""

    def cut(connection: Connection) -> None:
        connection.stream(delta(content="a"), end=False)
        connection.socket.close()

    with serving(cut) as server:
        recorder = Recorder()
        for make in (lambda: recorder, lambda: Replayer(recorder.cassette)):
            client: Any = make()
            model = infer_model("openai:x", api_key="k", base_url=server.url, http_client=client)
            with pytest.raises(StreamInterrupted, match=r"incomplete|peer closed"):
                await CALLERS["streamed"](model, MESSAGES)
    assert len(server.received) == 1


async def test_an_error_is_replayed_with_its_status() -> None:
    """Status and headers of a refusal are those that were recorded."""
    settings: Any = {"max_retries": 0}
    answer = reply({"error": {"message": "slow"}}, "429 Slow", "retry-after: 7")
    with serving(answer) as server:
        recorder = Recorder()
        model = infer_model("openai:x", api_key="k", base_url=server.url, http_client=recorder)
        with pytest.raises(ModelRateLimitError):
            await model_request(model, MESSAGES, model_settings=settings)
    again = infer_model("openai:x", api_key="k", http_client=Replayer(recorder.cassette))
    with pytest.raises(ModelRateLimitError, match="slow") as caught:
        await model_request(again, MESSAGES, model_settings=settings)
    assert caught.value.retry_after == 7


async def test_an_unrecorded_request_is_a_user_error(caller: Caller) -> None:
    """The error names the request, the nearest recording, and where they differ."""
    model: Any = infer_model("openai:x", api_key="k")
    stream = caller in (CALLERS["streamed"], CALLERS["streamed_sync"])
    near = asked(model, stream) | {"temperature": 0.5}
    far = near | {"model": "y", "top_p": 1}
    client = recorded(exchange(far, DONE), exchange(near, DONE))
    model = infer_model("openai:x", api_key="k", http_client=client)
    settings: Any = {"temperature": 1.0}
    with pytest.raises(UserError) as caught:
        await caller(model, MESSAGES, model_settings=settings)
    text = str(caught.value)
    assert "No recording answers POST /v1/chat/completions" in text
    assert "number 2 of 2, POST /v1/chat/completions: " in text
    assert "body.temperature is 1.0, and was 0.5." in text
    assert "top_p" not in text


async def test_an_error_of_matching_is_short_and_exact() -> None:
    """Paths, absent fields and places in lists are named, and long values are cut."""
    one = exchange({"messages": [{"content": "a"}, {"content": "b"}], "stream": True})
    client = recorded(one)
    body = json.dumps({"messages": [{"content": "x" * 500}], "n": None}).encode()
    with pytest.raises(UserError) as caught:
        await chunks_of(client, "https://api.example.com/v1/other", body)
    text = str(caught.value)
    assert 'the request is "POST /v1/other", and was "POST /v1/chat/completions"' in text
    assert 'body.messages[0].content is "xxx' in text
    assert 'body.messages[1] is absent, and was {"content": "b"}' in text
    assert len(text) < 600
    with pytest.raises(UserError, match="cassette is empty"):
        await chunks_of(recorded(), "https://api.example.com/v1/other", b"{}")


async def test_a_recording_answers_once() -> None:
    """Equal requests get the recordings in their order, and one too many is an error."""
    client = recorded(exchange({"a": 1, "b": 2}, b"1"), exchange({"b": 2, "a": 1}, b"2"))
    url = "https://api.example.com/v1/chat/completions"
    assert await chunks_of(client, url, b'{"a": 1, "b": 2}') == [b"1"]
    assert await chunks_of(client, url, b'{"a": 1, "b": 2}') == [b"2"]
    with pytest.raises(UserError, match=r"more often than recorded.* 2 of this request"):
        await chunks_of(client, url, b'{"b": 2, "a": 1}')


async def test_the_pace_of_a_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `timing`, head and chunks wait as long as they did; without, not at all."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(anyio, "sleep", sleep)
    chunks = RecordedChunk(b"1", 0.25), RecordedChunk(b"2", 2.0)
    cassette = Cassette((exchange({}, after=0.5, chunks=chunks),))
    url = "https://api.example.com/v1/chat/completions"
    assert await chunks_of(Replayer(cassette, timing=True), url, b"{}") == [b"1", b"2"]
    assert slept == [0.5, 0.25, 2.0]
    assert await chunks_of(Replayer(cassette), url, b"{}") == [b"1", b"2"]
    assert slept[3:] == [0, 0, 0]


async def test_the_pace_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The times in a recording are from the request to the head, and between the chunks."""
    clock = iter([10.0, 10.5, 10.75])
    with serving(lambda connection: connection.stream(b"1")) as server:
        recorder = Recorder()
        request = recorder.build_request("POST", server.url, headers={}, content=b"{}")
        monkeypatch.setattr("direct_anyio._traffic.current_time", lambda: next(clock))
        response = await recorder.send(request, stream=True)
        assert [each async for each in response.stream] == [b"1"]
        await response.aclose()
    (kept,) = recorder.cassette.exchanges
    assert (kept.after, [each.after for each in kept.chunks]) == (0.5, [0.25])


async def test_a_replayed_wait_for_the_head_is_no_wait_for_a_connection() -> None:
    """A recorded head may take longer than a connection may."""
    model: Any = infer_model("openai:x", api_key="k")
    slow = exchange(asked(model, True), *streamed("a"), after=0.05)
    client = Replayer(Cassette((slow,)), timing=True)
    model = infer_model("openai:x", api_key="k", http_client=client)
    settings: Any = {"timeout": httpx.Timeout(5, connect=0.001), "max_retries": 0}
    response = await CALLERS["streamed"](model, MESSAGES, model_settings=settings)
    assert response.text == "a"


async def test_a_replay_is_no_real_request(caller: Caller) -> None:
    """Where real requests are forbidden, a replay is allowed and a recording is not."""
    model: Any = infer_model("openai:x", api_key="k")
    client = recorded(*(exchange(asked(model, True), *streamed("a")) for _ in range(2)))
    stream = CALLERS["streamed"] if "sync" not in caller.__name__ else CALLERS["streamed_sync"]
    replayed = infer_model("openai:x", api_key="k", http_client=client)
    real = infer_model("openai:x", api_key="k", http_client=Recorder())
    with override_allow_model_requests(False):
        assert (await stream(replayed, MESSAGES)).text == "a"
        with pytest.raises(RuntimeError, match="not allowed"):
            await stream(real, MESSAGES)


BAD_FILES = {
    "missing": (None, "cannot be read"),
    "no JSON": ("{", "cannot be read"),
    "no object": ("[]", "has the format None"),
    "newer": ('{"format": 2, "exchanges": []}', "has the format 2, and this version reads 1"),
    "damaged": ('{"format": 1, "exchanges": [{"request": {}}]}', "is damaged"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_cassette_is_a_user_error(fault: str, tmp_path: Path) -> None:
    """A file that is no cassette of this format is one error that names it."""
    text, message = BAD_FILES[fault]
    path = tmp_path / "cassette.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        Replayer(path)
    assert str(path) in str(caught.value)


def test_a_cassette_reads_as_it_was_written(tmp_path: Path) -> None:
    """A file holds all that a cassette does, a line a value and in plain letters."""
    cassette = Cassette(
        (
            exchange({"text": "Zürich"}, "grüß".encode(), b"\xff", after=0.125, cut="left"),
            exchange(None, status=204, headers={}),
        )
    )
    path = tmp_path / "cassette.json"
    cassette.save(path)
    assert Cassette.load(path) == cassette
    assert '     "text": "Zürich"\n'.strip() in path.read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8").endswith("}\n")
