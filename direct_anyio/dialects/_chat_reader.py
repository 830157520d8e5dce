"""Reads the answers of the Chat family: choices, calls, thoughts, pictures, finish reasons.

A frame of a stream and a whole response are read by the same code. Servers mix the two: a
frame may hold a whole message, and a body may lack what the protocol prescribes.

Facts: OpenAI's API reference for the chat completion object and its chunks, the references of
the gateways that speak it, and public reports of what they send.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar

from .._core.codec import (
    Item,
    JSONObject,
    Mark,
    PartChunk,
    Reader,
    ResponseInfo,
    StreamEnd,
    WholePart,
    dictionary,
    expect_type,
    index_of,
    maybe,
    others_left_out,
    reason_of,
    text_chunk,
    text_of,
    thinking_chunk,
)
from .._core.failures import in_stream_error, is_error
from .._core.identity import ToolCalls
from ..content import BinaryContent
from ..events import TextPartDelta
from ..messages import FinishReason
from ..parts import FilePart
from ..profiles import ModelProfile
from ._chat import FINISH_REASONS, usage_of
from ._shared import heading, logprob

__all__ = ("ChatReader", "TaggedText", "has_text")

_NETWORK_ERROR = "network_error"


class ChatReader(Reader):
    """Reads one response of the Chat family, streamed or whole.

    Attributes:
        finish_reasons: What the protocol's finish reasons mean.
        head_details: Members of a response's head that are kept as the provider's details.
        thinking_fields: Where a message may have its thoughts, the first that has some.
        nameless_calls_continue: Whether a piece of a call without a name never starts one.

    Args:
        model_name: The model, for errors.
        profile: Where the model puts its thoughts.
        marks: The id and the provider's name that thoughts between tags get.
    """

    stream_end = StreamEnd.DONE
    finish_reasons: ClassVar[Mapping[str, FinishReason]] = FINISH_REASONS
    head_details: ClassVar[tuple[str, ...]] = ()
    thinking_fields: ClassVar[tuple[str, ...]] = (
        "reasoning",
        "reasoning_content",
        "reasoning_details",
    )
    nameless_calls_continue: ClassVar[bool] = False

    def __init__(
        self,
        model_name: str,
        profile: ModelProfile,
        marks: tuple[str | None, str | None] = (None, None),
    ) -> None:
        self._model_name = model_name
        self._tagged = TaggedText(profile, marks)
        self._calls = ToolCalls(nameless_continue=self.nameless_calls_continue)
        self._head: tuple[Any, Any] | None = None
        # The choice that is the answer, and the others, which are not.
        self._index: int | None = None
        self._others: set[int] = set()
        self._told_others = 0
        # Frames with choices of other indexes, until one of index 0 has come.
        self._waiting: list[JSONObject] = []
        self._texts: list[str] = []
        self._length = 0  # characters of `_said`
        self._has_delta = self._has_thoughts = self._has_content = False
        self._refusal: list[str] = []
        self._logprobs: list[JSONObject] = []
        self._annotations: list[Any] = []
        self._known_annotations: set[str] = set()
        self._images: set[int] = set()
        self._linked_images: list[Any] = []
        self._audio = _Audio()

    def frame(self, event: str, document: JSONObject) -> Iterator[Item]:
        """Read one `chat.completion.chunk`, or a whole `chat.completion` as a frame."""
        yield from self._heading(document)
        used = self.usage(document)
        if used is not None:
            yield used
        if not document.get("choices"):
            return
        # What choices of one frame have is not passed on twice.
        length, had_content = self._length, self._has_content
        for choice in self._chosen(document):
            if choice.get("usage"):
                yield ResponseInfo(usage=usage_of(dictionary(choice["usage"])))
            yield from self._message(choice, length, had_content)
            yield from self._finish(choice, document)
        if len(self._others) > self._told_others:
            self._told_others = len(self._others)
            yield others_left_out(self._told_others)

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a `chat.completion`."""
        expect_type(document["choices"], list)[0]
        self._tagged.skips_blank = False
        finished = False
        for item in (*self.frame("message", document), *self._waited(), *self._tagged.end()):
            finished = finished or item is Mark.FINISHED
            yield item
        if not finished and self._has_content:
            # Some servers leave the reason out of a whole answer.
            yield ResponseInfo(finish_reason="tool_call" if self._calls.count else "stop")
            yield Mark.FINISHED

    def end(self) -> Iterator[Item]:
        """Return what was held back."""
        yield from self._waited()
        yield from self._tagged.end()
        yield from self._audio.end()
        annotations = map(dictionary, self._annotations)
        links = [each for each in annotations if each.get("type") == "url_citation"]
        if links and self._tagged.text_key is not None:
            yield text_chunk(self._tagged.text_key, "", details={"citations": links})
        if self._refusal:
            details = {"refusal": "".join(self._refusal)}
            yield ResponseInfo(finish_reason="content_filter", provider_details=details)

    def _waited(self) -> Iterator[Item]:
        """Read the choices of the lowest index, where none of index 0 has come."""
        waiting, self._waiting = self._waiting, []
        if self._index is None and waiting:
            each = (choice for document in waiting for choice in document["choices"])
            self._index = min(map(_index_of, each))
            for document in waiting:
                yield from self.frame("message", document)

    def _heading(self, document: JSONObject) -> Iterable[Item]:
        details = [name for name in self.head_details if document.get(name)]
        head = (document.get("id"), document.get("model"))
        if not details and (head == self._head or not any(head)):
            return ()
        self._head = head
        return (heading(document, {name: document[name] for name in details}),)

    def usage(self, document: JSONObject) -> ResponseInfo | None:
        """Return what has been used so far, None where a frame does not tell."""
        usage = document.get("usage")
        return ResponseInfo(usage=usage_of(usage)) if isinstance(usage, dict) else None

    def _chosen(self, document: JSONObject) -> Iterable[JSONObject]:
        """Return the choices that are the answer: those of index 0, where there is one."""
        choices = expect_type(document["choices"], list)
        if len(choices) == 1 and self._index == 0:
            only = choices[0]
            if type(only) is dict and only.get("index") == 0:
                return choices
        choices = [expect_type(choice, dict) for choice in choices if choice is not None]
        indexes = [_index_of(choice) for choice in choices]
        if self._index is None:
            if 0 not in indexes:
                self._waiting.append({"choices": choices})
                return ()
            self._index = 0
            self._others.update(_index_of(c) for each in self._waiting for c in each["choices"])
        self._others.update(index for index in indexes if index != self._index)
        both = zip(indexes, choices, strict=True)
        return [choice for index, choice in both if index == self._index]

    def _message(self, choice: JSONObject, length: int, had_content: bool) -> Iterable[Item]:
        """Read the delta of a choice, and its message; Perplexity has both.

        Args:
            choice: The choice.
            length: Characters of the text before its frame.
            had_content: Whether there was anything before its frame.
        """
        delta, message = choice.get("delta") or {}, choice.get("message")
        if not message:
            if type(delta) is dict and len(delta) == 1:
                text = delta.get("content")
                if text and type(text) is str:  # nearly all deltas are no more than this
                    self._has_delta = True
                    return self._text(text)
            return self._delta(delta, choice, whole=not delta and "message" in choice)
        # Of a whole message counts what no delta has brought.
        if not any(value for name, value in dictionary(delta).items() if name != "role"):
            return self._delta(message, choice, whole=True, repeats=had_content, length=length)
        both = self._delta(delta, choice), self._delta(message, choice, whole=True, repeats=True)
        return chain.from_iterable(both)

    def _delta(
        self,
        message: JSONObject,
        choice: JSONObject,
        *,
        whole: bool = False,
        repeats: bool = False,
        length: int | None = None,
    ) -> Iterator[Item]:
        """Read a delta, or a whole message.

        Args:
            message: The delta, or the message.
            choice: Its choice.
            whole: Whether it is a message.
            repeats: Whether it may tell again what is known.
            length: Characters of what is known that it may repeat; None for all.
        """
        self._has_delta = self._has_delta or not whole
        if expect_type(message, dict).get("refusal") and not (repeats and self._refusal):
            self._refused(message["refusal"])
        is_known = self._has_delta and (self._has_thoughts or self._tagged.has_thoughts)
        if not (repeats and is_known):
            for item in self.thoughts(message, whole=whole):
                self._has_content = self._has_thoughts = True
                yield item
        content = message.get("content") or choice.get("text")
        if repeats and content:
            content = self._rest(content, self._length if length is None else length, choice)
        if isinstance(content, str):
            yield from self._text(content)
        elif content:
            yield from self._content(content)
        calls = message.get("tool_calls")
        if not calls and message.get("function_call"):
            function = dictionary(message["function_call"])  # before there were several
            calls = [{"function": function}] if any(function.values()) else ()
        if calls:
            self._has_content = True
            yield from self._called(expect_type(calls, list), whole=whole, repeats=repeats)
        if message.get("images") or message.get("audio") or message.get("annotations"):
            yield from self._extras(message, repeats=repeats)

    def _rest(self, content: Any, length: int, choice: JSONObject) -> str:
        """Return what the content of a message has beyond what is known.

        Some servers send a stream in messages, each whole so far, or each a piece.
        """
        text = "".join(text for kind, text in _contents(content) if kind == "text")
        is_longer = len(text) > length or self._has_delta or bool(choice.get("finish_reason"))
        if len(text) >= length and is_longer:
            self._texts = ["".join(self._texts)]
            if text.startswith(self._texts[0][:length]):
                return text[length:]
        # Behind deltas it is the whole, written otherwise.
        return "" if self._has_delta else text

    def _content(self, content: Any) -> Iterator[Item]:
        """Read a list of contents, as some servers have it."""
        for kind, text in _contents(content):
            if kind == "thinking":
                self._has_content = self._has_thoughts = True
                yield thinking_chunk("thinking", text)
            elif kind == "image":
                yield from self._image(text)
            elif kind == "refusal":
                self._refused(text)
            else:
                yield from self._text(text)

    def _refused(self, text: Any) -> None:
        if isinstance(text, str) and text:
            self._has_content = True
            self._refusal.append(text)

    def _text(self, text: str) -> Iterable[Item]:
        if not text:
            return ()
        self._has_content = True
        self._texts.append(text)
        self._length += len(text)
        return self._tagged.feed(text)

    def _called(self, calls: list[Any], *, whole: bool, repeats: bool) -> Iterator[Item]:
        for number, call in enumerate(calls):
            if call is None:
                continue
            # Some servers leave the inner object out, or have one of another name.
            function = call.get("function") or call.get("custom") or call
            args = function.get("arguments")
            if args is None:
                args = function.get("input", function.get("parameters"))
            extra = call.get("extra_content")
            details = {"extra_content": extra} if extra else None
            id, name = call.get("id"), function.get("name")
            if not whole:
                yield self._calls.piece(call.get("index"), id, name, args, details)
            elif not repeats:
                yield self._calls.whole(id, name, args, details)
            elif (rest := self._calls.completed(number, id, name, args, details)) is not None:
                yield rest

    def _extras(self, message: JSONObject, *, repeats: bool) -> Iterator[Item]:
        """Read what comes beside the text: pictures, sound, and what the answer cites."""
        images = message.get("images")
        for image in images if isinstance(images, list) else [images]:
            yield from self._image(_url_of(image))
        if not (repeats and self._audio.is_begun):
            yield from self._audio.feed(dictionary(message.get("audio")))
        cited = message.get("annotations")
        if isinstance(cited, list) and cited:
            new = {repr(each): each for each in cited if repr(each) not in self._known_annotations}
            self._known_annotations.update(new)
            self._annotations += new.values()
            yield ResponseInfo(provider_details={"annotations": self._annotations})

    def _image(self, url: Any) -> Iterator[Item]:
        if not isinstance(url, str) or hash(url) in self._images:
            return
        self._images.add(hash(url))
        self._has_content = True
        file = maybe(_file_of, url) if url.startswith("data:") else None
        if file is not None:
            yield WholePart(("image", len(self._images)), file)
        else:
            self._linked_images.append(url)
            yield ResponseInfo(provider_details={"images": self._linked_images})

    def _finish(self, choice: JSONObject, document: JSONObject) -> Iterable[Item]:
        reason, native = choice.get("finish_reason"), choice.get("native_finish_reason")
        if not (reason or native or choice.get("logprobs") or choice.get("error")):
            return ()
        reason = reason_of(reason)
        failed = reason is not None and reason.lower() in ("error", _NETWORK_ERROR)
        if (
            failed
            or is_error(choice.get("error"))
            or (native == _NETWORK_ERROR and not self._has_content)
        ):
            raise in_stream_error(document, self._model_name)
        return self._finished(reason, choice, document)

    def _finished(
        self, reason: str | None, choice: JSONObject, document: JSONObject
    ) -> Iterator[Item]:
        tokens = dictionary(choice.get("logprobs")).get("content")
        logprobs = [logprob(each) for each in tokens if each] if isinstance(tokens, list) else []
        if not reason and not logprobs:
            return
        details: JSONObject = {"finish_reason": reason} if reason and not self._refusal else {}
        if logprobs:
            # Each frame has those of its own tokens.
            self._logprobs += logprobs
            details["logprobs"] = self._logprobs
        yield ResponseInfo(
            finish_reason=self.finish_reasons.get(reason) if reason else None,
            provider_details=details | self.details(choice, document),
        )
        if reason:
            yield Mark.FINISHED

    def details(self, choice: JSONObject, document: JSONObject) -> JSONObject:
        """Return more of the provider's own data, that comes with a finish reason."""
        return {}

    def thoughts(self, message: JSONObject, *, whole: bool) -> Iterable[Item]:
        """Return the thoughts that have a field of their own."""
        for name in self.thinking_fields:
            if message.get(name) and (text := text_of(message[name])):
                return (thinking_chunk(name, text),)
        return ()


