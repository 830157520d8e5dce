"""Where requests go: base URLs, their queries, and what the environment says of connections."""

from __future__ import annotations

import os
from typing import Any

import httpx
import pytest

from direct_anyio import ModelRequestParameters, UserError, infer_model, list_models, model_request
from direct_anyio._core.urls import requestable
from direct_anyio._io.environment import proxies
from direct_anyio._io.transport import _ssl_context, new_client
from direct_anyio.models.openai import OpenAIChatModel, OpenAIResponsesModel
from direct_anyio.providers.azure import AzureProvider
from direct_anyio.providers.gateway import gateway_provider
from direct_anyio.providers.openai import OpenAIProvider

from .test_gateways import HELLO, sent


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment, without proxies."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return monkeypatch


USABLE = (
    "https://h/v1",
    "http://127.0.0.1:8000",
    "http://[::1]:8000/v1",
    "https://bücher.example",
    "http://my_host:/v1",
    "HTTPS://H.test:65535/",
)


@pytest.mark.parametrize("url", USABLE)
def test_urls_that_can_be_requested(url: str) -> None:
    """What passes is a URL to httpx, too."""
    assert requestable(url).hostname == httpx.URL(url).host


NONSENSE = {
    "http://h:80800/v1": "port",
    "http://h:-1/v1": "port",
    "http://h:http/v1": "port",
    "http://h:0/v1": "port",
    "http://[::1/v1": "host",
    "http://h/v1/\udcff": "surrogate",
    "http://[::g]/v1": "host",
    "http://[::1]x/v1": "host",
    "http://256.0.0.1/v1": "host",
    "http://a..b/v1": "host",
    f"http://{'a' * 64}.test/v1": "host",
    "http://☃.test/v1": "host",
    "http://xn--/v1": "host",
    "http://a%20b/v1": "host",
    "http://::1/v1": "no host",
    "https:///v1": "no host",
    "http://my host/v1": "blank",
    "http://h/v 1": "blank",
    "http://h\\v1": "backslash",
    "http://h/v1#x": "fragment",
    "ftp://h/v1": "start with http",
    "h/v1": "start with http",
    '"https://h/v1"': "start with http",
}


