"""What a docstring says: its summary, and what it tells of each argument.

Sections in the style of Google, NumPy and Sphinx are known; anything else is summary.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

__all__ = ("own_doc", "summary", "told")

_BLOCK = r"((?:[ \t].*\n|\n)+)"
_GOOGLE = re.compile(
    rf"^(?:Args|Arguments|Parameters|Keyword Args|Attributes):[ \t]*\n{_BLOCK}", re.M
)
_GOOGLE_ITEM = re.compile(rf"^\*{{0,2}}(\w+)[ \t]*(?:\([^)\n]*\))?:(.*\n{_BLOCK}?)", re.M)
_NUMPY = re.compile(r"^(?:Parameters|Attributes)\n-{3,}\n((?:(?!.+\n-{3,}\n).*\n)*)", re.M)
_NUMPY_ITEM = re.compile(rf"^(\w+)[ \t]*(?::.*)?\n({_BLOCK})", re.M)
_SPHINX_ITEM = re.compile(
    rf"^:(?:param|parameter|arg|argument|ivar|var)[ \t](?:.*[ \t])?(\w+):(.*\n{_BLOCK}?)", re.M
)
_SECTION = re.compile(
    r"^(?:[A-Z]\w*(?: [A-Z]\w*)?:[ \t]*\n[ \t]+\S|\w+\n-{3,}\n|:\w+[^:\n]*:)", re.M
)


def _cleaned(doc: str | None) -> str:
    return inspect.cleandoc(doc or "") + "\n"


def summary(doc: str | None) -> str | None:
    """Return what stands before the sections of a docstring."""
    text = _cleaned(doc)
    section = _SECTION.search(text)
    return text[: section.start() if section else None].strip() or None


def told(doc: str | None) -> dict[str, str]:
    """Return what a docstring says of each argument, in the style of Google, NumPy or Sphinx."""
    text = _cleaned(doc)
    found = [
        *(item for block in _GOOGLE.findall(text) for item in _in_block(_GOOGLE_ITEM, block)),
        *(item for block in _NUMPY.findall(text) for item in _in_block(_NUMPY_ITEM, block)),
        *_SPHINX_ITEM.findall(text),
    ]
    return {name: " ".join(said.split()) for name, said, *_ in found if said.strip()}


def _in_block(item: re.Pattern[str], block: str) -> list[Any]:
    return item.findall(textwrap.dedent(block))


def own_doc(kind: Any) -> str | None:
    """Return the docstring that was written for a class, None where it was generated."""
    doc = vars(kind).get("__doc__") if isinstance(kind, type) else None
    return None if doc is None or doc.startswith(f"{kind.__name__}(") else doc
