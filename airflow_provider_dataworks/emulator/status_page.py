"""Serves the status page for people, one file without an outside address; never answers an API call."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import Final

from .requests import Request
from .responses import Answer

PREFIX: Final = "/_emulator/"
FILE: Final = "status_page.html"

_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
# Whatever a request to the API has and a browser's look at the address has not.
_OF_THE_API: Final = ("authorization", "x-acs-action", "x-acs-version", "x-acs-date", "content-type")


def wanted(request: Request) -> bool:
    """
    Whether a request is a person's look at the page.

    ``/`` is where the API is served too: there it takes a bare GET for HTML, which no client of the API sends.
    """
    if request.method != "GET":
        return False
    accept = request.header("accept").lower()
    if request.path == PREFIX:
        return "html" in accept or "json" not in accept
    bare = not request.query and not request.body and not any(map(request.header, _OF_THE_API))
    return request.path == "/" and bare and "text/html" in accept


def headers(content_type: str) -> dict[str, str]:
    """Give the headers of everything that is not an answer of the API: kept nowhere, read only as what it is."""
    return {
        "Content-Type": f"{content_type}; charset=utf-8",
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


@cache
def answer() -> Answer:
    """Give the page, with a policy that lets a browser run and load nothing but what stands in the file."""
    # Read as text, since a browser hashes its scripts after making all line ends \n.
    text = resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return Answer(200, {**headers("text/html"), "Content-Security-Policy": policy(text)}, text.encode())


def policy(text: str) -> str:
    """
    Give the Content-Security-Policy of a page.

    Job names come from callers. Should the page ever treat one as HTML, then the browser refuses even that
    (``require-trusted-types-for``), and a script that got in would not run, since only those of the file are named.
    """
    allowed: dict[str, list[str]] = {"script": [], "style": []}
    for name, content in _INLINE.findall(text):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        allowed[name].append(f"'sha256-{digest}'")
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(allowed["script"]) or "'none'",
        "style-src": " ".join(allowed["style"]) or "'none'",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