@pytest.mark.parametrize("url", NONSENSE)
def test_base_urls_that_make_no_sense(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is one error, which holds the URL and says where it came from and what is wrong."""
    with pytest.raises(UserError, match=f"argument .*{NONSENSE[url]}") as caught:
        infer_model("openai:m", api_key="k", base_url=url)
    assert url[:8] in str(caught.value)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(UserError, match=f"`OPENAI_BASE_URL` .*{NONSENSE[url]}"):
        infer_model("openai:m", api_key="k")


@pytest.mark.parametrize(
    "url", ["http://me:pass-word@h/v1", "http://me:pass-word@h:x", "http://h:x/?key=pass-word"]
)
def test_a_password_in_a_base_url_is_not_shown(url: str) -> None:
    """Neither is a query."""
    with pytest.raises(UserError, match=r"^(?!.*pass-word)"):
        infer_model("openai:m", api_key="k", base_url=url)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("openai", "/v1/chat/completions"),
        ("openai-responses", "/v1/responses"),
        ("anthropic", "/v1/v1/messages"),
        ("google", "/v1/v1beta/models/m:generateContent"),
        ("google-cloud", "/v1/publishers/google/models/m:generateContent"),
        ("groq", "/v1/openai/v1/chat/completions"),
        ("mistral", "/v1/v1/chat/completions"),
        ("cohere", "/v1/v2/chat"),
        ("deepseek", "/v1/chat/completions"),
        ("azure", "/v1/chat/completions"),
    ],
)
async def test_a_base_url_keeps_its_query(name: str, path: str) -> None:
    """The path goes before it, the dialect's own query behind it."""
    request = await sent(f"{name}:m", base_url=" https://h.test/v1/?sig=a%2Bb&x=1&x=2&flag \n")
    assert request.url.path == path
    assert request.url.query.decode().startswith("sig=a%2Bb&x=1&x=2&flag")
    assert request.url.params.get("beta") == ("true" if name == "anthropic" else None)


async def test_one_value_for_a_query_parameter() -> None:
    """The dialect's counts before the base URL's, and that before the provider's."""
    request = await sent("anthropic:m", base_url="https://h.test?beta=false")
    assert request.url.query == b"beta=true"
    request = await sent("azure:m", base_url="https://h.test?api-version=preview")
    assert request.url.query == b"api-version=preview"


async def test_a_listing_and_a_count_keep_the_query() -> None:
    """They go the way of every request, and responses do not tell the query."""
    seen: list[httpx.URL] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        data = [{"id": "m"}]
        return httpx.Response(200, json={"data": data, "totalTokens": 1, "choices": []})

    client: Any = httpx.AsyncClient(transport=httpx.MockTransport(handle), trust_env=False)
    url, more = "https://h.test/v1?v=2", {"api_key": "k", "http_client": client}
    assert await list_models("openai", base_url=url, **more) == ["m"]
    model = infer_model("google:m", base_url=url, **more)
    await model.count_tokens(HELLO, None, ModelRequestParameters())
    assert [str(each) for each in seen] == [
        "https://h.test/v1/models?v=2",
        "https://h.test/v1/v1beta/models/m:countTokens?v=2",
    ]
    assert model.base_url == "https://h.test/v1"


@pytest.mark.parametrize(
    ("name", "variable", "value", "url"),
    [
        ("heroku", "HEROKU_INFERENCE_URL", "https://h.test/?a=1", "https://h.test/v1"),
        ("gateway/groq", "PAIG_BASE_URL", " https://h.test?a=1", "https://h.test/groq"),
        ("vllm", "VLLM_BASE_URL", "http://h.test/v1/?a=1\n", "http://h.test/v1"),
    ],
)
async def test_a_query_in_a_variable(
    name: str, variable: str, value: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is added to a variable's value comes before its query."""
    monkeypatch.setenv(variable, value)
    assert str((await sent(f"{name}:m")).url).startswith(url)
    assert (await sent(f"{name}:m")).url.query == b"a=1"


def test_a_blank_base_url_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider's own counts, and its key is needed."""
    monkeypatch.setenv("OPENAI_BASE_URL", " ")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert infer_model("openai:m", api_key="k", base_url=" ").base_url == (
        "https://api.openai.com/v1"
    )
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        infer_model("openai:m", base_url="")


def test_a_gateway_of_ones_own_keeps_its_query() -> None:
    """Also where its route is told."""
    gateway = gateway_provider("groq", route="mine", base_url="http://g.test?a=1", api_key="k")
    assert gateway.url == "http://g.test/mine?a=1"


async def test_organization_and_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI is told both, and nobody else."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", " proj ")
    for name in ("openai:m", "openai-chat:m", "openai-responses:m"):
        headers = (await sent(name)).headers
        assert (headers["openai-organization"], headers["openai-project"]) == ("org", "proj")
    for name in ("gateway/openai:m", "deepseek:m", "groq:m"):
        assert "openai-organization" not in (await sent(name)).headers


CLASSIC = "https://r.openai.azure.com"
V1 = f"{CLASSIC}/openai/v1"
ONE = "https://x.eastus.models.ai.azure.com"


@pytest.mark.parametrize(
    ("name", "endpoint", "url"),
    [
        ("azure", f"{V1}/", f"{V1}/chat/completions"),
        ("azure", f"{V1}?api-version=preview", f"{V1}/chat/completions?api-version=preview"),
        ("azure", ONE, f"{ONE}/v1/chat/completions"),
        ("azure", f"{ONE}/v1", f"{ONE}/v1/chat/completions"),
        ("azure", CLASSIC, f"{CLASSIC}/openai/deployments/m/chat/completions?api-version=9"),
        (
            "azure",
            f"{CLASSIC}/openai/",
            f"{CLASSIC}/openai/deployments/m/chat/completions?api-version=9",
        ),
        ("azure-responses", f"{V1}/", f"{V1}/responses"),
        ("azure-responses", CLASSIC, f"{CLASSIC}/openai/responses?api-version=9"),
    ],
)
async def test_azure(name: str, endpoint: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its v1 API takes no version and names no deployment; an endpoint says which API it is."""
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", endpoint)
    monkeypatch.setenv("OPENAI_API_VERSION", "9")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "key")
    request = await sent(f"{name}:m")
    assert str(request.url) == url
    assert request.headers["api-key"] == "key"


def test_azure_by_its_constructor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both protocols are spoken at either API."""
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "key")
    at_v1, classic = (AzureProvider(azure_endpoint=each) for each in (V1, CLASSIC))
    assert OpenAIResponsesModel("m", provider=at_v1).base_url == V1
    assert OpenAIChatModel("m", provider=classic).base_url == f"{CLASSIC}/openai"
    with pytest.raises(UserError, match="no `api_version`"):
        OpenAIChatModel("m", provider=AzureProvider(azure_endpoint=V1, api_version="9"))
    with pytest.raises(UserError, match=r"argument .* port"):
        OpenAIChatModel("m", provider=OpenAIProvider(base_url="http://h:x", api_key="k"))


EXCEPTIONS = {
    "[::1]": ["all://[::1]"],
    "::1, 127.0.0.1": ["all://[::1]", "all://127.0.0.1"],
    "[::1]:8080": ["all://[::1]:8080"],
    "localhost .x.test x.test": ["all://localhost", "all://*.x.test", "all://*x.test"],
    "*.x.test": ["all://*.x.test"],
    "10.0.0.0/8,fe80::/10": ["all://10.0.0.0", "all://[fe80::]"],
    "bücher.example,.bücher.example": ["all://bücher.example"],
    "http://x.test": ["http://x.test"],
    "h:99999,[,://,a:*,**,,": [],
}


@pytest.mark.parametrize("no_proxy", EXCEPTIONS)
def test_what_goes_past_a_proxy(no_proxy: str, environ: pytest.MonkeyPatch) -> None:
    """Each entry of `NO_PROXY` that names a host counts, and none keeps a client from being."""
    environ.setenv("NO_PROXY", no_proxy)
    assert proxies("api.test") == {}
    environ.setenv("HTTPS_PROXY", "proxy.test:3128")
    assert list(proxies("api.test")) == ["https://", *EXCEPTIONS[no_proxy]]
    assert proxies("api.test")["https://"] == "http://proxy.test:3128"
    new_client("api.test")
    environ.setenv("NO_PROXY", f"{no_proxy},*")
    assert proxies("api.test") == {}


@pytest.mark.parametrize("url", ["http://me:pass-word@h:99999", "http://[::1", "h:x", "a b"])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "all_proxy"])
async def test_a_proxy_that_makes_no_sense(
    name: str, url: str, environ: pytest.MonkeyPatch
) -> None:
    """The error names the variable, and not what may be a password."""
    environ.setenv(name, url)
    model = infer_model("openai:m", api_key="k", base_url="http://api.test")
    with pytest.raises(UserError, match=rf"^(?!.*pass-word).*`{name}`"):
        await model_request(model, HELLO)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there(name: str, environ: pytest.MonkeyPatch) -> None:
    """The error names the variable and the path."""
    environ.delenv("SSL_CERT_FILE", raising=False)
    environ.setenv(name, "/not/there")
    with pytest.raises(UserError, match=f"`{name}` .*/not/there"):
        _ssl_context.__wrapped__()
    if name == "SSL_CERT_FILE":
        environ.setenv(name, __file__)
        with pytest.raises(UserError, match=f"`{name}` names no certificates"):
            _ssl_context.__wrapped__()
