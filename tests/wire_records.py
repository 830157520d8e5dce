"""Runs recorded provider traffic through the library and compares what comes out.

A record of `responses/` holds what a provider answered and what two versions of an
established client made of it; one of `requests/` holds a history and the HTTP request
that they sent for it. `python -m tests.wire_records [endpoint ...] [--show N]` prints
how many agree, and the first differences.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import socket
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, cast
from urllib.parse import parse_qsl

import anyio
import attrs
import httpx
import pytest

from direct_anyio import (
    ModelMessage,
    ModelRequestParameters,
    ModelResponse,
    ModelSettings,
    OutputObjectDefinition,
    SchemaWarning,
    ToolDefinition,
    infer_model,
)
from direct_anyio.builtin_tools import BUILTIN_TOOL_TYPES, AbstractBuiltinTool
from direct_anyio.direct import model_request, model_request_stream
from direct_anyio.history import dump_event, dump_messages, load_messages
from direct_anyio.messages import ModelResponseStreamEvent
from direct_anyio.models import Model
from direct_anyio.providers import PROVIDERS

__all__ = ("Rates", "endpoints", "provider_of_endpoint", "rates_of", "report", "wire")

JSONObject: TypeAlias = dict[str, Any]

KINDS = ("responses", "requests")

# The provider that a user names to get an endpoint's protocol, where the endpoint's own
# name does not start with it.
_PROVIDERS = {
    "anthropic-bedrock-invoke": "anthropic",
    "azure-responses": "azure-responses",
    "bedrock-mantle-chat": "openai-chat",
    "bedrock-mantle-responses": "openai-responses",
    "compat-chat": "openai-chat",
    "deepseek-responses": "deepseek-responses",
    "gateway-anthropic-messages": "gateway/anthropic",
    "gateway-bedrock-converse": "bedrock",
    "gateway-gemini-vertex": "gateway/google-vertex",
    "gateway-groq-chat": "gateway/groq",
    "gateway-openai-chat": "openai-chat",
    "gemini-generate": "google-gla",
    "gemini-vertex": "google-vertex",
    "openai-chat": "openai-chat",
    "openai-responses": "openai-responses",
    "openrouter-responses": "openrouter-responses",
}

# Records on which we differ on purpose, and why.
ON_PURPOSE = {
    "media-image-png-detail-high": "a detail is OpenAI's: Gemini is sent the image without it",
    "gemini-generate/output-native-defs-ref": "Gemini takes no description beside a `$ref`",
    "output-native-recursive": "a recursive schema is sent as it is, in the current member",
    "turns-trailing-space-prefill": "Anthropic refuses an answer to go on from with a blank end",
    "text-no-messages": "nothing to answer is a mistake of the program's, told before it is sent",
}

# Where the ids of calls are in a body; in the text that goes with a tool's file, too.
_CALL_IDS = ("call_id", "tool_call_id", "tool_use_id")
_CALL_ID_IN_TEXT = re.compile(r'tool_call_id="[^"]*"')
_EMPTY_THOUGHT = re.compile(
    r"<(think|thinking)>\n\n</\1>\n\n|(?:^|\n\n)<(think|thinking)>\n\n</\2>$"
)

# What the compared versions call the errors that we have more names for.
_KNOWN_ERRORS = ("ModelHTTPError", "UnexpectedModelBehavior", "ModelAPIError", "UserError")


def wire() -> Path | None:
    """Return the directory of the records, None where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "wire"
    place = Path(os.environ.get("DIRECT_ANYIO_WIRE") or beside)
    return place if (place / "compare.py").is_file() else None


def endpoints(place: Path) -> list[tuple[str, str]]:
    """Return kind and endpoint of every file of records."""
    return [(kind, path.stem) for kind in KINDS for path in sorted((place / kind).glob("*.jsonl"))]


