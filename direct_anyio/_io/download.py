"""Downloads files that messages name by URL, for models that cannot read the URL.

Only where the program asked for it: a URL may come from a user or a model, and a
request of ours could reach what theirs cannot. So

1.  only http and https are fetched, and https never turns into http on the way;
2.  a name is looked up once, every address that it has is checked, and the connection
    goes to the checked address: nothing can flip in between;
3.  each hop of a redirect is checked like the first;
4.  a file has at most 20 MiB, compressed or not, and takes at most 30 seconds.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, cast
from urllib.parse import SplitResult, urljoin

import anyio
from attrs import frozen

from .._core.files import with_files
from .._core.inflate import Inflate
from .._core.urls import has_user, requestable
from ..content import BinaryContent, FileUrl
from ..exceptions import StreamInterrupted, UserError, printable
from ..messages import ModelMessage
from .deadlines import Limits, Total, timed_out
from .run import Clients, import_transport
from .tasks import open_task_group

__all__ = ("Download", "downloaded", "is_public")

MAX_BYTES = 20 * 1024 * 1024
SECONDS = 30
MAX_HOPS = 5

_LIMITS = Limits(connect=10, headers=15, idle=15, total=SECONDS)
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}

NeedsDownload = Callable[[FileUrl], bool]
"""Whether a file cannot be sent by its URL."""

Fetch = Callable[[FileUrl], Awaitable[BinaryContent]]

# A public address that belongs to the machine's own platform (Azure's host agent).
_PLATFORM = IPv4Address("168.63.129.16")

# Networks of IPv6 whose last 32 bits are an address of IPv4: RFC 6052 and RFC 4291.
_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))

# Networks that stand for others in more than one way, or that are not to be used:
# RFC 8215, RFC 4380, RFC 2765, RFC 3879, RFC 9637, RFC 9602, RFC 6666, RFC 9780.
_CLOSED = tuple(
    map(
        IPv6Network,
        (
            "64:ff9b:1::/48",
            "2001::/32",
            "::ffff:0:0:0/96",
            "fec0::/10",
            "3fff::/20",
            "5f00::/16",
            "100::/64",
            "100:0:0:1::/64",
        ),
    )
)
_CLOSED_4 = tuple(map(IPv4Network, ("192.0.0.0/24", "100.64.0.0/10", "192.88.99.0/24")))

# What makes the second half of an address an address of IPv4 (ISATAP, RFC 5214).
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")


def is_public(address: str) -> bool:
    """Return whether an address is one that anybody on the internet could reach.

    An address of IPv6 that carries one of IPv4 counts as both.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        translated = any(ip in network for network in _TRANSLATED)
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and (translated or ip.packed[8:12] in _ISATAP):
            inner = IPv4Address(ip.packed[12:])
        if inner is None:
            closed = any(ip in network for network in _CLOSED)
            return ip.is_global and not (ip.is_multicast or ip.is_site_local or closed)
        ip = inner
    closed = ip == _PLATFORM or any(ip in network for network in _CLOSED_4)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or closed)


@frozen
class _Target:
    """Where a checked URL is fetched from.

    Attributes:
        url: The URL with an address in the place of the name.
        host: The name, for the `Host` header and TLS.
    """

    url: str
    host: str
    header: str


def _checked(url: str) -> SplitResult:
    if has_user(url):
        raise UserError("A file's URL has a user name or password in it, which is not sent.")
    try:
        return requestable(url)
    except ValueError as exc:
        raise UserError(f"The file at {printable(url, 100)!r} is not downloaded: {exc}.") from exc


async def _resolved(parts: SplitResult) -> _Target:
    """Look a name up, once, and return where to connect to.

    Raises:
        UserError: There is no such name, or it has an address that is not public.
    """
    host = cast(str, parts.hostname).rstrip(".")
    port = parts.port or _PORTS[parts.scheme]
    try:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise UserError(f"The host of a file's URL is not known: {printable(host)}") from exc
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(map(is_public, addresses)):
        raise UserError(
            f"The file at {printable(host)} is not downloaded: the host is not on the public "
            "internet. Send the bytes as `BinaryContent`."
        )
    bracketed = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    query = f"?{parts.query}" if parts.query else ""
    url = f"{parts.scheme}://{bracketed}:{port}{parts.path or '/'}{query}"
    return _Target(url, host, host if port == _PORTS[parts.scheme] else f"{host}:{port}")