def _index_of(choice: JSONObject) -> int:
    return index_of(choice.get("index")) or 0


def has_text(item: Item) -> bool:
    """Return whether an item is a piece of a thought with text in it."""
    return isinstance(item, PartChunk) and bool(getattr(item.delta, "content_delta", None))


def _url_of(image: Any) -> Any:
    """Return the URL of an image, which some servers write without its object, or as its data."""
    data = dictionary(image).get("b64_json")
    if isinstance(data, str):
        return f"data:image/png;base64,{data}"
    url = dictionary(image).get("image_url", image)
    return url.get("url") if isinstance(url, dict) else url


def _file_of(url: str) -> FilePart:
    head, _, data = url.partition(",")
    media_type = head.removeprefix("data:").removesuffix(";base64")
    if not head.endswith(";base64") or not media_type:
        raise ValueError("a data URI of another form")
    content = base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
    return FilePart(BinaryContent(content, media_type=media_type))


def _contents(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield the texts, thoughts and pictures of a message, each with its kind."""
    for piece in content if isinstance(content, list) else [content]:
        if piece is None:
            continue
        if isinstance(piece, str):
            yield "text", piece
            continue
        kind = expect_type(piece, dict).get("type")
        if kind in ("thinking", "reasoning"):
            yield "thinking", text_of(piece)
        elif kind == "image_url":
            yield "image", _url_of(piece)
        elif kind == "refusal":
            yield kind, piece.get("refusal")
        else:
            # Some servers write it as an object, or as `content`.
            text = piece.get("text")
            text = text.get("value") if isinstance(text, dict) else text
            text = piece.get("content") if text is None else text
            if isinstance(text, str) and text:
                yield "text", text
            elif kind is None and piece:
                raise TypeError("a content of no type")


class _Audio:
    """Reads an answer that is spoken: its transcript is text, its sound a file."""

    def __init__(self) -> None:
        self._known: JSONObject = {}
        self._pieces: list[bytes] = []
        self._rest = ""

    @property
    def is_begun(self) -> bool:
        return bool(self._pieces)

    def feed(self, audio: JSONObject) -> Iterator[Item]:
        self._known |= {key: audio[key] for key in ("id", "expires_at") if audio.get(key)}
        # Pieces are base64 on their own, or of one text that is cut anywhere.
        data = self._rest + text_of(audio.get("data"))
        cut = len(data) // 4 * 4
        self._pieces.append(maybe(base64.b64decode, data[:cut]) or b"")
        self._rest = data[cut:]
        transcript = text_of(audio.get("transcript"))
        if transcript:
            yield text_chunk("transcript", transcript)

    def end(self) -> Iterator[Item]:
        sound = b"".join(self._pieces)
        if sound:
            self._pieces.clear()
            # The answer does not say which format it has; its first bytes do.
            formats = (name for start, name in _SOUNDS.items() if sound.startswith(start))
            media_type = next(formats, "audio/pcm")
            if sound[:1] == b"\xff" and sound[1:2] >= b"\xe0":
                media_type = "audio/mpeg"
            content = BinaryContent(sound, media_type=media_type)
            id = maybe(lambda id: expect_type(id, str), self._known.get("id"))
            yield WholePart("audio", FilePart(content, id=id, provider_details=self._known))


_SOUNDS = {b"RIFF": "audio/wav", b"ID3": "audio/mpeg", b"OggS": "audio/ogg", b"fLaC": "audio/flac"}


class TaggedText:
    """Reads text in which thoughts stand between tags, however it is cut.

    What may be the start of a tag is held back until more comes.

    Args:
        profile: The tags, and whether the blank space that a text starts with is dropped.
        marks: The id of the thoughts, and the provider that they are marked with.

    Attributes:
        skips_blank: Whether that blank space is dropped; it is not in a whole answer.
        text_key: The key of the text that was read last, None before the first.
    """

    def __init__(self, profile: ModelProfile, marks: tuple[str | None, str | None]) -> None:
        self._tags = profile.thinking_tags
        self.skips_blank = profile.ignore_streamed_leading_whitespace
        self._id, self._provider_name = marks
        self._place = 0  # counts the parts that the tags make
        self._in_thought = False
        self._in_text = False
        self._held = ""
        self.text_key: Any = None

    @property
    def has_thoughts(self) -> bool:
        """Whether a thought has begun."""
        return self._place > 0

    def feed(self, text: str) -> Iterable[Item]:
        """Read a piece of the text."""
        tag = self._tags[self._in_thought]
        if not tag or (not self._held and tag[0] not in text):
            return self._piece(text)
        return self._split(self._held + text)

    def _split(self, text: str) -> Iterator[Item]:
        at = 0
        while True:
            tag = self._tags[self._in_thought]
            found = text.find(tag, at) if tag else -1
            if found < 0:
                break
            yield from self._piece(text[at:found])
            at = found + len(tag)
            self._place += 1
            self._in_thought = not self._in_thought
            self._in_text = False
            if self._in_thought:
                yield self._thought("")
        # Held back is the longest end of the text that may begin the tag.
        lengths = range(min(len(tag) - 1, len(text) - at), 0, -1)
        held = next((length for length in lengths if text.endswith(tag[:length])), 0)
        cut = len(text) - held
        self._held = text[cut:]
        yield from self._piece(text[at:cut])

    def end(self) -> Iterable[Item]:
        """Return what was held back; it was no tag."""
        held, self._held = self._held, ""
        return self._piece(held)

    def _piece(self, text: str) -> Iterable[Item]:
        if not text:
            return ()
        if self._in_thought:
            return (self._thought(text),)
        if not self._in_text and self.skips_blank:
            text = text.lstrip()
            if not text:
                return ()
        self._in_text = True
        self.text_key = ("content", self._place)
        return (PartChunk(self.text_key, TextPartDelta(text)),)

    def _thought(self, text: str) -> Item:
        key = ("content", self._place)
        return thinking_chunk(key, text, id=self._id, provider_name=self._provider_name)
