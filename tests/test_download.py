"""Files by URL: what is fetched, what is refused, and that nothing flips in between."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from direct_anyio import (
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    Model,
    ModelConnectionError,
    ModelRequest,
    UserError,
    UserPromptPart,
    infer_model,
    model_request,
)
from direct_anyio._io import download
from direct_anyio._io.download import is_public

PUBLIC = "93.184.215.14"
PDF = DocumentUrl("https://files.test/a.pdf")
ANSWER = {"choices": [{"finish_reason": "stop", "message": {"content": "Yes."}}]}

Serve = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Give the names that are looked up, in order, and what each is."""
    known = {"files.test": [PUBLIC]}

    async def look_up(host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise OSError("no such name")
        addresses = known[host]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(anyio, "getaddrinfo", look_up)
    return known


def model(serve: Serve, *, downloads: bool = True) -> tuple[Model, list[httpx.Request]]:
    """Return a model whose files are served by `serve`, and all requests."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return serve(request) if request.method == "GET" else httpx.Response(200, json=ANSWER)

    client: Any = httpx.AsyncClient(transport=httpx.MockTransport(handle), trust_env=False)
    asked = infer_model("openai:m", api_key="k", http_client=client, downloads=downloads)
    return asked, seen


async def ask(asked: Model, file: Any) -> None:
    await model_request(asked, [ModelRequest([UserPromptPart(["See", file])])])


def pdf(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "application/pdf"}, content=b"%PDF")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2606:4700::5efe:10.0.0.1",
        "no address",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    """Private, local and platform addresses are refused, however they are written."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
)
def test_addresses_that_are_public(address: str) -> None:
    """What anybody can reach may be fetched."""
    assert is_public(address)


async def test_file_is_sent_as_bytes(names: dict[str, list[str]]) -> None:
    """A file that the model cannot read by URL is fetched, and sent under the same name."""
    asked, seen = model(pdf)
    await ask(asked, PDF)
    fetched, sent = seen
    assert fetched.url == f"https://{PUBLIC}/a.pdf"
    assert fetched.headers["host"] == "files.test"
    assert fetched.extensions["sni_hostname"] == "files.test"
    assert "authorization" not in fetched.headers
    assert BinaryContent(b"%PDF", media_type="application/pdf").data_uri in sent.content.decode()


async def test_without_the_opt_in_nothing_is_fetched(names: dict[str, list[str]]) -> None:
    """Downloading is asked for, or it does not happen."""
    asked, seen = model(pdf, downloads=False)
    with pytest.raises(UserError, match="downloads=True"):
        await ask(asked, PDF)
    with pytest.raises(UserError, match="downloads=True"):
        await ask(asked, ImageUrl("https://files.test/a.png", force_download=True))
    assert not seen


async def test_urls_that_the_model_reads_are_not_fetched(names: dict[str, list[str]]) -> None:
    """An image goes by its URL, with the opt-in, too."""
    asked, seen = model(pdf)
    await ask(asked, ImageUrl("https://files.test/a.png"))
    assert [request.method for request in seen] == ["POST"]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://files.test/a.pdf",
        "ftp://files.test/a.pdf",
        "https://user:word@files.test/a.pdf",
        "https://127.0.0.1\\@files.test/a.pdf",
        "https://files.test/a .pdf",
        "https://files.test/\r\na.pdf",
        "https://files.test:99999/a.pdf",
        "https:///a.pdf",
        "https://unknown.test/a.pdf",
        "https://inside.test/a.pdf",
        "https://mixed.test/a.pdf",
    ],
)
async def test_refused_urls(names: dict[str, list[str]], url: str) -> None:
    """What is no public http or https URL is refused, and nothing is connected to."""
    names |= {"inside.test": ["10.0.0.1"], "mixed.test": [PUBLIC, "127.0.0.1"]}
    asked, seen = model(pdf)
    with pytest.raises(UserError):
        await ask(asked, DocumentUrl(url, media_type="application/pdf"))
    assert not seen


async def test_each_hop_is_checked(names: dict[str, list[str]]) -> None:
    """A redirect to the inside is refused like a URL there."""
    names["inside.test"] = ["169.254.169.254"]
    asked, seen = model(
        lambda request: httpx.Response(302, headers={"location": "https://inside.test/x"})
    )
    with pytest.raises(UserError, match="public internet"):
        await ask(asked, PDF)
    assert len(seen) == 1


async def test_redirects_are_followed(names: dict[str, list[str]]) -> None:
    """A file may have moved, to another host, too."""
    names["other.test"] = ["1.1.1.1"]

    def serve(request: httpx.Request) -> httpx.Response:
        if request.headers["host"] == "other.test":
            return pdf(request)
        return httpx.Response(307, headers={"location": "//other.test/b.pdf"})

    asked, seen = model(serve)
    await ask(asked, PDF)
    assert [str(request.url) for request in seen[:-1]] == [
        f"https://{PUBLIC}/a.pdf",
        "https://1.1.1.1/b.pdf",
    ]


@pytest.mark.parametrize("location", ["http://files.test/a.pdf", "", "https://files.test/a.pdf"])
async def test_redirects_that_are_not_followed(names: dict[str, list[str]], location: str) -> None:
    """Out of TLS, to nowhere, and round in circles is not followed."""
    asked, _ = model(lambda request: httpx.Response(302, headers={"location": location}))
    with pytest.raises(UserError):
        await ask(asked, PDF)


async def test_size_is_limited(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is too big is given up, and one that unpacks to too much."""
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    asked, _ = model(lambda request: httpx.Response(200, content=b"x" * 1001))
    with pytest.raises(UserError, match="1000 bytes"):
        await ask(asked, PDF)
    packed = httpx.Response(
        200, headers={"content-encoding": "gzip"}, content=gzip.compress(b"x" * 1001)
    )
    asked, _ = model(lambda request: packed)
    with pytest.raises(UserError, match="1000 bytes"):
        await ask(asked, PDF)


async def test_missing_file(names: dict[str, list[str]]) -> None:
    """A file that is not there is told by its status."""
    asked, _ = model(lambda request: httpx.Response(404))
    with pytest.raises(UserError, match="404"):
        await ask(asked, PDF)


async def test_broken_connection(names: dict[str, list[str]]) -> None:
    """A connection that fails is a failure of the network's."""

    def serve(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    asked, _ = model(serve)
    with pytest.raises(ModelConnectionError):
        await ask(asked, PDF)


async def test_type_is_what_the_server_says_where_the_url_does_not(
    names: dict[str, list[str]],
) -> None:
    """A URL without a suffix has the type that it is served with."""
    asked, seen = model(
        lambda request: httpx.Response(
            200, headers={"content-type": "text/csv; charset=utf-8"}, content=b"a,b"
        )
    )
    await ask(asked, DocumentUrl("https://files.test/table"))
    assert "text/csv" in seen[-1].content.decode()
