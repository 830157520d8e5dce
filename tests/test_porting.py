"""What users of pydantic-ai find again: names, constructors, prices, settings and hints."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, is_typeddict

import attrs
import pytest

import direct_anyio.dialects
import direct_anyio.providers
from direct_anyio import (
    Model,
    ModelNotFoundError,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    ModelSettings,
    RequestUsage,
    TestModel,
    TextPart,
    ToolDefinition,
    UserError,
    infer_model,
    known_model_names,
    list_models,
    model_request,
    model_request_sync,
)
from direct_anyio.__main__ import main
from direct_anyio.models.anthropic import AnthropicModel
from direct_anyio.models.cerebras import CerebrasModel
from direct_anyio.models.cohere import CohereModel
from direct_anyio.models.google import GoogleModel
from direct_anyio.models.groq import GroqModel
from direct_anyio.models.huggingface import HuggingFaceModel
from direct_anyio.models.known import nearest_model
from direct_anyio.models.known_settings import known_settings
from direct_anyio.models.mistral import MistralModel
from direct_anyio.models.openai import OpenAIChatModel, OpenAIResponsesModel
from direct_anyio.models.openrouter import OpenRouterModel
from direct_anyio.providers import PROVIDERS
from direct_anyio.providers._endpoint import Endpoint
from direct_anyio.providers.anthropic import AnthropicProvider
from direct_anyio.providers.azure import AzureProvider
from direct_anyio.providers.deepseek import DeepSeekProvider
from direct_anyio.providers.gateway import gateway_provider
from direct_anyio.providers.google import GoogleProvider
from direct_anyio.providers.google_gla import GoogleGLAProvider
from direct_anyio.providers.google_vertex import GoogleVertexProvider
from direct_anyio.providers.huggingface import HuggingFaceProvider
from direct_anyio.providers.litellm import LiteLLMProvider
from direct_anyio.providers.openai import OpenAIProvider
from direct_anyio.providers.openrouter import OpenRouterProvider

from .serving import Connection, answering, frame, reply, serving

PAGE = (Path(__file__).parent.parent / "docs" / "porting.md").read_text()
V1 = {
    (module, name)
    for line in (Path(__file__).parent / "v1_names.txt").read_text().splitlines()
    for module, _, names in [line.partition(": ")]
    for name in names.split()
}
HELLO = [ModelRequest.user_text_prompt("Hello")]
KEY = "key-1234567890"


def rows(heading: str) -> list[list[str]]:
    """Return the rows of the page's table under a heading, without its head."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


SAME = {
    (*quoted(module), name) for module, names in rows("In the same place") for name in quoted(names)
}
MOVED = {
    tuple(quoted(old)[0].rpartition(".")[::2]): quoted(new)[0].rpartition(".")[::2]
    for old, new, _ in rows("In another place, or by another name")
}
GONE = {(*quoted(module), name) for module, names, _ in rows("Not here") for name in quoted(names)}


def test_every_public_name_of_v1_is_listed_once() -> None:
    """The page's three tables hold v1's names, each in one of them, and no others."""
    assert SAME | MOVED.keys() | GONE == V1
    assert len(SAME) + len(MOVED) + len(GONE) == len(V1)


@pytest.mark.parametrize(("module", "name"), sorted(SAME | set(MOVED.values())))
def test_a_name_that_is_listed_can_be_imported(module: str, name: str) -> None:
    """What the page says is here can be imported from there, and is public there."""
    home = import_module(f"direct_anyio.{module}")
    assert hasattr(home, name)
    assert name in home.__all__


@pytest.mark.parametrize(("module", "name"), sorted(GONE | MOVED.keys()))
def test_a_name_that_is_gone_is_gone(module: str, name: str) -> None:
    """What the page says is not here cannot be imported."""
    try:
        home = import_module(f"direct_anyio.{module}")
    except ModuleNotFoundError:
        return
    assert name not in home.__all__


def test_the_page_shows_code_that_runs() -> None:
    """The page's first example runs as it stands."""
    code = PAGE.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["model"].base_url == "http://localhost:8000/v1"


