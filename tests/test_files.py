"""Files whose URL holds their content: read in one place, before any dialect sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from direct_anyio import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserError,
    UserPromptPart,
    VideoUrl,
    infer_model,
)
from direct_anyio._core.files import inlined, with_files

from .test_gateways import body_of, sent

PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
WAV = "data:audio/wav;base64,UklGRg=="


def prompt_with(file: Any) -> list[ModelMessage]:
    return [ModelRequest([UserPromptPart(["See:", file])])]


def returned(content: Any) -> list[ModelMessage]:
    call = ModelResponse([ToolCallPart("f", {}, "c12345678")])
    return [*prompt_with("x"), call, ModelRequest([ToolReturnPart("f", content, "c12345678")])]


NAMES = (
    "openai:m",
    "openai-responses:m",
    "anthropic:m",
    "google:gemini-3-pro-preview",
    "google-cloud:gemini-2.5-pro",
    "groq:m",
    "mistral:m",
)


@pytest.mark.parametrize("make", [prompt_with, lambda file: returned([file, "x"]), returned])
@pytest.mark.parametrize("name", NAMES)
async def test_a_data_uri_goes_as_its_bytes(
    name: str, make: Callable[[Any], list[ModelMessage]]
) -> None:
    """Every dialect writes it as it writes the same bytes, in prompts and in results."""
    url = ImageUrl(PNG, identifier="id", vendor_metadata={"detail": "low"})
    content = BinaryContent(
        b"\x89PNG\r\n\x1a\n",
        media_type="image/png",
        identifier="id",
        vendor_metadata={"detail": "low"},
    )
    one, other = [await sent(name, make(each), base_url="https://h") for each in (url, content)]
    assert body_of(one) == body_of(other)
    assert "iVBORw0KGgo" in json.dumps(body_of(one))


@pytest.mark.parametrize(
    ("name", "file", "part"),
    [
        ("openai:m", AudioUrl(WAV), '"data":"UklGRg=="'),
        ("openai:m", DocumentUrl("data:text/csv,a%2Cb"), "a,b"),
        ("openai:m", DocumentUrl(PDF), f'"file_data":"{PDF}"'),
        ("openai-responses:m", DocumentUrl(PDF), f'"file_data":"{PDF}"'),
        ("anthropic:m", DocumentUrl(PDF, force_download=True), '"type":"base64"'),
        ("anthropic:m", DocumentUrl("data:,a%20b"), '"data":"a b"'),
        ("anthropic:m", DocumentUrl("data:text/plain;charset=latin-1,caf%E9"), "caf\\u00e9"),
        ("anthropic:m", DocumentUrl('data:;charset="utf-16";base64,//5hAA=='), '"data":"a"'),
        ("anthropic:m", DocumentUrl("data:text/plain;charset=x,caf%C3%A9"), "caf\\u00e9"),
        ("anthropic:m", ImageUrl("data:image/jpg;base64,/9j/"), '"media_type":"image/jpeg"'),
        ("openai:m", AudioUrl("data:audio/x-wav;base64,UklGRg=="), '"format":"wav"'),
        ("google:m", VideoUrl("data:video/mp4;base64,AAAA"), '"mimeType":"video/mp4"'),
        ("mistral:m", DocumentUrl(PDF), f'"document_url":"{PDF}"'),
    ],
)
async def test_data_uris_of_each_kind(name: str, file: FileUrl, part: str) -> None:
    """None of them needs a download."""
    body = body_of(await sent(name, prompt_with(file)))
    assert part in json.dumps(body, separators=(",", ":"))


@pytest.mark.parametrize("uri", ["data:image/png;base64,secret!", "data:secret", "data:a;base64"])
async def test_a_data_uri_that_makes_no_sense(uri: str) -> None:
    """The error is short, and does not hold it."""
    with pytest.raises(UserError, match=r"^(?!.*secret)Part 0 of message 0, .{,80}$"):
        await sent("openai:m", prompt_with(ImageUrl(uri)))


@pytest.mark.parametrize("name", NAMES)
async def test_no_error_holds_a_whole_url(name: str) -> None:
    """However long the URL is that cannot be sent."""
    files = (
        VideoUrl(f"https://h/{'x' * 5000}"),
        ImageUrl(f"https://h/{'x' * 5000}", force_download=True),
        DocumentUrl(f"https://h/{'x' * 5000}"),
        AudioUrl(f"https://h/{'x' * 5000}", force_download=True),
    )
    for file in files:
        error = ""
        try:
            await sent(name, prompt_with(file), base_url="https://h.test")
        except UserError as exc:
            error = str(exc)
        assert len(error) < 600


@pytest.mark.parametrize(
    ("messages", "reported"),
    [
        (prompt_with(ImageUrl(cast(Any, 5))), "content.1..url. takes text, not 5"),
        (prompt_with("hi")[0], "is a list of ModelRequest"),
        (5, "is a list of ModelRequest"),
        (None, "no messages"),
    ],
)
async def test_a_mistake_is_reported_before_files_are_looked_for(
    messages: Any, reported: str
) -> None:
    """What is no list of messages, or holds a file of anything, is a `UserError`."""
    model = infer_model("openai-chat:gpt-4.1", api_key="k", downloads=True)
    with pytest.raises(UserError, match=reported):
        await model.request(messages, None, ModelRequestParameters())


def test_messages_without_files_stay_the_same() -> None:
    """What is not changed is not copied, and what is given is not changed."""
    messages = [*prompt_with("x"), *prompt_with(ImageUrl(PNG)), *returned("y")]
    new = with_files(messages, inlined)
    assert [a is b for a, b in zip(new, messages, strict=True)] == [True, False, True, True, True]
    assert messages[1].parts[0].content[1].url == PNG  # type: ignore[union-attr,index]