@frozen
class Download:
    """Fetches files for one request.

    Attributes:
        model_name: For errors.
        clients: Returns the clients for a host.
    """

    model_name: str
    clients: Callable[[str], Awaitable[Clients]]

    async def __call__(self, item: FileUrl) -> BinaryContent:
        """Return the file's bytes, under the name and type that `item` gives it.

        Raises:
            UserError: The URL, or one that it leads to, is not allowed, or
                there is no such file.
            ModelAPIError: The connection failed.
        """
        url = item.url
        with anyio.move_on_after(SECONDS):
            for _ in range(MAX_HOPS + 1):
                target = await _resolved(_checked(url))
                status, headers, data = await self._get(target)
                if status == 200:
                    served = headers.get("content-type", "").partition(";")[0].strip().lower()
                    return BinaryContent.narrow_type(
                        BinaryContent(
                            data,
                            media_type=_media_type(item, served),
                            identifier=item.identifier,
                            vendor_metadata=item.vendor_metadata,
                        )
                    )
                if status not in _REDIRECTS:
                    host = printable(target.host)
                    raise UserError(f"The file at {host} cannot be downloaded: status {status}")
                url = _next(url, headers.get("location", ""))
            raise UserError(f"A file is more than {MAX_HOPS} redirects away")
        raise timed_out(self.model_name, "total", SECONDS, "body", "a download")

    async def _get(self, target: _Target) -> tuple[int, dict[str, str], bytes]:
        transport = await import_transport()
        request = transport.Request(
            self.model_name,
            "GET",
            target.url,
            # Kept, it could serve another name at the same address, unchecked by TLS.
            {"host": target.header, "accept-encoding": "identity, gzip", "connection": "close"},
            None,
            target.host,
            "Is the URL of the file right?",
        )
        total = Total(anyio.current_time() + SECONDS)
        clients = await self.clients(target.header)
        data = b""
        async with open_task_group() as group:
            exchange = await transport.open_exchange(group, request, clients, _LIMITS, total)
            try:
                if exchange.status == 200:
                    coding = exchange.headers.get("content-encoding", "")
                    data = await _read(exchange, Inflate(coding), self.model_name)
            finally:
                await exchange.aclose(drain=False)
        return exchange.status, exchange.headers, data


async def _read(exchange: Any, inflate: Inflate, model_name: str) -> bytes:
    """Return a file.

    Raises:
        UserError: It is too large.
        StreamInterrupted: It was cut short.
    """
    gathered = bytearray()
    try:
        while True:
            for data in inflate.feed(await exchange.receive()):
                gathered += data
                if len(gathered) > MAX_BYTES:
                    raise UserError(
                        f"A file has more than {MAX_BYTES} bytes, too many to download."
                    )
    except anyio.EndOfStream:
        if not inflate.is_whole:
            raise StreamInterrupted(model_name, "A download was cut short.") from None
    return bytes(gathered)


def _next(url: str, location: str) -> str:
    """Return where a redirect leads.

    Raises:
        UserError: Out of TLS, or nowhere.
    """
    if not location:
        raise UserError("A download is redirected without a URL")
    leads = urljoin(url, location)
    if url.startswith("https:") and not leads.startswith("https:"):
        raise UserError("A download is redirected out of TLS, which is not followed")
    return leads


def _media_type(item: FileUrl, served: str) -> str:
    try:
        return item.media_type
    except ValueError:
        if not served:
            raise
        return served


async def downloaded(
    messages: Sequence[ModelMessage], needs_download: NeedsDownload, fetch: Fetch
) -> list[ModelMessage]:
    """Return messages whose files that need it are bytes; the messages stay as they are.

    Args:
        messages: The messages.
        needs_download: Which files need it.
        fetch: Fetches one.
    """
    wanted: list[FileUrl] = []

    def note(file: FileUrl) -> FileUrl:
        wanted.extend([file] if needs_download(file) else ())
        return file

    with_files(messages, note)
    fetched = {id(file): await fetch(file) for file in wanted}
    return with_files(messages, lambda file: fetched.get(id(file), file))
