"""Calls of the provider's own tools in the Responses protocol, as items and as parts.

Facts: OpenAI's API reference for the output items of the response object, and for the input
items of `POST /responses`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from attrs import frozen

from .._core.codec import JSONObject, dictionary, expect_type, maybe
from .._core.returned import args_or_none
from .._values import to_json
from ..builtin_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MCPServerTool,
    WebSearchTool,
)
from ..content import BinaryContent
from ..parts import BuiltinToolCallPart, BuiltinToolReturnPart, FilePart
from ._responses_growth import json_of, listed

__all__ = (
    "ARGS_CUT",
    "ARGS_END",
    "ARGS_LATE",
    "INNER",
    "NATIVE_ITEMS",
    "TOOL_SEARCH",
    "Native",
    "args_text",
    "item_of",
)

# What the parts of built-in tools are called, in both directions.
CODE_EXECUTION = CodeExecutionTool().kind
FILE_SEARCH = FileSearchTool(file_store_ids=()).kind
IMAGE_GENERATION = ImageGenerationTool().kind
MCP_SERVER = MCPServerTool(id="", url="").kind
WEB_SEARCH = WebSearchTool().kind
TOOL_SEARCH = "tool_search"


@frozen
class Native:
    """What one item of a built-in tool becomes.

    Attributes:
        call: The call.
        result: What it returned.
        files: The files that it made, which come between the two.
    """

    call: BuiltinToolCallPart
    result: BuiltinToolReturnPart
    files: tuple[FilePart, ...] = ()


def _native(
    item: JSONObject,
    provider: str,
    tool: str,
    args: JSONObject | None,
    content: Any,
    files: Iterable[FilePart] = (),
    *,
    id: str | None = None,
) -> Native:
    call_id = expect_type(item["id"], str)
    return Native(
        BuiltinToolCallPart(tool, args, call_id, id=id, provider_name=provider),
        BuiltinToolReturnPart(tool, content, call_id, provider_name=provider),
        tuple(files),
    )


def _decoded_file(data: Any, media_type: str) -> BinaryContent:
    """Return a file that is sent in base64, which may lack its padding, or as a `data:` URI.

    Raises:
        TypeError: It is no text.
        ValueError: It is neither.
    """
    head, is_uri, rest = expect_type(data, str).partition(";base64,")
    text = "".join((rest if is_uri else data).split())
    told_type = head.removeprefix("data:") if is_uri else media_type
    content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    return BinaryContent.narrow_type(BinaryContent(content, media_type=told_type))


def read_code_interpreter(item: JSONObject, provider: str) -> Native:
    """Read a call that ran code."""
    code = expect_type(item.get("code") or "", str)
    args = {"container_id": item.get("container_id"), "code": code}
    outputs = [each for each in listed(item.get("outputs")) if isinstance(each, dict)]
    logs = [each["logs"] for each in outputs if each.get("type") == "logs" and "logs" in each]
    images = [each.get("url") for each in outputs if each.get("type") == "image"]
    content = {"status": item.get("status")} | ({"logs": logs} if logs else {})
    inline = (url for url in images if isinstance(url, str) and url.startswith("data:"))
    drawn = (maybe(lambda url: _decoded_file(url, "image/png"), url) for url in inline)
    files = (FilePart(file, id=item["id"]) for file in drawn if file is not None)
    return _native(item, provider, CODE_EXECUTION, args, content, files)


def read_web_search(item: JSONObject, provider: str) -> Native:
    """Read a search of the web."""
    content = {"status": item.get("status")}
    fields = dictionary(item.get("action"))
    action = {key: value for key, value in fields.items() if value is not None}
    # The sources are no part of what the model asked for, and are refused when sent back.
    if sources := action.pop("sources", None):
        content["sources"] = sources
    return _native(item, provider, WEB_SEARCH, action or None, content, id=item["id"])


def read_file_search(item: JSONObject, provider: str) -> Native:
    """Read a search in files."""
    content = {"status": item.get("status")}
    if item.get("results") is not None:
        content["results"] = item["results"]
    args = {"queries": item.get("queries") or []}
    return _native(item, provider, FILE_SEARCH, args, content, id=item["id"])


def read_image_generation(item: JSONObject, provider: str) -> Native:
    """Read an image that was made."""
    data = item.get("result")
    # In a stream the status stays at 'generating'.
    content = {"status": "completed" if data else item.get("status")}
    names = ("background", "quality", "size", "revised_prompt")
    content |= {key: item[key] for key in names if item.get(key)}
    if not data:
        return _native(item, provider, IMAGE_GENERATION, None, content)
    image = _decoded_file(data, f"image/{item.get('output_format') or 'png'}")
    return _native(
        item, provider, IMAGE_GENERATION, None, content, [FilePart(image, id=item["id"])]
    )


def read_mcp_call(item: JSONObject, provider: str) -> Native:
    """Read a call of a tool of an MCP server."""
    given = item.get("arguments")
    # A call that was cut short has none to read.
    arguments = json_of(given) if isinstance(given, str) else dictionary(given)
    args = {"action": "call_tool", "tool_name": item["name"], "tool_args": arguments or {}}
    content = {"output": item.get("output"), "error": item.get("error")}
    return _native(item, provider, f"{MCP_SERVER}:{item['server_label']}", args, content)


def read_mcp_list_tools(item: JSONObject, provider: str) -> Native:
    """Read the list of tools of an MCP server."""
    args = {"action": "list_tools"}
    content = {"tools": item.get("tools") or [], "error": item.get("error")}
    return _native(item, provider, f"{MCP_SERVER}:{item['server_label']}", args, content)


NATIVE_ITEMS: dict[str, Callable[[JSONObject, str], Native]] = {
    "code_interpreter_call": read_code_interpreter,
    "file_search_call": read_file_search,
    "image_generation_call": read_image_generation,
    "mcp_call": read_mcp_call,
    "mcp_list_tools": read_mcp_list_tools,
    "web_search_call": read_web_search,
}

# Calls whose arguments are known only once the item is done.
ARGS_LATE = ("file_search_call", "tool_search_call", "web_search_call")

# Calls whose arguments come as text: what is cut from the JSON of an item that has only
# started, for the deltas to stand there, what closes it again, and what the deltas tell.
ARGS_CUT = {"code_interpreter_call": '"}', "mcp_call": "{}}"}
ARGS_END = {"code_interpreter_call": '"}', "mcp_call": "}"}
INNER = {"code_interpreter_call": "code", "mcp_call": "arguments"}


def args_text(item_type: str, item: JSONObject, call: BuiltinToolCallPart) -> str:
    """Return the arguments of a finished call as the deltas write them."""
    given = item.get("arguments")
    if item_type == "mcp_call" and isinstance(given, str) and json_of(given):
        started = to_json({**call.args_as_dict(), "tool_args": {}})
        return started.removesuffix(ARGS_CUT[item_type]) + given + "}"
    return call.args_as_json_str()


def write_code_interpreter(part: BuiltinToolCallPart, args: JSONObject) -> JSONObject | None:
    """Write a call that ran code."""
    if not args.get("container_id"):
        return None
    return {
        "id": part.tool_call_id,
        "code": args.get("code"),
        "container_id": args["container_id"],
        "outputs": None,
        "status": "completed",
        "type": "code_interpreter_call",
    }


def write_web_search(part: BuiltinToolCallPart, args: JSONObject) -> JSONObject | None:
    """Write a search of the web."""
    action = {key: value for key, value in args.items() if value is not None}
    named = {"id": part.tool_call_id, "action": action}
    return {**named, "status": "completed", "type": "web_search_call"} if action else None


def write_file_search(part: BuiltinToolCallPart, args: JSONObject) -> JSONObject | None:
    """Write a search in files."""
    named = {"id": part.tool_call_id, "queries": args.get("queries", [])}
    return {**named, "status": "completed", "type": "file_search_call"} if args else None


def write_image_generation(part: BuiltinToolCallPart, args: JSONObject) -> JSONObject | None:
    """Write an image that was made."""
    return {"id": part.tool_call_id, "type": "image_generation_call"}


def write_mcp(part: BuiltinToolCallPart, args: JSONObject) -> JSONObject | None:
    """Write a call to an MCP server."""
    named = {"id": part.tool_call_id, "server_label": part.tool_name.partition(":")[2]}
    if args.get("action") == "list_tools":
        return {**named, "type": "mcp_list_tools", "tools": []}
    if "tool_name" not in args:
        return None
    called = {"name": args["tool_name"], "arguments": to_json(args.get("tool_args") or {})}
    return {**named, **called, "error": None, "output": None, "type": "mcp_call"}


_ITEMS: dict[str, Callable[[BuiltinToolCallPart, JSONObject], JSONObject | None]] = {
    CODE_EXECUTION: write_code_interpreter,
    FILE_SEARCH: write_file_search,
    IMAGE_GENERATION: write_image_generation,
    MCP_SERVER: write_mcp,
    WEB_SEARCH: write_web_search,
}


def item_of(part: BuiltinToolCallPart) -> JSONObject | None:
    """Return the item that a call goes back as, None where too little of it is known.

    A call that was cut short has no arguments.
    """
    write = _ITEMS.get(part.tool_name.partition(":")[0])
    return None if write is None else write(part, args_or_none(part) or {})