REPLACEMENTS: list[tuple[str, Callable[[], object], object]] = [
    (
        "usage += other",
        lambda: RequestUsage(input_tokens=1) + RequestUsage(input_tokens=2),
        RequestUsage(input_tokens=3),
    ),
    (
        "attrs.evolve(request, instructions='x')",
        lambda: attrs.evolve(HELLO[0], instructions="x").instructions,
        "x",
    ),
    (
        "attrs.evolve(part, content='x')",
        lambda: attrs.evolve(TextPart("y"), content="x"),
        TextPart("x"),
    ),
]


@pytest.mark.parametrize(
    ("name_used", "do", "wanted"), REPLACEMENTS, ids=[r[0] for r in REPLACEMENTS]
)
def test_what_replaces_a_change_in_place_works(
    name_used: str, do: Callable[[], object], wanted: object
) -> None:
    """The page names the replacement, and it does what the change did."""
    assert f"`{name_used}`" in PAGE
    assert do() == wanted


def test_nothing_is_changed_in_place() -> None:
    """A message refuses an assignment, and has no sequence that could grow."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        HELLO[0].instructions = "x"  # type: ignore[misc]
    assert not hasattr(HELLO[0].parts, "append")
    assert not hasattr(RequestUsage(), "incr")


# Constructors of models and providers.


def constructors() -> list[type[Endpoint]]:
    """Return every constructor of a provider."""
    found = []
    for module in iter_modules(direct_anyio.providers.__path__):
        if not module.name.startswith("_"):
            home = import_module(f"direct_anyio.providers.{module.name}")
            kinds = (getattr(home, name) for name in home.__all__)
            found += [k for k in kinds if isinstance(k, type) and issubclass(k, Endpoint)]
    return found


@pytest.mark.parametrize("kind", constructors(), ids=lambda kind: kind.__name__)
def test_a_provider_is_a_row_with_what_the_user_says(kind: type[Endpoint]) -> None:
    """A constructor takes an address and a key, never shows the key, and names its provider."""
    endpoint = kind(base_url="http://localhost:1/v1", api_key=KEY)
    assert endpoint.url == "http://localhost:1/v1"
    assert KEY not in repr(endpoint)
    assert endpoint.name in PROVIDERS
    assert endpoint.model_profile("vendor/model") == endpoint.row.profile("vendor/model")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        endpoint.api_key = "other"  # type: ignore[misc]


@pytest.mark.parametrize("kind", constructors(), ids=lambda kind: kind.__name__)
def test_a_client_of_an_sdk_is_refused(kind: type[Endpoint]) -> None:
    """An argument that cannot be honoured is an error that says what to pass instead."""
    build: Any = kind
    refused = [f.name for f in attrs.fields(kind) if f.name.endswith("client")]
    for name in set(refused) - {"http_client"}:
        with pytest.raises(UserError, match=f"takes no `{name}`: pass `http_client=`"):
            build(**{name: object()})


async def test_a_chat_model_asks_its_base_url() -> None:
    """A class, a provider and settings make the request that `infer_model` would make."""
    with serving(answering("Hi")) as server:
        model = OpenAIChatModel(
            "gpt-4o",
            provider=OpenAIProvider(server.url, api_key=KEY),
            settings=ModelSettings(temperature=0.5),
        )
        response = await model_request(model, HELLO)
    [asked] = server.received
    assert asked.line.startswith("POST /v1/chat/completions")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert (asked.json["model"], asked.json["temperature"]) == ("gpt-4o", 0.5)
    assert (response.text, response.provider_name) == ("Hi", "openai")


async def test_a_class_knows_the_wire_of_its_provider() -> None:
    """Anthropic's class sends Anthropic's request, with its header for the key."""
    answer = {
        "id": "msg-1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    with serving(reply(answer)) as server:
        provider = AnthropicProvider(base_url=server.url.removesuffix("/v1"), api_key=KEY)
        response = await model_request(AnthropicModel("claude-haiku-4-5", provider=provider), HELLO)
    assert response.text == "Hi"
    assert server.received[0].line.startswith("POST /v1/messages")
    assert server.received[0].headers["x-api-key"] == KEY


async def test_azure_is_asked_with_its_version() -> None:
    """Both of Azure's protocols go to the resource, each by its path, with the version."""
    with serving(answering("Hi")) as server:
        azure = AzureProvider(
            azure_endpoint=server.url.removesuffix("/v1"), api_version="2025-01-01", api_key=KEY
        )
        await model_request(OpenAIChatModel("mine", provider=azure), HELLO)
        with pytest.raises(Exception, match="cannot be read"):
            await model_request(OpenAIResponsesModel("mine", provider=azure), HELLO)
    targets = [asked.line.split()[1] for asked in server.received]
    assert targets == [
        "/openai/deployments/mine/chat/completions?api-version=2025-01-01",
        "/openai/responses?api-version=2025-01-01",
    ]
    assert {asked.headers["api-key"] for asked in server.received} == {KEY}


