"""Keeps web pages of other sites from using a server that is meant for this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


def is_this_machine(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check(request: Request, host: str) -> None:
    """Raise HTTPException 403 for a request that a web page of another site may have made.

    A browser says which site a page is from. A page can also have its own name point to 127.0.0.1 ("DNS
    rebinding"), so that it counts as the same site: a server at `host`, an address of this machine alone, is
    therefore only known by the names of this machine.
    """
    named = request.headers.get("host", "")
    if is_this_machine(host) and _host_in(f"//{named}") not in _THIS_MACHINE | {host}:
        raise HTTPException(403, f"this server is not known as '{named}'; call it localhost.")
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != named:
        raise HTTPException(403, "pages of other sites may not use this server.")


def _host_in(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:  # such as an unclosed bracket
        return None