def provider_of_endpoint(endpoint: str) -> str:
    """Return the name of the provider that speaks an endpoint's protocol."""
    return _PROVIDERS.get(endpoint, endpoint.partition("-")[0])


@cache
def _compare(place: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("wire_compare", place / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@attrs.define(eq=False)
class Rates:
    """How many records of an endpoint agree, level by level.

    Attributes:
        passed: By level, records that agree with either version.
        judged: By level, records that a version has something to say on.
        whole: Records that agree with one version on all its levels.
        records: All records.
        differences: By level, the records that differ, and how.
    """

    passed: dict[str, int] = attrs.field(factory=lambda: defaultdict(int))
    judged: dict[str, int] = attrs.field(factory=lambda: defaultdict(int))
    whole: int = 0
    records: int = 0
    differences: dict[str, list[tuple[str, Any]]] = attrs.field(factory=lambda: defaultdict(list))

    def add(self, record: JSONObject, verdict: JSONObject) -> None:
        """Count one record's verdict."""
        self.records += 1
        # The levels of a version that disagrees on what there is to judge do not count.
        whole = not verdict or any(_agrees(verdict, version) for version in record["oracle"])
        self.whole += whole
        for level, (agreed, differences) in verdict.items():
            self.judged[level] += 1
            if agreed or whole:
                self.passed[level] += 1
            else:
                self.differences[level].append((record["id"], differences))

    def rate(self, level: str) -> float:
        """Return the share of records that pass a level, 1 where none is judged."""
        return self.passed[level] / self.judged[level] if self.judged[level] else 1.0


def _agrees(verdict: JSONObject, version: str) -> bool:
    """Return whether one version agrees on all levels that it has something to say on."""
    differs = any(version in differences for _, differences in verdict.values())
    return not differs and any(version in agreed for agreed, _ in verdict.values())


class _Server:
    """Answers with one record's response, and keeps what was asked."""

    def __init__(self) -> None:
        self.record: JSONObject = {}
        self.sent: JSONObject | None = None

    def load(self, record: JSONObject) -> None:
        self.record, self.sent = record, None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            # The connection goes to the address that was checked; the name is in a header.
            url = f"{request.url.scheme}://{request.headers['host']}{request.url.path}"
            file = self.record["downloads"][url]
            data = base64.b64decode(file["base64"])
            return httpx.Response(200, headers={"content-type": file["content_type"]}, content=data)
        self.sent = _sent(request)
        answer = self.record.get("response")
        if answer is None:
            # Enough that the library takes the answer for one of none.
            return httpx.Response(418, json={"error": {"message": "not recorded"}})
        return httpx.Response(
            answer["status"], headers=answer["headers"], content=_bytes_of(answer)
        )


def _bytes_of(answer: JSONObject) -> bytes:
    if "body_base64" in answer:
        return base64.b64decode(answer["body_base64"])
    body: str = answer["body"]
    return body.encode()


_GENERATED = re.compile(r"pyd_ai_[0-9a-f]{32}")


def _sent(request: httpx.Request) -> JSONObject:
    url = request.url
    # The records name ids that a library made up by their order.
    seen: dict[str, str] = {}
    text = _GENERATED.sub(
        lambda found: seen.setdefault(found[0], f"<generated:{len(seen) + 1}>"),
        request.content.decode(),
    )
    return {
        "method": request.method,
        "host": url.netloc.decode(),
        "path": url.path,
        "query": dict(parse_qsl(url.query.decode())),
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "json": json.loads(text) if text else None,
    }


def _base_url(record: JSONObject) -> str | None:
    """Return the base URL of a record that was not recorded at its provider's own."""
    endpoint: str = record["endpoint"]
    if endpoint == "gemini-vertex":
        sent = next(o["sent"] for o in record["oracle"].values() if o.get("sent"))
        return f"https://{sent['host']}{sent['path'].partition('/publishers/')[0]}"
    if not endpoint.startswith(("gateway-", "azure-", "bedrock-mantle-", "snowflake-")) and (
        endpoint not in ("ollama-chat", "huggingface-chat", "compat-chat")
    ):
        return None
    urls = (o["response"].get("provider_url") for o in record["oracle"].values() if "response" in o)
    known = next((url for url in urls if url), None)
    return known.rstrip("/") if known else "http://localhost:8787/v1"


def _model(record: JSONObject, client: httpx.AsyncClient) -> Model:
    provider = provider_of_endpoint(record["endpoint"])
    name = f"{provider}:{record['model_name']}"
    return infer_model(
        name, api_key="x", base_url=_base_url(record), http_client=cast(Any, client), downloads=True
    )


def _tool(data: JSONObject) -> ToolDefinition:
    known = {field.name for field in attrs.fields(ToolDefinition)}
    return ToolDefinition(**{key: value for key, value in data.items() if key in known})


def _builtin(data: JSONObject) -> AbstractBuiltinTool:
    return BUILTIN_TOOL_TYPES[data["kind"]](
        **{key: value for key, value in data.items() if key != "kind"}
    )


def _tools(data: list[JSONObject]) -> list[ToolDefinition]:
    return [_tool(each) for each in data]


_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "function_tools": ("function_tools", _tools),
    "output_tools": ("output_tools", _tools),
    "native_tools": ("builtin_tools", lambda data: [_builtin(each) for each in data]),
    "builtin_tools": ("builtin_tools", lambda data: [_builtin(each) for each in data]),
    "output_object": ("output_object", lambda data: data and OutputObjectDefinition(**data)),
}


def parameters_of(data: JSONObject | None) -> ModelRequestParameters:
    """Return the parameters of a call."""
    fields: JSONObject = {}
    for key, value in (data or {}).items():
        name, convert = _FIELDS.get(key, (key, lambda value: value))
        fields[name] = convert(value)
    return ModelRequestParameters(**fields)


def _response_json(response: ModelResponse) -> JSONObject:
    dumped = _plain(dump_messages([response]))
    return dumped[0]  # type: ignore[no-any-return]


def _plain(dumped: Any) -> Any:
    return json.loads(dumped) if isinstance(dumped, (bytes, str)) else dumped


def _event_json(event: ModelResponseStreamEvent) -> JSONObject:
    return {"event": type(event).__name__, "data": _plain(dump_event(event))}


def _error_json(error: BaseException) -> JSONObject:
    names = [kind.__name__ for kind in type(error).__mro__]
    known = next((name for name in _KNOWN_ERRORS if name in names), names[0])
    status = getattr(error, "status_code", None)
    return {"type": known, "bases": names[1:], "message": str(error), "status_code": status}


async def _answer(record: JSONObject, model: Model) -> JSONObject:
    call = record["call"]
    messages: list[ModelMessage] = list(load_messages(json.dumps(call["messages"])))
    settings = cast(ModelSettings, call["model_settings"] or {})
    parameters = parameters_of(call["model_request_parameters"])
    if not record["stream"]:
        response = await model_request(
            model, messages, model_settings=settings, model_request_parameters=parameters
        )
        return {"outcome": "ok", "response": _response_json(response), "events": []}
    async with model_request_stream(
        model, messages, model_settings=settings, model_request_parameters=parameters
    ) as stream:
        events = [_event_json(event) async for event in stream]
    return {"outcome": "ok", "response": _response_json(stream.response), "events": events}


async def _result(record: JSONObject, server: _Server, client: httpx.AsyncClient) -> JSONObject:
    server.load(record)
    try:
        result = await _answer(record, _model(record, client))
    except Exception as error:
        result = {"outcome": "error", "error": _error_json(error)}
    return result | {"sent": server.sent}


def _alike(body: Any) -> Any:
    """Return a body without what we send otherwise on purpose in many records.

    Ids of calls are fitted to the provider, a thought that says nothing is not sent between
    tags, nor a blank text to Anthropic.
    """
    if isinstance(body, list):
        return [each for each in map(_alike, body) if not _says_nothing(each)]
    if isinstance(body, dict):
        ids = ("id", *_CALL_IDS) if body.get("type") in ("function", "tool_use") else _CALL_IDS
        alike = {key: "<call>" if key in ids else _alike(each) for key, each in body.items()}
        if alike.get("content") in ("", []) and ("tool_calls" in alike or "tool_use_id" in alike):
            alike["content"] = None
        return alike
    if not isinstance(body, str):
        return body
    return _CALL_ID_IN_TEXT.sub("<call>", _EMPTY_THOUGHT.sub("", body))


def _says_nothing(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    blank = item.get("type") == "text" and not item["text"].strip()
    return blank or (item.keys() == {"role", "content"} and item["content"] in ("", []))


def _made_alike(result: JSONObject) -> JSONObject:
    sent = result.get("sent")
    return result if sent is None else result | {"sent": sent | {"json": _alike(sent["json"])}}


def _records(path: Path) -> Iterator[JSONObject]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


PUBLIC = "93.184.215.14"


@contextmanager
def _known_hosts() -> Iterator[None]:
    """Let every name have a public address, so that no name is looked up."""

    async def look_up(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, port))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anyio, "getaddrinfo", look_up)
        yield