async def test_openrouter_is_sent_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the constructor says of the program comes before what the environment does."""
    monkeypatch.setenv("OPENROUTER_APP_URL", "http://env.test")
    monkeypatch.setenv("OPENROUTER_APP_TITLE", "Env")
    with serving(answering("Hi")) as server:
        mine = OpenRouterProvider(base_url=server.url, api_key=KEY, app_url="http://mine.test")
        await model_request(OpenRouterModel("openai/gpt-4o", provider=mine), HELLO)
    headers = server.received[0].headers
    assert (headers["http-referer"], headers["x-title"]) == ("http://mine.test", "Env")


CLASSES = {
    "anthropic": AnthropicModel,
    "cerebras": CerebrasModel,
    "cohere": CohereModel,
    "google-gla": GoogleModel,
    "groq": GroqModel,
    "huggingface": HuggingFaceModel,
    "mistral": MistralModel,
    "openai": OpenAIChatModel,
    "openai-responses": OpenAIResponsesModel,
    "openrouter": OpenRouterModel,
}


@pytest.mark.parametrize("provider", CLASSES)
def test_a_class_has_its_own_provider(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a provider a class makes what `infer_model` makes of its provider's name."""
    for variable in PROVIDERS[provider].key_env:
        monkeypatch.setenv(variable, KEY)
    mine = CLASSES[provider]("vendor/model" if provider == "openrouter" else "model")
    named: Any = infer_model(f"{provider}:{mine.model_name}")
    assert (mine.codec, mine.base_url, mine.system) == (named.codec, named.base_url, named.system)


