"""Read the package's docstrings, which are reStructuredText, as the Markdown that the site is made of.

An extension of griffe for ``docs/mkdocs.yml``. It changes what the docstrings use: roles, links and literal blocks; it
never changes what they say.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|attr|mod|exc|data):`(~?)([^`]+)`")
_LINK = re.compile(r"`([^`<]+?)\s*<(https?://[^>]+)>`__?")
_BARE = re.compile(r"(?<![(<\"'])https?://[^\s)>]+[^\s)>.,]")
_LITERAL = re.compile(r"^(?P<before>.*?)::\n\n(?P<code>(?:(?: {4}.*)?\n?)+)", re.MULTILINE)


def _role(found: re.Match[str]) -> str:
    name = found[2].lstrip(".")
    return f"`{name.rpartition('.')[2] if found[1] else name}`"


def _block(found: re.Match[str]) -> str:
    before = found["before"]
    code = "\n".join(line.removeprefix("    ") for line in found["code"].strip("\n").splitlines())
    return f"{f'{before}:' if before else ''}\n\n```python\n{code}\n```\n\n"


def markdown(text: str) -> str:
    """Return a docstring with roles as code, links as links, and literal blocks as Python."""
    text = _LINK.sub(r"[\1](\2)", text)
    text = _BARE.sub(r"<\g<0>>", text)
    return _LITERAL.sub(_block, _ROLE.sub(_role, text))


class RstDocstrings(griffe.Extension):
    """Griffe's way to look at every object that has a docstring."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Turn its docstring into Markdown."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)
