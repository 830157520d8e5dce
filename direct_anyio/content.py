"""What a user can say beside plain text: files by URL, files as bytes, cache points.

`direct_anyio.messages` exports all of it.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from attrs import field, frozen

from ._record import Record

if TYPE_CHECKING:
    from mimetypes import MimeTypes

__all__ = (
    "AudioFormat",
    "AudioMediaType",
    "AudioUrl",
    "BinaryContent",
    "BinaryImage",
    "CachePoint",
    "DocumentFormat",
    "DocumentMediaType",
    "DocumentUrl",
    "FileUrl",
    "ImageFormat",
    "ImageMediaType",
    "ImageUrl",
    "MultiModalContent",
    "TextContent",
    "UploadedFile",
    "UserContent",
    "VideoFormat",
    "VideoMediaType",
    "VideoUrl",
    "is_text_like",
)

AudioFormat = Literal["wav", "mp3", "oga", "flac", "aiff", "aac"]
ImageFormat = Literal["jpeg", "png", "gif", "webp"]
DocumentFormat = Literal["csv", "doc", "docx", "html", "md", "pdf", "txt", "xls", "xlsx"]
VideoFormat = Literal["mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"]

AudioMediaType = Literal[
    "audio/wav", "audio/mpeg", "audio/ogg", "audio/flac", "audio/aiff", "audio/aac"
]
ImageMediaType = Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
DocumentMediaType = Literal[
    "application/pdf",
    "text/plain",
    "text/csv",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "text/html",
    "text/markdown",
    "application/msword",
    "application/vnd.ms-excel",
]
VideoMediaType = Literal[
    "video/x-matroska",
    "video/quicktime",
    "video/mp4",
    "video/webm",
    "video/x-flv",
    "video/mpeg",
    "video/x-ms-wmv",
    "video/3gpp",
]

_OFFICE = "application/vnd.openxmlformats-officedocument"
_AUDIO = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/ogg": "oga",
    "audio/aiff": "aiff",
    "audio/aac": "aac",
}
_IMAGE = {"image/jpeg": "jpeg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENT = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/csv": "csv",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/markdown": "md",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
}
_VIDEO = {
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
_FORMATS = _AUDIO | _IMAGE | _DOCUMENT | _VIDEO

# What the standard library's table lacks in some version of Python, or has under a deprecated
# name. Facts: IANA's registry of media types, and RFC 7763 (markdown), 7845 (opus), 9239
# (JavaScript), 9512 (YAML).
_SUFFIXES = {
    "application/epub+zip": "epub",
    "application/geo+json": "geojson",
    "application/rtf": "rtf",
    "application/toml": "toml",
    "application/vnd.ms-excel.sheet.binary.macroEnabled.12": "xlsb",
    "application/vnd.ms-excel.sheet.macroEnabled.12": "xlsm",
    "application/vnd.ms-powerpoint.presentation.macroEnabled.12": "pptm",
    "application/vnd.ms-word.document.macroEnabled.12": "docm",
    "application/vnd.oasis.opendocument.graphics": "odg",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.text": "odt",
    f"{_OFFICE}.presentationml.presentation": "pptx",
    f"{_OFFICE}.presentationml.slideshow": "ppsx",
    f"{_OFFICE}.presentationml.template": "potx",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
    f"{_OFFICE}.spreadsheetml.template": "xltx",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    f"{_OFFICE}.wordprocessingml.template": "dotx",
    "application/x-7z-compressed": "7z",
    "application/xhtml+xml": "xhtml xht",
    "application/xml": "xml",
    "application/yaml": "yaml yml",
    "audio/AMR": "amr",
    "audio/aac": "aac adts",
    "audio/ac3": "ac3",
    "audio/aiff": "aiff aif aifc",
    "audio/flac": "flac",
    "audio/midi": "mid midi",
    "audio/mp4": "m4a m4b",
    "audio/mpeg": "mp3 mp2 mpga",
    "audio/ogg": "oga ogg opus spx",
    "audio/wav": "wav",
    "audio/webm": "weba",
    "audio/x-caf": "caf",
    "audio/x-ms-wma": "wma",
    "image/apng": "apng",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/jp2": "jp2 jpg2",
    "image/jpeg": "jpeg jpg jpe jfif pjpeg pjp",
    "image/jxl": "jxl",
    "image/vnd.adobe.photoshop": "psd",
    "image/webp": "webp",
    "text/calendar": "ics",
    "text/javascript": "js mjs",
    "text/markdown": "md markdown mdown mkd mdx",
    "text/plain": "txt text log srt",
    "text/vcard": "vcf vcard",
    "text/vtt": "vtt",
    "text/x-asciidoc": "asciidoc adoc",
    "text/x-c++hdr": "hpp hh hxx",
    "text/x-c++src": "cpp cc cxx",
    "text/x-diff": "diff patch",
    "text/x-java": "java",
    "text/x-rst": "rst",
    "text/x-tex": "tex ltx",
    "video/3gpp": "three_gp 3gp 3gpp",
    "video/3gpp2": "3g2 3gpp2",
    "video/mp2t": "mts m2ts",
    "video/mp4": "mp4 m4v mpg4 f4v",
    "video/mpeg": "mpeg mpg mpe m1v m2v",
    "video/ogg": "ogv",
    "video/quicktime": "mov qt",
    "video/x-flv": "flv",
    "video/x-matroska": "mkv",
    "video/x-ms-wmv": "wmv",
}


@cache
def _types() -> MimeTypes:
    from mimetypes import MimeTypes

    # Of the library's own table alone: the host's may say anything.
    types = MimeTypes()
    for media_type, suffixes in _SUFFIXES.items():
        for suffix in suffixes.split():
            types.add_type(media_type, f".{suffix}")
    return types


def _type_of_url(url: str) -> str | None:
    from urllib.parse import urlsplit

    data_uri = _data_uri(url)
    if data_uri is not None:
        return data_uri[0]
    # Of the path alone: a signed URL has a query behind its suffix, and `.com` is none.
    return _types().guess_type(urlsplit(url).path)[0]


# What browsers and older programs call types that providers know by their registered name.
_OTHER_NAMES = {
    "application/x-pdf": "application/pdf",
    "audio/mp3": "audio/mpeg",
    "audio/vnd.wave": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/x-wav": "audio/wav",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
}


def _data_uri(uri: str) -> tuple[str, list[str], str] | None:
    """Return a data URI's type, its parameters and its content, None for any other URI.

    Fact: RFC 2397.
    """
    head, comma, data = uri.partition(",")
    scheme, _, described = head.strip().partition(":")
    if scheme.lower() != "data":
        return None
    if not comma:
        raise ValueError("Data URI must have a comma before its content")
    media_type, *parameters = (each.strip().lower() for each in described.split(";"))
    return _OTHER_NAMES.get(media_type, media_type) or "text/plain", parameters, data


def is_text_like(media_type: str) -> bool:
    """Return whether a file of this type is best sent as text."""
    return media_type.startswith("text/") or media_type.endswith(
        ("/json", "+json", "/xml", "+xml", "/yaml", "/x-yaml")
    )


_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def _identifier(content: bytes) -> str:
    import hashlib

    return hashlib.sha1(content, usedforsecurity=False).hexdigest()[:6]


def _format(media_type: str) -> str:
    """Return the format of a known type, else the suffix that files of a type have.

    Raises:
        ValueError: It has none that is known, or is an image, a sound or a video.
    """
    if media_type in _FORMATS:
        return _FORMATS[media_type]
    is_media = media_type.startswith(("audio/", "image/", "video/"))
    suffixes = () if is_media else _types().guess_all_extensions(media_type)
    formats = [suffix[1:] for suffix in suffixes]
    if not formats:
        raise ValueError(f"Unknown media type: {media_type[:200]}")
    own = media_type.partition("/")[2]
    return own if own in formats else formats[0]


@frozen(repr=False)
class FileUrl(Record):
    """A file that the model is to read from a URL.

    Attributes:
        url: Where the file is.
        force_download: Whether the bytes are sent instead of the URL; downloading is
            opt-in and refuses private addresses.
        vendor_metadata: For the provider: `{'detail': 'low'}` for an OpenAI image,
            a `video_metadata` for a Gemini video.
        media_type: Its MIME type, guessed from the URL where it was not given.
        identifier: A short name to call the file by, by default a hash of the URL.
    """

    url: str
    force_download: bool = field(default=False, kw_only=True)
    vendor_metadata: dict[str, Any] | None = field(default=None, kw_only=True)
    _media_type: str | None = field(default=None, kw_only=True, alias="media_type", eq=False)
    _identifier: str | None = field(default=None, kw_only=True, alias="identifier", eq=False)

    _noun: ClassVar[str] = "file"

    @property
    def media_type(self) -> str:
        """The MIME type.

        Raises:
            ValueError: None was given and the URL does not tell it.
        """
        guess = self._media_type or _type_of_url(self.url)
        if guess is None:
            raise ValueError(
                f"Could not infer media type from {self._noun} URL: {self.url[:200]}. "
                "Explicitly provide a `media_type` instead."
            )
        return guess

    @property
    def identifier(self) -> str:
        """The name to call the file by."""
        return self._identifier or _identifier(self.url.encode())

    @property
    def format(self) -> str:
        """The file's format, such as `'png'`.

        Raises:
            ValueError: The media type is not one of the known formats.
        """
        return _format(self.media_type)


@frozen(repr=False)
class ImageUrl(FileUrl):
    """An image by URL."""

    kind: Literal["image-url"] = field(default="image-url", kw_only=True)
    _noun: ClassVar[str] = "image"


@frozen(repr=False)
class AudioUrl(FileUrl):
    """A sound by URL."""

    kind: Literal["audio-url"] = field(default="audio-url", kw_only=True)
    _noun: ClassVar[str] = "audio"


@frozen(repr=False)
class DocumentUrl(FileUrl):
    """A document by URL."""

    kind: Literal["document-url"] = field(default="document-url", kw_only=True)
    _noun: ClassVar[str] = "document"


@frozen(repr=False)
class VideoUrl(FileUrl):
    """A video by URL."""

    kind: Literal["video-url"] = field(default="video-url", kw_only=True)
    _noun: ClassVar[str] = "video"

    @property
    def media_type(self) -> str:
        """The MIME type; a YouTube URL tells none, and Gemini takes it as a video.

        Raises:
            ValueError: None was given and the URL does not tell it.
        """
        return "video/mp4" if self.is_youtube and not self._media_type else super().media_type

    @property
    def is_youtube(self) -> bool:
        """Whether the video is on YouTube."""
        from urllib.parse import urlsplit

        # Gemini refuses YouTube's other hosts, such as `music.youtube.com`.
        hosts = ("youtu.be", "youtube.com", "www.youtube.com", "m.youtube.com")
        return urlsplit(self.url).hostname in hosts


@frozen(repr=False)
class BinaryContent(Record):
    """A file as bytes.

    Attributes:
        data: The bytes.
        media_type: Their MIME type.
        vendor_metadata: As in `FileUrl`.
        identifier: A short name to call the file by, by default a hash of the bytes.
    """

    data: bytes
    media_type: str = field(kw_only=True)
    vendor_metadata: dict[str, Any] | None = field(default=None, kw_only=True)
    _identifier: str | None = field(default=None, kw_only=True, alias="identifier", eq=False)
    kind: Literal["binary"] = field(default="binary", kw_only=True)

    @staticmethod
    def narrow_type(bc: BinaryContent) -> BinaryContent | BinaryImage:
        """Return an image as `BinaryImage`, anything else as it is."""
        if not bc.is_image or isinstance(bc, BinaryImage):
            return bc
        return BinaryImage(
            bc.data,
            media_type=bc.media_type,
            identifier=bc._identifier,
            vendor_metadata=bc.vendor_metadata,
        )

    @classmethod
    def from_data_uri(cls, data_uri: str) -> BinaryContent:
        """Read a `data:` URI, in base64 or percent-encoded; a text becomes UTF-8.

        Raises:
            ValueError: It is not one; the message does not hold it.
        """
        from urllib.parse import unquote_to_bytes

        read = _data_uri(data_uri)
        if read is None:
            raise ValueError('Data URI must start with "data:"')
        media_type, parameters, content = read
        data = unquote_to_bytes(content)
        if "base64" in parameters:
            # Of either alphabet; it may be broken into lines, and unpadded.
            data = b"".join(data.split()).translate(_TO_STANDARD).rstrip(b"=")
            try:
                data = base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
            except ValueError as exc:
                raise ValueError("Data URI must hold valid base64") from exc
        if is_text_like(media_type):
            # Requests are written in UTF-8.
            charsets = (p.partition("=")[2].strip('"') for p in parameters if "charset" in p)
            with suppress(LookupError, ValueError):  # one that is not known, or a wrong one
                data = data.decode(next(charsets, "utf-8")).encode()
        return cls.narrow_type(cls(data, media_type=media_type))

    @classmethod
    def from_path(cls, path: PathLike[str] | str) -> BinaryContent:
        """Read a file; its suffix tells its type, `application/octet-stream` where it does not.

        Raises:
            FileNotFoundError: There is no such file.
            PermissionError: The file may not be read.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"File not found: {path}")
        media_type = _types().guess_type(path.name)[0] or "application/octet-stream"
        return cls.narrow_type(cls(path.read_bytes(), media_type=media_type))

    @property
    def identifier(self) -> str:
        """The name to call the file by."""
        return self._identifier or _identifier(self.data)

    @property
    def base64(self) -> str:
        """The bytes in standard base64."""
        return base64.b64encode(self.data).decode()

    @property
    def data_uri(self) -> str:
        """The bytes as a `data:` URI."""
        return f"data:{self.media_type};base64,{self.base64}"

    @property
    def is_audio(self) -> bool:
        """Whether this is a sound."""
        return self.media_type.startswith("audio/")

    @property
    def is_image(self) -> bool:
        """Whether this is an image."""
        # Asked as parts are made, before anything tests what a field holds.
        return isinstance(self.media_type, str) and self.media_type.startswith("image/")

    @property
    def is_video(self) -> bool:
        """Whether this is a video."""
        return self.media_type.startswith("video/")

    @property
    def is_document(self) -> bool:
        """Whether this is a document: a known one, or one that has a suffix and is no text."""
        if self.media_type in _DOCUMENT:
            return True
        is_media = self.is_audio or self.is_image or self.is_video
        if is_media or is_text_like(self.media_type):
            return False
        return bool(_types().guess_all_extensions(self.media_type))

    @property
    def format(self) -> str:
        """The file's format, such as `'png'`.

        Raises:
            ValueError: The media type is not one of the known formats.
        """
        return _format(self.media_type)


