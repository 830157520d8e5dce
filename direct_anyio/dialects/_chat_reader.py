"""Reads the answers of the Chat family: choices, calls, thoughts, pictures, finish reasons.

A frame of a stream and a whole response are read by the same code. Servers mix the two: a
frame may hold a whole message, and a body may lack what the protocol prescribes.

Facts: OpenAI's API reference for the chat completion object and its chunks, the references of
the gateways that speak it, and public reports of what they send.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from .._core.codec import (
    Item,
    Mark,
    Reader,
    ResponseInfo,
    StreamEnd,
    WholePart,
    dictionary,
    maybe,
    text_chunk,
    text_of,
    thinking_chunk,
    typed,
)
from .._core.failures import in_stream_error
from .._core.identity import ToolCalls
from ..content import BinaryContent
from ..messages import FinishReason
from ..parts import FilePart
from ..profiles import ModelProfile
from ..usage import RequestUsage
from ._chat import FINISH_REASONS, JSONObject, heading, logprob, usage_of

__all__ = ("ChatReader", "TaggedText")

_NETWORK_ERROR = "network_error"


class ChatReader(Reader):
    """Reads one response of the Chat family, streamed or whole.

    Attributes:
        finish_reasons: What the protocol's finish reasons mean.
        head_details: Members of a response's head that are kept as the provider's details.

    Args:
        model_name: The model, for errors.
        profile: Where the model puts its thoughts.
        marks: The id and the provider's name that thoughts between tags get.
    """

    stream_end = StreamEnd.DONE
    finish_reasons: ClassVar[Mapping[str, FinishReason]] = FINISH_REASONS
    head_details: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        model_name: str,
        profile: ModelProfile,
        marks: tuple[str | None, str | None] = (None, None),
    ) -> None:
        self._model_name = model_name
        self._tagged = TaggedText(profile, marks)
        self._calls = ToolCalls()
        self._head: tuple[Any, Any] | None = None
        # The choice that is the answer, and the others, which are not.
        self._index: int | None = None
        self._others: set[int] = set()
        self._told_others = 0
        self._length = 0  # characters of the text
        self._has_content = False
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
        used = self._usage(document)
        if used is not None:
            yield used
        choices = document.get("choices")
        if not choices:
            return
        # What a whole message repeats; choices of one frame repeat nothing of each other.
        known = self._length if document.get("object") == "chat.completion" else 0
        had_content = self._has_content
        for choice in self._chosen(typed(choices, list)):
            yield from self._message(choice, known, had_content)
            yield from self._finish(choice, document)
        if len(self._others) > self._told_others:
            others = self._told_others = len(self._others)
            yield ResponseInfo(
                provider_details={"other_choices": others},
                notes={"other_choices_left_out": others},
            )

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a `chat.completion`."""
        typed(document["choices"], list)[0]
        finished = False
        for item in self.frame("message", document):
            finished = finished or item is Mark.FINISHED
            yield item
        yield from self._tagged.end()
        if not finished and self._has_content:
            # Some servers leave the reason out of a whole answer.
            yield ResponseInfo(finish_reason="tool_call" if self._calls.count else "stop")

    def end(self) -> Iterator[Item]:
        """Return what was held back."""
        yield from self._tagged.end()
        yield from self._audio.end()
        links = [each for each in self._annotations if _kind_of(each) == "url_citation"]
        if links and self._tagged.key is not None:
            yield text_chunk(self._tagged.key, "", details={"citations": links})
        if self._refusal:
            details = {"refusal": "".join(self._refusal)}
            yield ResponseInfo(finish_reason="content_filter", provider_details=details)

    def _heading(self, document: JSONObject) -> Iterable[Item]:
        told = [name for name in self.head_details if document.get(name)]
        head = (document.get("id"), document.get("model"))
        if not told and (head == self._head or not any(head)):
            return ()
        self._head = head
        return (heading(document, {name: document[name] for name in told}),)

    def _usage(self, document: JSONObject) -> ResponseInfo | None:
        """Return what has been used so far, None where a frame does not tell."""
        usage = document.get("usage")
        return ResponseInfo(usage=self._used(usage)) if isinstance(usage, dict) else None

    def _used(self, usage: JSONObject) -> RequestUsage:
        return usage_of(usage)

    def _chosen(self, choices: list[Any]) -> Iterable[JSONObject]:
        """Return the choices that are the answer: those with the index of the first one."""
        if len(choices) == 1 and choices[0].get("index") == self._index:
            return choices
        indexes = [_index_of(choice) for choice in choices]
        if self._index is None:
            self._index = min(indexes)
        if len(choices) > 1 or indexes[0] != self._index:
            self._others.update(index for index in indexes if index != self._index)
            both = zip(indexes, choices, strict=True)
            return [choice for index, choice in both if index == self._index]
        return choices

    def _message(self, choice: JSONObject, known: int, had_content: bool) -> Iterator[Item]:
        """Read the delta or message of a choice.

        Args:
            choice: The choice.
            known: How many characters of its text are known already.
            had_content: Whether anything of a whole message is.
        """
        message = choice.get("delta") or choice.get("message") or {}
        whole = not choice.get("delta") and "message" in choice
        if typed(message, dict).get("refusal"):
            self._refusal.append(typed(message["refusal"], str))
            self._has_content = True
        if not (known and had_content):
            for item in self._thoughts(message, whole=whole):
                self._has_content = True
                yield item
        content = message.get("content") or choice.get("text")
        if not isinstance(content, (str, list)):
            content = typed(content or "", str)
        if isinstance(content, str):
            yield from self._text(content[known:])
        elif content:
            yield from self._content(content, known)
        calls = message.get("tool_calls")
        if not calls and message.get("function_call"):
            function = dictionary(message["function_call"])  # before there were several
            calls = [{"function": function}] if any(function.values()) else ()
        if calls:
            self._has_content = True
            yield from self._called(typed(calls, list), whole=whole, known=had_content)
        if message.get("images") or message.get("audio") or message.get("annotations"):
            yield from self._extras(message)

    def _content(self, content: Any, known: int) -> Iterator[Item]:
        """Read a list of contents, as some servers have it.

        Args:
            content: The list.
            known: How many characters of the text are known already.
        """
        for kind, text in _contents(content):
            if kind == "thinking":
                yield self._thinking_piece(text)
            elif kind == "image":
                yield from self._image(text)
            elif len(text) > known:
                yield from self._text(text[known:])
            known = max(0, known - len(text)) if kind == "text" else known

    def _thinking_piece(self, text: str) -> Item:
        self._has_content = True
        return thinking_chunk("thinking", text)

    def _text(self, text: str) -> Iterable[Item]:
        if not text:
            return ()
        self._has_content = True
        self._length += len(text)
        return self._tagged.feed(text)

    def _called(self, calls: list[Any], *, whole: bool, known: bool) -> Iterator[Item]:
        for number, call in enumerate(calls):
            function = call.get("function") or {}
            extra = call.get("extra_content")
            details = {"extra_content": extra} if extra else None
            name, args, id = function.get("name"), function.get("arguments"), call.get("id")
            if not whole:
                yield self._calls.piece(call.get("index"), id, name, args, details)
            elif not (known and self._calls.knows(id, number)):
                yield self._calls.whole(id, name, args, details)

    def _extras(self, message: JSONObject) -> Iterator[Item]:
        """Read what comes beside the text: pictures, sound, and what the answer cites."""
        for image in message.get("images") or ():
            yield from self._image(_url_of(image))
        if message.get("audio"):
            yield from self._audio.feed(typed(message["audio"], dict))
        cited = message.get("annotations")
        if isinstance(cited, list) and cited:
            new = {repr(each): each for each in cited if repr(each) not in self._known_annotations}
            self._known_annotations |= new.keys()
            self._annotations += new.values()
            yield ResponseInfo(provider_details={"annotations": self._annotations})

    def _image(self, url: Any) -> Iterator[Item]:
        if not isinstance(url, str) or hash(url) in self._images:
            return
        self._images.add(hash(url))
        self._has_content = True
        if url.startswith("data:"):
            content = BinaryContent.from_data_uri(url)
            yield WholePart(("image", len(self._images)), FilePart(content))
        else:
            self._linked_images.append(url)
            yield ResponseInfo(provider_details={"images": self._linked_images})

    def _finish(self, choice: JSONObject, document: JSONObject) -> Iterable[Item]:
        told = choice.get("finish_reason"), choice.get("native_finish_reason")
        if not (told[0] or told[1] or choice.get("logprobs") or choice.get("error")):
            return ()
        reason, native = map(_reason_of, told)
        failed = reason in ("error", _NETWORK_ERROR) or choice.get("error")
        if failed or (native == _NETWORK_ERROR and not self._has_content):
            raise in_stream_error(document, self._model_name)
        return self._finished(reason, choice, document)

    def _finished(
        self, reason: str | None, choice: JSONObject, document: JSONObject
    ) -> Iterator[Item]:
        logprobs = dictionary(choice.get("logprobs")).get("content")
        if not reason and not logprobs:
            return
        details: JSONObject = {"finish_reason": reason} if reason and not self._refusal else {}
        if logprobs:
            # Each frame has those of its own tokens.
            self._logprobs += map(logprob, logprobs)
            details["logprobs"] = self._logprobs
        yield ResponseInfo(
            finish_reason=self.finish_reasons.get(reason) if reason else None,
            provider_details=details | self._details(choice, document),
        )
        if reason:
            yield Mark.FINISHED

    def _details(self, choice: JSONObject, document: JSONObject) -> JSONObject:
        """Return more of the provider's own data, that comes with a finish reason."""
        return {}

    def _thoughts(self, message: JSONObject, *, whole: bool) -> Iterable[Item]:
        """Return the thoughts that have a field of their own."""
        return ()


