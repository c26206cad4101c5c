"""Where calls may go: the platform's own host, and the few hosts that links in its answers may name.

The key is attached for the platform's own origin only. Outside loopback everything is https, and the address
that was really connected to must be a public one, so that a name that resolves into our own network (or to a
metadata service) gets no byte.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

_PORTS = {"https": 443, "http": 80}


class WrongAddress(ValueError):  # noqa: N818 - reads as what it says
    """A base URL that the service must not start with; the text is a sentence for the person who set it."""


class ForeignLink(Exception):  # noqa: N818 - a verdict on a link
    """A link in an answer that is not followed."""


@dataclass(frozen=True)
class Origin:
    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def base_origin(base_url: str) -> Origin:
    """The origin of a configured base URL. Raises WrongAddress: no https, credentials in it, or no host."""
    try:
        parts = urlsplit(base_url)
        origin = _origin(parts)
    except ValueError:
        raise WrongAddress(f"{base_url!r} is not an http(s) address with a host") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise WrongAddress(f"the address of {origin.host} must not carry credentials, a query or a fragment")
    if origin.scheme != "https" and not origin.is_loopback:
        raise WrongAddress(f"the address of {origin.host} must begin with https://")
    return origin


def resolved(target: str, base_url: str, base: Origin, allowed_hosts: frozenset[str]) -> tuple[str, bool]:
    """The absolute URL of a target, and whether it is the platform's own origin (and so gets the key).

    A path is taken below the base URL. An absolute link is followed on the base's origin or on an allowed
    host, by https unless the base itself is on loopback. Raises ForeignLink.
    """
    if target.startswith("/") and not target.startswith("//"):
        return base_url.rstrip("/") + target, True
    try:
        parts = urlsplit(target)
        origin = _origin(parts)
    except ValueError:
        raise ForeignLink("the link is not an http(s) address") from None
    if parts.username or parts.password:
        raise ForeignLink(f"the link to {origin.host} carries credentials")
    if origin == base:
        return target, True
    if origin.host not in allowed_hosts:
        raise ForeignLink(f"the link leads to {origin.host}, which is not an allowed host")
    if origin.is_loopback and not base.is_loopback:
        raise ForeignLink("the link leads to this machine")
    if origin.scheme != "https" and not base.is_loopback:
        raise ForeignLink(f"the link to {origin.host} is not https")
    return target, False


def is_acceptable_peer(address: object, base: Origin, *, allow_private: bool) -> bool:
    """Whether the connected peer is one we may talk to; an address that cannot be read is none."""
    try:
        peer = ipaddress.ip_address(address[0].split("%")[0])  # type: ignore[index]
    except (TypeError, ValueError, IndexError, AttributeError, KeyError):
        return False
    if base.is_loopback:
        return peer.is_loopback
    return allow_private or (peer.is_global and not peer.is_multicast)


def path_part(value: str) -> str:
    """An id as one part of a path, whatever characters it has; `.` and `..` stay ids too."""
    quoted = quote(value, safe="")
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted


def _origin(parts: SplitResult) -> Origin:
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("no http origin")
    return Origin(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])