@frozen(repr=False)
class BinaryImage(BinaryContent):
    """An image as bytes.

    Raises:
        ValueError: `media_type` is not an image's.
    """

    def __attrs_post_init__(self) -> None:
        if not self.is_image:
            raise ValueError("`BinaryImage` must have a media type that starts with `image/`")


@frozen(repr=False, kw_only=True)
class CachePoint(Record):
    """Everything before this point may be cached by the provider.

    Anthropic knows it; other providers are not sent it.

    Attributes:
        kind: Always 'cache-point'.
        ttl: How long it is kept after its last use.
    """

    kind: Literal["cache-point"] = "cache-point"
    ttl: Literal["5m", "1h"] = "5m"


@frozen(repr=False)
class TextContent(Record):
    """Text that carries data of the program's own, which is not sent.

    Attributes:
        content: The text.
        metadata: The program's own data.
    """

    content: str
    metadata: Any = field(default=None, kw_only=True)
    kind: Literal["text-content"] = field(default="text-content", kw_only=True)


@frozen(repr=False, kw_only=True)
class UploadedFile(Record):
    """A file that was uploaded to a provider before.

    Attributes:
        file_id: The provider's id or URL of the file.
        provider_name: The provider that has it; no other can be sent it.
        media_type: Its MIME type.
        identifier: A short name to call the file by, by default a hash of the id.
        vendor_metadata: As in `FileUrl`.
    """

    file_id: str
    provider_name: str
    media_type: str = "application/octet-stream"
    _identifier: str | None = field(default=None, alias="identifier", eq=False)
    vendor_metadata: dict[str, Any] | None = None
    kind: Literal["uploaded-file"] = "uploaded-file"

    @property
    def identifier(self) -> str:
        """The name to call the file by."""
        return self._identifier or _identifier(self.file_id.encode())


MultiModalContent: TypeAlias = (
    ImageUrl | AudioUrl | DocumentUrl | VideoUrl | BinaryImage | BinaryContent | UploadedFile
)
UserContent: TypeAlias = str | TextContent | MultiModalContent | CachePoint