def _index_of(choice: Any) -> int:
    index = typed(choice, dict).get("index")
    return index if type(index) is int else 0


def _reason_of(reason: Any) -> str | None:
    """Return a finish reason; an empty one, and the text 'null', are none."""
    return reason if isinstance(reason, str) and reason not in ("", "null") else None


def _kind_of(value: Any) -> Any:
    return dictionary(value).get("type")


def _url_of(image: Any) -> Any:
    """Return the URL of an image, which some servers write without its object."""
    url = dictionary(image).get("image_url", image)
    return url.get("url") if isinstance(url, dict) else url


def _contents(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield the texts, thoughts and pictures of a message, each with its kind."""
    for piece in typed(content, list):
        if isinstance(piece, str):
            yield "text", piece
            continue
        kind = _kind_of(piece)
        if kind == "thinking":
            yield "thinking", text_of(piece.get("thinking"))
        elif kind == "image_url":
            yield "image", _url_of(piece)
        elif isinstance(dictionary(piece).get("text"), str):
            yield "text", piece["text"]


class _Audio:
    """Reads an answer that is spoken: its transcript is text, its sound a file."""

    def __init__(self) -> None:
        self._known: JSONObject = {}
        self._pieces: list[bytes] = []
        self._rest = ""

    def feed(self, audio: JSONObject) -> Iterator[Item]:
        self._known |= {key: audio[key] for key in ("id", "expires_at") if audio.get(key)}
        # Pieces are base64 on their own, or of one text that is cut anywhere.
        data = self._rest + typed(audio.get("data") or "", str)
        cut = len(data) // 4 * 4
        self._pieces.append(base64.b64decode(data[:cut]))
        self._rest = data[cut:]
        if audio.get("transcript"):
            yield text_chunk("transcript", audio["transcript"])

    def end(self) -> Iterator[Item]:
        sound = b"".join(self._pieces)
        if sound:
            self._pieces.clear()
            content = BinaryContent(sound, media_type=_sound_type(sound))
            id = maybe(lambda id: typed(id, str), self._known.get("id"))
            yield WholePart("audio", FilePart(content, id=id, provider_details=self._known))


_SOUNDS = {b"RIFF": "audio/wav", b"ID3": "audio/mpeg", b"OggS": "audio/ogg", b"fLaC": "audio/flac"}


def _sound_type(sound: bytes) -> str:
    """Return the type of a sound by its first bytes: the answer does not tell it."""
    if sound[:1] == b"\xff" and sound[1:2] >= b"\xe0":
        return "audio/mpeg"
    named = (kind for start, kind in _SOUNDS.items() if sound.startswith(start))
    return next(named, "audio/pcm")


class TaggedText:
    """Reads text in which thoughts stand between tags, however it is cut.

    What may be the start of a tag is held back until more comes.

    Args:
        profile: The tags, and whether a text that starts as blank space is no text yet.
        marks: The id of the thoughts, and the provider that they are marked with.
    """

    def __init__(self, profile: ModelProfile, marks: tuple[str | None, str | None]) -> None:
        self._tags = profile.thinking_tags
        self._skips_blank = profile.ignore_streamed_leading_whitespace
        self._id, self._provider_name = marks
        self._place = 0  # counts the parts that the tags make
        self._in_thought = False
        self._in_text = False
        self._held = ""

    @property
    def key(self) -> Any:
        """The key of the text that was read last, None before the first."""
        return ("content", self._place) if self._in_text else None

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
        cut = len(text) - _held_back(text, at, tag)
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
        if not self._in_text and self._skips_blank and text.isspace():
            return ()
        self._in_text = True
        return (text_chunk(("content", self._place), text),)

    def _thought(self, text: str) -> Item:
        key = ("content", self._place)
        return thinking_chunk(key, text, id=self._id, provider_name=self._provider_name)


def _held_back(text: str, at: int, tag: str) -> int:
    """Return how many characters at the end of `text`, from `at` on, may begin `tag`."""
    most = min(len(tag) - 1, len(text) - at)
    lengths = range(most, 0, -1)
    return next((length for length in lengths if text.endswith(tag[:length])), 0)
