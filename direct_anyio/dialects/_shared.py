"""What dialects share beside messages: settings, schemas of answers, heads and logprobs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .._core.codec import JSONObject, ResponseInfo, dictionary, maybe
from .._core.json_schema import checked_name
from ..profiles import ModelProfile
from ..tools import DEFAULT_OUTPUT_TOOL_NAME, OutputObjectDefinition

__all__ = ("heading", "logprob", "mapped_settings", "output_schema")


def mapped_settings(settings: Mapping[str, Any], table: Mapping[str, str]) -> JSONObject:
    """Return settings as members of a body, by a table from one to the other."""
    body = {name: settings.get(key) for key, name in table.items() if key in settings}
    return {name: value for name, value in body.items() if value is not None}


def output_schema(output: OutputObjectDefinition, profile: ModelProfile) -> JSONObject:
    """Return the schema of an answer with its name; but not whether it is strict."""
    name = checked_name(output.name or DEFAULT_OUTPUT_TOOL_NAME, profile.tool_name_pattern)
    written = {"name": name, "schema": output.json_schema}
    return written | ({"description": output.description} if output.description else {})


def heading(
    document: JSONObject, details: JSONObject | None = None, *, created: str = "created"
) -> ResponseInfo:
    """Return the head of a response: its model, id and time.

    Args:
        document: The response, or a frame of it.
        details: More of the provider's own data.
        created: The member that holds when it was made, in seconds since 1970.
    """
    time = maybe(
        lambda seconds: datetime.fromtimestamp(seconds, UTC), document.get(created) or None
    )
    dated = {} if time is None else {"timestamp": time}
    return ResponseInfo(
        model_name=document.get("model") or None,
        provider_response_id=document.get("id") or None,
        provider_details=dated | (details or {}),
    )


def logprob(token: Any) -> JSONObject:
    """Return the log probability of a token, and of those that were likely in its place."""
    keys = ("token", "logprob", "bytes")
    likely = map(dictionary, maybe(list, dictionary(token).get("top_logprobs")) or ())
    top = [{key: each.get(key) for key in keys} for each in likely]
    return {key: dictionary(token).get(key) for key in keys} | {"top_logprobs": top}