def test_a_provider_is_named_as_in_v1(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's name does, also for its Responses; 'gateway' is Pydantic's."""
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    monkeypatch.setenv("PYDANTIC_AI_GATEWAY_API_KEY", KEY)
    assert OpenAIChatModel("deepseek-chat", provider="deepseek").system == "deepseek"
    responses: Any = OpenAIResponsesModel("m", provider="deepseek").codec
    assert (type(responses).__name__, responses.provider_name) == (
        "OpenAIResponsesCodec",
        "deepseek",
    )
    gateway = "https://gateway.pydantic.dev/proxy"
    assert OpenAIResponsesModel("gpt-5", provider="gateway").base_url == f"{gateway}/openai"
    assert GoogleModel("gemini", provider="gateway").base_url == f"{gateway}/google-vertex/v1beta1"


def test_a_provider_of_another_protocol_is_refused() -> None:
    """A class does not ask a provider that would not understand it."""
    with pytest.raises(UserError, match=r"'anthropic' speaks another protocol .* deepseek, "):
        OpenAIChatModel("m", provider=AnthropicProvider(api_key=KEY))
    with pytest.raises(UserError, match="Unknown provider: depseek"):
        OpenAIChatModel("m", provider="depseek")


def test_the_model_reports_a_missing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's constructor does not read the environment; the model's does."""
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    provider = DeepSeekProvider()
    with pytest.raises(UserError, match="`DEEPSEEK_API_KEY`"):
        OpenAIChatModel("deepseek-chat", provider=provider)


PLACES = [
    (GoogleProvider(api_key=KEY), "google-gla", "https://generativelanguage.googleapis.com"),
    (GoogleGLAProvider(KEY), "google-gla", "https://generativelanguage.googleapis.com"),
    (
        GoogleProvider(project="p", location="europe-west4", api_key=KEY),
        "google-vertex",
        "https://europe-west4-aiplatform.googleapis.com/v1beta1/projects/p/locations/europe-west4",
    ),
    (
        GoogleVertexProvider(project_id="p", api_key=KEY),
        "google-vertex",
        "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/p/locations/us-central1",
    ),
    (
        GoogleProvider(vertexai=True, api_key=KEY),
        "google-vertex",
        "https://aiplatform.googleapis.com/v1beta1",
    ),
]


@pytest.mark.parametrize(("provider", "system", "url"), PLACES)
def test_google_is_found_where_it_is_set(provider: Endpoint, system: str, url: str) -> None:
    """A project or a location means Google Cloud, and nothing the Gemini API."""
    model = GoogleModel("gemini-2.5-flash", provider=provider)
    assert (model.system, model.base_url) == (system, url)


def test_other_addresses() -> None:
    """LiteLLM's proxy and the gateway's routes go by the arguments that v1 has for them."""
    assert LiteLLMProvider(api_base="http://proxy.test").url == "http://proxy.test"
    gateway = gateway_provider("openai", base_url="http://gate.test/", api_key=KEY)
    assert gateway.url == "http://gate.test/openai"
    assert gateway_provider("groq", route="mine", base_url="http://g.test").url == (
        "http://g.test/mine"
    )
    with pytest.raises(UserError, match="'bedrock' is not known behind the gateway"):
        _ = gateway_provider("bedrock").row
    with pytest.raises(UserError, match="vendor/model:together"):
        HuggingFaceProvider(provider_name="together")


# Prices.


def priced(**more: Any) -> ModelResponse:
    usage = RequestUsage(input_tokens=1_000_000, output_tokens=0)
    return ModelResponse([TextPart("Hi")], model_name="gpt-4o", usage=usage, **more)


@pytest.mark.parametrize(
    "given",
    [
        {"provider_url": "https://api.openai.com/v1/"},
        {"provider_name": "openai"},
        {"provider_url": "http://localhost:8000/v1", "provider_name": "openai"},
    ],
)
def test_a_response_tells_its_cost(given: dict[str, str]) -> None:
    """The price is found by the provider's URL, and else by its name."""
    assert priced(**given).cost().total_price == Decimal("2.5")


def test_an_hour_in_the_cache_has_its_own_price() -> None:
    """What Anthropic keeps for an hour costs more than what it keeps for five minutes."""

    def cost(hourly: int) -> Decimal:
        details = {"ephemeral_1h_input_tokens": hourly} if hourly else {}
        million = 1_000_000
        usage = RequestUsage(input_tokens=million, cache_write_tokens=million, details=details)
        given = ModelResponse([], model_name="claude-sonnet-4-5", provider_name="anthropic")
        return attrs.evolve(given, usage=usage).cost().total_price

    assert cost(0) < cost(400_000) < cost(1_000_000) == cost(2_000_000)


def test_an_unknown_price_is_a_lookup_error() -> None:
    """A model or a provider that the tables lack has no price, and a nameless one cannot have."""
    with pytest.raises(LookupError):
        priced(provider_name="no-such-provider").cost()
    with pytest.raises(UserError, match="model_name"):
        ModelResponse([]).cost()


def test_missing_prices_are_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `genai-prices` the error says how to install it."""
    real = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.startswith("genai_prices"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=re.escape("pip install 'direct-anyio[prices]'")):
        priced(provider_name="openai").cost()


def test_counts_that_usage_has_no_place_for_are_details() -> None:
    """A count that only the tables know is kept by their name, and has its price."""
    written = {"cache_creation_input_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 4}}
    document = {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 3, "output_tokens": 2}}
    document["usage"] |= written  # type: ignore[operator]
    given = {"provider": "anthropic", "provider_url": "", "provider_fallback": "anthropic"}
    usage = RequestUsage.extract(document, **given, details={"mine": 1})
    assert (usage.input_tokens, usage.cache_write_tokens) == (8, 5)
    assert usage.details == {"cache_write_1h_tokens": 4, "mine": 1}


def test_usage_is_extracted_from_a_response() -> None:
    """Counts are read as the provider writes them; of an unknown one as its fallback does."""
    document = {"model": "gpt-4o", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    given: Any = {"provider_url": "http://localhost:1", "api_flavor": "chat"}
    usage = RequestUsage.extract(
        document, provider="mine", provider_fallback="openai", details={"x": 1}, **given
    )
    assert usage == RequestUsage(input_tokens=3, output_tokens=2, details={"x": 1})
    nothing = RequestUsage.extract({}, provider="mine", provider_fallback="openai", **given)
    assert nothing == RequestUsage()


# Known models.


def test_known_models_are_of_known_providers() -> None:
    """The names are sorted, each once, and each makes a model of a provider that is here."""
    names = known_model_names()
    assert sorted(set(names)) == list(names)
    assert {name.partition(":")[0] for name in names} <= PROVIDERS.keys()
    assert {"openai:gpt-5", "anthropic:claude-haiku-4-5", "google-gla:gemini-2.5-flash"} <= {*names}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("opnai:gpt-5", "openai:gpt-5"),
        ("gpt-5", "openai:gpt-5"),
        ("claude-haiku-4-5", "anthropic:claude-haiku-4-5"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(wrong: str, right: str) -> None:
    """An error about a provider's name says what was probably meant."""
    with pytest.raises(UserError, match=re.escape(f"Did you mean '{right}'?")):
        infer_model(wrong)


async def test_a_model_that_is_not_found_names_the_nearest() -> None:
    """A 404 for a mistyped name tells the known one; for a known name it guesses nothing."""
    with serving(reply({"error": {"message": "no"}}, "404 Not Found")) as server:
        for name, guess in (("gtp-5", "did you mean 'gpt-5'?"), ("gpt-5", None)):
            model = infer_model(f"openai:{name}", base_url=server.url, api_key=KEY)
            with pytest.raises(ModelNotFoundError) as info:
                await model_request(model, HELLO)
            assert (info.value.hint or "").partition("; ")[2] == (guess or "")


def test_no_guess_is_wild() -> None:
    """A name that is like none is answered with none."""
    assert nearest_model("openai", "qwertyuiop") is None
    assert nearest_model("no-such-provider", "gpt-5") is None


# Settings.


def test_every_setting_of_every_dialect_is_known() -> None:
    """Every key of every class of settings in the dialects counts as known."""
    missing = {
        f"{module.name}.{kind.__name__}": extra
        for module in iter_modules(direct_anyio.dialects.__path__)
        for kind in vars(import_module(f"direct_anyio.dialects.{module.name}")).values()
        if is_typeddict(kind)
        and kind.__name__.endswith("ModelSettings")
        and (extra := kind.__annotations__.keys() - known_settings())
    }
    assert missing == {}


@pytest.mark.parametrize(
    ("key", "near"),
    [("temprature", "temperature"), ("openai_reasonning_effort", "openai_reasoning_effort")],
)
@pytest.mark.parametrize("place", ["of the request", "of the model"])
def test_an_unknown_setting_is_named(key: str, near: str, place: str) -> None:
    """A setting that nobody knows is an error, with the nearest that somebody does."""
    wrong: Any = {key: 1}
    here, there = (wrong, None) if place == "of the request" else (None, wrong)
    with pytest.raises(UserError, match=f"Unknown setting: '{key}'. Did you mean '{near}'?"):
        model_request_sync(TestModel(settings=there), HELLO, model_settings=here)


def test_a_setting_like_no_other_is_named_alone() -> None:
    """Where no known key is near, the error guesses none."""
    wrong: Any = {"qwertyuiop": 1}
    with pytest.raises(UserError, match=r"^Unknown setting: 'qwertyuiop'\.$"):
        model_request_sync("test", HELLO, model_settings=wrong)


async def test_a_setting_of_another_provider_is_left_out() -> None:
    """Settings can be shared: a model drops the known ones that it does not heed."""
    elsewhere: Any = {"bedrock_guardrail_config": {}, "anthropic_metadata": {}, "seed": 7}
    with serving(answering("Hi")) as server:
        model = infer_model("openai:gpt-4o", base_url=server.url, api_key=KEY)
        await model_request(model, HELLO, model_settings=elsewhere)
    assert "7" in str(server.received[0].json["seed"])
    assert "guardrail" not in str(server.received[0].json)


# Hooks of a model.


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("gpt-5", "GPT 5"),
        ("claude-sonnet-4-5", "Claude Sonnet 4.5"),
        ("gemini-2.5-pro", "Gemini 2.5 Pro"),
        ("meta-llama/llama-3-70b", "Llama 3 70b"),
    ],
)
def test_a_model_has_a_label(name: str, label: str) -> None:
    """A label is the name as people read it."""
    assert TestModel(model_name=name).label == label


