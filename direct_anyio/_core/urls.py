"""Which URLs can be requested.

Facts: RFC 3986, and RFC 1035 for the lengths of a host's name and labels. What passes here is
accepted by httpx, and by the system's name lookup.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

__all__ = ("has_user", "requestable")

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\\s\ud800-\udfff]")
_BRACKETED = re.compile(r"\[[^\[\]]*\](:[0-9]*)?")
_NAME = re.compile(r"[a-z0-9._~-]+")
_IPV4_LIKE = re.compile(r"[0-9]+(\.[0-9]+){3}")


def requestable(url: str, schemes: Collection[str] = ("http", "https")) -> SplitResult:
    """Return the parts of an absolute URL to which a request can be sent.

    Raises:
        ValueError: No request can be sent to it; the message does not hold the URL.
    """
    if _FORBIDDEN.search(url):
        raise ValueError(
            "it has a blank, a control character, a backslash or a lone surrogate in it"
        )
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise ValueError("its host is not a valid name or address") from exc
    if parts.scheme not in schemes:
        raise ValueError(f"it does not start with {' or '.join(f'{s}://' for s in schemes)}")
    if not parts.hostname:
        raise ValueError("it has no host")
    host, authority = parts.hostname, parts.netloc.rpartition("@")[2]
    try:
        if authority.startswith("["):
            is_host = _BRACKETED.fullmatch(authority) is not None and ip_address(host).version == 6
        elif _IPV4_LIKE.fullmatch(host):
            is_host = ip_address(host).version == 4
        else:
            # The codec knows how long a name and its labels may be, and httpx's library which
            # characters may be in them.
            is_host = _NAME.fullmatch(host.encode("idna").decode("ascii")) is not None
            if not host.isascii() or "xn--" in host:
                import idna  # slow to import, and seldom needed

                idna.encode(host)
    except ValueError:
        is_host = False
    if not is_host:
        raise ValueError("its host is not a valid name or address")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("its port is not a number from 1 to 65535")
    return parts


def has_user(url: str) -> bool:
    """Return whether a URL, valid or not, holds a user name or a password."""
    authority = re.split(r"[/?#\\]", url.partition("://")[2], maxsplit=1)[0]
    return "@" in authority