async def rates_of(place: Path, kind: str, endpoint: str) -> Rates:
    """Run all records of a file and return how many agree."""
    compare = _compare(place)
    rates = Rates()
    server = _Server()
    transport = httpx.MockTransport(server)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        for record in _records(place / kind / f"{endpoint}.jsonl"):
            if not ON_PURPOSE.keys().isdisjoint((record["id"], f"{endpoint}/{record['id']}")):
                continue
            with _known_hosts(), warnings.catch_warnings():
                warnings.simplefilter("ignore", SchemaWarning)
                mine = await _result(record, server, client)
            if kind == "requests" and mine["sent"] is not None:
                # The answer was none; what was asked is what is judged.
                mine = {"outcome": "ok", "sent": mine["sent"]}
            if kind == "requests":
                mine = _made_alike(mine)
                oracle = {name: _made_alike(each) for name, each in record["oracle"].items()}
                record |= {"oracle": oracle}
            rates.add(record, compare.verdict(kind, mine, record))
    return rates


def report(kind: str, endpoint: str, rates: Rates) -> str:
    """Return one line that says how many records agree, level by level."""
    levels = "  ".join(
        f"{level} {rates.passed[level]}/{rates.judged[level]}" for level in sorted(rates.judged)
    )
    return f"{kind}/{endpoint}: whole {rates.whole}/{rates.records}  {levels}"


def _show(rates: Rates, number: int) -> Iterator[str]:
    for level, differences in sorted(rates.differences.items()):
        for id, by_version in differences[:number]:
            yield f"  {level}: {id}"
            for version, found in by_version.items():
                for path, mine, theirs in found[:6]:
                    yield f"    {version} {path}"
                    yield f"      mine   {mine!r:.600}"
                    yield f"      theirs {theirs!r:.600}"


async def _main(arguments: list[str]) -> None:
    place = wire()
    assert place is not None, "there are no records: set DIRECT_ANYIO_WIRE"
    number = 0
    if "--show" in arguments:
        at = arguments.index("--show")
        number = int(arguments[at + 1])
        del arguments[at : at + 2]
    for kind, endpoint in endpoints(place):
        wanted = not arguments or {endpoint, f"{kind}/{endpoint}"} & set(arguments)
        if wanted and provider_of_endpoint(endpoint) in PROVIDERS:
            rates = await rates_of(place, kind, endpoint)
            print(report(kind, endpoint, rates))
            for line in _show(rates, number):
                print(line)


if __name__ == "__main__":
    anyio.run(_main, sys.argv[1:])
