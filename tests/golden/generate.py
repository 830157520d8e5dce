"""Write what the installed pydantic-ai stores of a history that holds every kind of word.

Run `python tests/golden/generate.py` with an interpreter that has pydantic-ai; it writes
`v1.json` or `v2.json` beside itself, by the major version that it finds.
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pydantic_ai.messages as words  # type: ignore[import-not-found, unused-ignore]
from pydantic_ai.usage import RequestUsage  # type: ignore[import-not-found, unused-ignore]

WHEN = datetime(2026, 1, 22, 12, 0, 0, 250_000, tzinfo=UTC)
ELSEWHERE = datetime(2026, 1, 22, 17, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
PICTURE = b"\x89PNG\r\n\x1a\n\xff\xfe\xfb"

CallPart: Any = getattr(words, "NativeToolCallPart", None) or words.BuiltinToolCallPart
ReturnPart: Any = getattr(words, "NativeToolReturnPart", None) or words.BuiltinToolReturnPart


def content() -> list[Any]:
    """Every kind of user content that both versions have."""
    return [
        "Describe:",
        words.ImageUrl("https://example.com/cat.png", vendor_metadata={"detail": "low"}),
        words.AudioUrl("https://example.com/purr.mp3", force_download=True),
        words.DocumentUrl("https://example.com/cat", media_type="application/pdf"),
        words.VideoUrl("https://youtu.be/cat", identifier="film"),
        words.BinaryContent(PICTURE, media_type="image/png"),
        words.BinaryContent(b"%PDF", media_type="application/pdf", identifier="paper"),
        words.CachePoint(ttl="1h"),
    ]


def more_content() -> list[Any]:
    """What only version 2 has."""
    return [
        words.TextContent("Noted.", metadata={"source": "notes.txt"}),
        words.UploadedFile(file_id="file-1", provider_name="openai"),
        words.StructuredContent({"page": 3}, tag="ui_state"),
    ]


def request(parts: list[Any], **fields: Any) -> Any:
    """A request."""
    return words.ModelRequest(parts=parts, **fields)


def response(parts: list[Any], **fields: Any) -> Any:
    """A response with every field set."""
    return words.ModelResponse(
        parts=parts,
        usage=RequestUsage(
            input_tokens=56,
            cache_write_tokens=1,
            cache_read_tokens=2,
            output_tokens=7,
            input_audio_tokens=3,
            cache_audio_read_tokens=4,
            output_audio_tokens=5,
            details={"reasoning_tokens": 6},
        ),
        model_name="claude-haiku-4-5",
        timestamp=WHEN,
        provider_name="anthropic",
        provider_url="https://api.anthropic.com",
        provider_details={"finish_reason": "tool_use", "timestamp": ELSEWHERE},
        provider_response_id="msg_1",
        finish_reason="tool_call",
        run_id="run-1",
        metadata={"trace": [1, 2.5, None, True]},
        **fields,
    )


def answers() -> list[Any]:
    """Every part of a response that both versions have."""
    own = {"provider_name": "anthropic", "provider_details": {"server": "x"}}
    return [
        words.ThinkingPart("Let me look.", id="t1", signature="sig==", **own),
        words.TextPart("Un chat.", id="p1", provider_details={"logprobs": [-0.25]}),
        words.ToolCallPart("lookup", '{"q":"cat"}', "toolu_1"),
        words.ToolCallPart("lookup", {"q": "dog", "raw": b"\xff"}, "toolu_2"),
        words.ToolCallPart("lookup", None, "toolu_3"),
        CallPart("web_search", {"query": "cats"}, "srv_1", **own),
        ReturnPart("web_search", [{"url": "https://x"}], "srv_1", timestamp=WHEN, **own),
        words.FilePart(words.BinaryContent(PICTURE, media_type="image/png"), id="f1"),
        words.FilePart(words.BinaryContent(b"RIFF", media_type="audio/wav")),
    ]


def returns() -> list[Any]:
    """Tool returns and retry prompts."""
    mixed = {
        "picture": words.BinaryContent(PICTURE, media_type="image/png"),
        "links": [words.ImageUrl("https://example.com/cat.png")],
        "bytes": b"\xff\xee",
        "when": ELSEWHERE,
        "number": 2**70,
    }
    errors = [{"type": "missing", "loc": ("q", 0), "msg": "Field required", "input": {"a": 1}}]
    own: dict[str, Any] = {"timestamp": WHEN}
    return [
        words.ToolReturnPart("lookup", {"ok": True}, "toolu_1", metadata={"rows": [1]}, **own),
        words.ToolReturnPart("lookup", mixed, "toolu_2", **own),
        words.RetryPromptPart("try again", tool_name="lookup", tool_call_id="toolu_3", **own),
        words.RetryPromptPart(errors, tool_call_id="toolu_4", **own),
    ]


def more_answers() -> list[Any]:
    """What only version 2 has."""
    return [
        words.CompactionPart("We spoke of cats.", id="c1", provider_name="anthropic"),
        words.ToolReturnPart("lookup", "no", "toolu_9", outcome="denied", timestamp=WHEN),
        words.RetryFeedbackPart(
            "Say more.", retry=words.RetryInfo(cause="model_retry"), timestamp=WHEN
        ),
    ]


def history(major: int) -> list[Any]:
    """The history."""
    later = major >= 2
    prompt = words.UserPromptPart(content() + (more_content() if later else []), timestamp=WHEN)
    system = words.SystemPromptPart("Be brief.", timestamp=ELSEWHERE, dynamic_ref="clock")
    compaction, *more = more_answers() if later else (None,)
    return [
        request([system, prompt], instructions="Answer in French.", timestamp=WHEN),
        response(answers()),
        request(returns() + more, metadata={"by": "test"}, run_id="run-1"),
        *([response([compaction], state="interrupted")] if later else []),
    ]


def main() -> None:
    """Write the file."""
    major = int(version("pydantic-ai-slim").split(".")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = words.ModelMessagesTypeAdapter.dump_json(history(major), indent=1)
    (Path(__file__).parent / f"v{major}.json").write_bytes(stored + b"\n")


if __name__ == "__main__":
    main()