class Renaming(TestModel):
    """Renames every tool before it is offered."""

    def customize_request_parameters(
        self, model_request_parameters: ModelRequestParameters
    ) -> ModelRequestParameters:
        tools = model_request_parameters.function_tools
        return attrs.evolve(
            model_request_parameters,
            function_tools=[attrs.evolve(tool, name=f"my_{tool.name}") for tool in tools],
        )


async def test_parameters_are_customized_before_they_are_offered() -> None:
    """A model's own `customize_request_parameters` is heeded in every request."""
    offered = ModelRequestParameters(function_tools=[ToolDefinition(name="look")])
    response = await model_request(Renaming(), HELLO, model_request_parameters=offered)
    assert [call.tool_name for call in response.tool_calls] == ["my_look"]


async def test_a_model_that_cannot_count_says_so() -> None:
    """`count_tokens` is an error, not a guess."""
    model: Model = TestModel()
    with pytest.raises(UserError, match="TestModel does not count tokens"):
        await model.count_tokens([*HELLO], None, ModelRequestParameters())


# Listings.

LISTINGS = {
    "openai": ("/v1/models", {"data": [{"id": "a"}, {"id": "b"}]}),
    "anthropic": ("/v1/models?limit=1000", {"data": [{"id": "a"}, {"id": "b"}]}),
    "google-gla": (
        "/v1beta/models?pageSize=1000",
        {"models": [{"name": "models/a"}, {"name": "models/b"}]},
    ),
}


