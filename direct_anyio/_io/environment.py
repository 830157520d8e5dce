"""What the environment says of connections: proxies, and the certificates that are trusted.

httpx reads the same variables, but fails at an entry of `NO_PROXY` that it cannot parse and
does not say which variable is to blame.
"""

from __future__ import annotations

import os
import re
import socket
from base64 import b64encode
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote
from urllib.request import getproxies

from .._core.urls import requestable
from ..exceptions import UserError

__all__ = ("certificates", "is_loopback", "proxies", "proxy_secrets")

_SCHEMES = ("http", "https", "socks5", "socks5h")


def is_loopback(host: str) -> bool:
    """Return whether a host, a name or an address as a URL has it, is this machine."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        try:
            # Also the short forms, such as 127.1, which the system accepts for addresses.
            address = ip_address(socket.inet_aton(name))
        except (OSError, UnicodeError):
            return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified


def proxies(host: str) -> dict[str, str | None]:
    """Return the proxies as the keys of httpx's `mounts`, with None for what goes past them.

    Args:
        host: Where requests go; what is sent to this machine goes through no proxy.

    Raises:
        UserError: The URL of a proxy is not valid.
    """
    if is_loopback(host):
        return {}
    found_proxies = getproxies()
    excepted = [each for each in re.split(r"[,\s]+", found_proxies.get("no", "")) if each]
    if "*" in excepted:
        return {}
    found: dict[str, str | None] = {
        f"{scheme}://": _proxy(scheme, found_proxies[scheme])
        for scheme in ("http", "https", "all")
        if found_proxies.get(scheme, "").strip()
    }
    if not found:
        return {}
    for entry in excepted:
        scheme, mark, host = entry.rpartition("://")
        if not mark:
            scheme = "all"
            host = entry.removeprefix("[").removesuffix("]").partition("/")[0]
            try:
                host = host if ip_address(host).version == 4 else f"[{host}]"
            except ValueError:
                # A domain stands for all of its hosts.
                is_exact = entry.lower() == "localhost" or entry[0] in "[*" or not entry.isascii()
                host = entry if is_exact else f"*{entry}"
        try:
            requestable(f"{scheme}://{host.removeprefix('*').removeprefix('.')}", (scheme,))
        except ValueError:
            continue  # it names no host
        # httpx knows a domain and all of its hosts, but none with other letters than ASCII's.
        if host.isascii() or host[0] not in "*.":
            found[f"{scheme}://{host}"] = None
    return found


def proxy_secrets() -> dict[str, str]:
    """Return the passwords of the proxies, by names that tell so."""
    found = {}
    for scheme, url in getproxies().items():
        user, _, host = url.rpartition("@")
        if user and host:
            user = unquote(user.rpartition("://")[2])
            found[f"{scheme} password"] = user.partition(":")[2]
            found[f"{scheme} authorization"] = b64encode(user.encode()).decode()
    return found


def _proxy(scheme: str, value: str) -> str:
    url = value.strip()
    url = url if "://" in url else f"http://{url}"
    try:
        requestable(url, _SCHEMES)
    except ValueError as exc:
        # The URL may hold a password.
        name = f"{scheme}_proxy"
        named = next((each for each in os.environ if each.lower() == name), None)
        where = f"environment variable `{named}`" if named else f"system's setting for {scheme}"
        raise UserError(
            f"No HTTP client can be made: the proxy of the {where} cannot be used: {exc}."
        ) from exc
    return url


def certificates() -> str | None:
    """Return the environment variable that names the certificates to trust, None for none.

    Raises:
        UserError: There is nothing where it points.
    """
    for name, is_there in (("SSL_CERT_FILE", Path.is_file), ("SSL_CERT_DIR", Path.is_dir)):
        place = os.environ.get(name)
        if place:
            if not is_there(Path(place)):
                raise UserError(
                    f"The environment variable `{name}` names {place[:200]!r}, which does not "
                    "exist: correct it, or unset it."
                )
            return name
    return None
