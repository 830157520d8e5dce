"""Which files must be downloaded and sent as bytes, by protocol."""

from __future__ import annotations

from typing import Any

import pytest

from direct_anyio import infer_model
from direct_anyio.content import AudioUrl, DocumentUrl, ImageUrl, VideoUrl

from .test_encoding_gemini import CLOUD_URL, FILES

ITEMS: dict[str, Any] = {
    "image": ImageUrl("https://a.test/a.png"),
    "image, forced": ImageUrl("https://a.test/a.png", force_download=True),
    "audio": AudioUrl("https://a.test/a.mp3"),
    "pdf": DocumentUrl("https://a.test/a.pdf"),
    "pdf, forced": DocumentUrl("https://a.test/a.pdf", force_download=True),
    "text": DocumentUrl("https://a.test/a.txt"),
    "video": VideoUrl("https://a.test/a.mp4"),
    "youtube, forced": VideoUrl("https://youtu.be/x", force_download=True),
    "bucket": ImageUrl("gs://a/b.png"),
    "uploaded": ImageUrl(f"{FILES}a"),
    "uploaded elsewhere": ImageUrl(f"{FILES}a".replace(".com/", ".com.test/")),
    "another path": ImageUrl(f"{FILES}a".replace("files", "models")),
}

FORCED = {"image, forced", "pdf, forced"}
HTTP = {"image", "audio", "pdf", "text", "video", "uploaded elsewhere", "another path"}

DOWNLOADED: dict[str, set[str]] = {
    "openai-chat:gpt-4o": FORCED | {"audio", "pdf", "text", "youtube, forced"},
    "openrouter:openai/gpt-4o": FORCED | {"audio", "youtube, forced"},
    "openai-responses:gpt-4.1": FORCED | {"youtube, forced"},
    "anthropic:claude-haiku-4-5": FORCED | {"text"},
    "mistral:mistral-large-latest": FORCED | {"text", "youtube, forced"},
    "google-gla:gemini-2.5-flash": FORCED | HTTP | {"bucket"},
    "google-vertex:gemini-2.5-flash": FORCED,
}


@pytest.mark.parametrize("name", DOWNLOADED)
def test_needs_download(name: str) -> None:
    """A file that the provider does not read by URL, or that is forced, is downloaded."""
    url = CLOUD_URL if name.startswith("google-vertex") else None
    codec: Any = getattr(infer_model(name, api_key="key", base_url=url), "codec")  # noqa: B009
    made = {item for item in ITEMS if codec.needs_download(ITEMS[item])}
    assert made == DOWNLOADED[name]