@pytest.mark.parametrize("provider", LISTINGS)
async def test_a_provider_lists_its_models(provider: str) -> None:
    """A listing is a GET with the key, and tells the names in the provider's order."""
    target, document = LISTINGS[provider]
    with serving(reply(document)) as server:
        url = server.url if provider == "openai" else server.url.removesuffix("/v1")
        names = await list_models(provider, api_key=KEY, base_url=url)
    [asked] = server.received
    assert names == ["a", "b"]
    assert asked.line == f"GET {target} HTTP/1.1"
    assert asked.body == b""
    assert any(KEY in value for value in asked.headers.values())


async def test_listings_that_are_empty_strange_or_not_there() -> None:
    """No models are an empty list; nonsense and providers without a listing are errors."""
    assert await list_models("local") == ["smollm2"]
    with pytest.raises(UserError, match="models of 'azure' cannot be listed"):
        await list_models("azure")
    with serving(reply({"data": []})) as server:
        assert await list_models("openai", api_key=KEY, base_url=server.url) == []
        server.handler = reply({"data": [{"name": 5}]})
        with pytest.raises(Exception, match="cannot be read"):
            await list_models("openai", api_key=KEY, base_url=server.url)


def listed(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
    body = frame({"data": [{"id": "a"}]}).removeprefix(b"data: ")
    connection.send(b"content-length: %d\r\n\r\n%s" % (len(body), body))


def test_the_command_line_lists_models(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`direct-anyio models PROVIDER` prints a name a line; a failure is one line and code 1."""
    with serving(listed) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert main(["models", "openai"]) == 0
    assert capsys.readouterr().out == "a\n"
    assert main(["models", "nobody"]) == 1
    assert "Unknown provider: nobody" in capsys.readouterr().err
