"""Parses docstrings: the summary, and the description of each argument.

Sections in the style of Google, NumPy and Sphinx are known; anything else is summary.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

__all__ = ("own_doc", "summary", "argument_descriptions", "class_descriptions")

_TITLES = (
    "Args|Arguments|Params|Parameters|Keyword Args|Keyword Arguments|Keyword Parameters|Kwargs"
    "|Other Args|Other Arguments|Other Params|Other Parameters|Attributes|Attrs"
)
_FIELDS = "param|parameter|arg|argument|key|keyword|kwarg|kwparam|ivar|var|cvar"

_NAMES = r"((?:\\?\*){0,2}`{0,2}\w+`{0,2}(?:,[ ]*(?:\\?\*){0,2}`{0,2}\w+`{0,2})*)"
_BRACKETS = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"  # with two more levels inside

_GOOGLE = re.compile(rf"({_TITLES})[ ]*:[ ]*", re.I)
_GOOGLE_ITEM = re.compile(rf"{_NAMES}[ ]*(?:{_BRACKETS})?[ ]*:(?!:)(.*)")
_NUMPY = re.compile(rf"({_TITLES})[ ]*", re.I)
_NUMPY_ITEM = re.compile(rf"{_NAMES}[ ]*(?::.*)?()")
_RULE = re.compile(r"[-=~]{3,}[ ]*")
_SPHINX_ITEM = re.compile(rf"[:@](?:{_FIELDS})[ ]+(?:.*?[ ])??((?:\\?\*){{0,2}}\w+)[ ]*:(.*)")

# Where the summary ends: any section, with a title or of fields.
_SECTION = re.compile(
    rf"^(?:[A-Z]\w*(?: [A-Z]\w*)?:[ ]*\n[ ]+\S|[ ]*(?i:{_TITLES}):(?:[ ]*\n)+[ ]+\S"
    rf"|[ ]*(?i:{_TITLES})[ ]*\n[ ]*[-=~]{{3,}}[ ]*\n|(?<=\n)[A-Z][\w ]*\n-{{3,}}[ ]*\n"
    rf"|[ ]*[:@](?:{_FIELDS})[ ][^:\n]*:|[:@]\w+[^:`\n]*:(?!`))",
    re.M,
)


def _lines(doc: str | None) -> list[str]:
    # Tabs are four wide, since they stand beside items that are indented by four.
    return inspect.cleandoc((doc or "").replace("\r\n", "\n").expandtabs(4)).split("\n")


def summary(doc: str | None) -> str | None:
    """Return what stands before the sections of a docstring."""
    text = "\n".join(_lines(doc)) + "\n"
    section = _SECTION.search(text)
    return text[: section.start() if section else None].strip() or None


def argument_descriptions(doc: str | None) -> dict[str, str]:
    """Return what a docstring says of each argument, in the style of Google, NumPy or Sphinx."""
    lines = _lines(doc)
    found: dict[str, str] = {}
    for number, line in enumerate(lines):
        text, rest = line.strip(), lines[number + 1 :]
        indent = _indent(line)
        if _SPHINX_ITEM.fullmatch(text):
            block, item = [line, *_field(rest, indent)], _SPHINX_ITEM
        elif _NUMPY.fullmatch(text) and rest and _RULE.fullmatch(rest[0].strip()):
            # Up to the next title with a rule under it.
            body, below = rest[1:], [*rest[2:], ""]
            is_title = [
                bool(title.strip() and _RULE.fullmatch(under.strip()))
                for title, under in zip(body, below, strict=False)
            ]
            block, item = body[: [*is_title, True].index(True)], _NUMPY_ITEM
        elif _GOOGLE.fullmatch(text):
            # Up to a line that is indented no deeper.
            is_outside = [each.strip() != "" and _indent(each) <= indent for each in rest]
            block, item = rest[: [*is_outside, True].index(True)], _GOOGLE_ITEM
        else:
            continue
        for names, text in _entries(block, item):
            description = " ".join(text.split())
            if description:
                found |= {name.strip(" \\*`"): description for name in names.split(",")}
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _field(lines: list[str], indent: int) -> Iterator[str]:
    """Yield the lines that go on with a field: deeper ones, and text that follows at once."""
    after_blank = False
    for line in lines:
        text = line.strip()
        if text and _indent(line) <= indent and (after_blank or text[0] in ":@"):
            return
        after_blank = not text
        yield line


def _entries(lines: list[str], item: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Yield names and description of each item of a section.

    An item starts with a line of its form that is indented no deeper than the item before it.
    """
    names, texts, indent = "", [""], len(max(lines, key=len, default=""))
    for line in lines:
        found = item.fullmatch(line.strip()) if _indent(line) <= indent else None
        if found:
            yield names, " ".join(texts)
            names, indent = found[1], _indent(line)
        texts = [found[2]] if found else [*texts, line]
    yield names, " ".join(texts)


def class_descriptions(cls: type) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say of each argument."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= argument_descriptions(own_doc(base))
    return found


def own_doc(cls: type) -> str | None:
    """Return the docstring that was written for a class, None where it was generated."""
    doc = vars(cls).get("__doc__")
    return None if not isinstance(doc, str) or doc.startswith(f"{cls.__name__}(") else doc
