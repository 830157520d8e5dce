"""What must not show in an error or a recording: keys, and headers that hold one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from attrs import define, field

__all__ = ("SECRET_NAME", "Hidden", "Secrets", "hide")

MIN_SECRET = 8
"""Characters that a secret has at least; what is shorter is a word like any other."""

SECRET_NAME = re.compile("auth|key|token|secret|cookie|password|signature|^sig$", re.IGNORECASE)
"""Headers and query parameters with such a name hold a secret."""


@define(eq=False, repr=False)
class Hidden:
    """A value that does not print.

    Reports of errors show the local variables of all frames, so no frame holds a key that
    is not in one of these.
    """

    _value: Any

    def reveal(self) -> Any:
        """Return the value, for an expression that keeps no name for it."""
        return self._value


def hide(value: Any) -> Hidden | None:
    """Return a value so that it does not print, None for none."""
    return value if value is None or isinstance(value, Hidden) else Hidden(value)


@define(eq=False, repr=False)
class Secrets:
    """The secrets of a request, each of which is shown as three stars."""

    _found: set[str] = field(factory=set)

    def learn(self, values: Mapping[str, str]) -> None:
        """Learn the secrets among headers or query parameters, by their names."""
        for name, value in values.items():
            if SECRET_NAME.search(name):
                # A key comes as "Bearer <key>", cookies as "name=value; name=value".
                pairs = (pair.partition("=") for pair in re.split(r"[\s;,]+", value))
                found = {value, value.rpartition(" ")[2], *(pair[2] for pair in pairs)}
                self._found |= {each for each in found if len(each) >= MIN_SECRET}

    def hidden(self, text: str) -> str:
        """Return a text without the secrets."""
        for form in self._forms():
            text = text.replace(form, "***")
        return text

    def masked(self, data: bytes) -> bytes:
        """Return bytes of the same number without the secrets."""
        for form in self._forms():
            data = data.replace(form.encode(), b"*" * len(form.encode()))
        return data

    def scrub(self, error: BaseException) -> None:
        """Hide the secrets in what an error, and what it was caused by, says and holds.

        The frames that it has come through so far are dropped: their local variables are
        the request as it was sent, and the server's words about it.
        """
        seen: set[BaseException] = set()
        chain = [error]
        while chain:
            each = chain.pop()
            seen.add(each)
            each.__traceback__ = None
            each.args = self.without(each.args)
            for name, value in vars(each).items():
                setattr(each, name, self.without(value))
            causes = {each.__cause__, each.__context__} - seen
            chain += [cause for cause in causes if cause is not None]

    def without(self, value: Any) -> Any:
        """Return a text, or a document of texts, without the secrets."""
        match value:
            case str():
                text = self.hidden(value)
                for form in self._forms():
                    if len(form) >= 2 * MIN_SECRET:
                        # The larger part of a long secret, as where it was cut.
                        head = re.escape(form[: len(form) // 2])
                        text = re.sub(rf"{head}[\w.~+/%=-]*", "***", text)
                return text
            case dict():
                return {self.without(key): self.without(item) for key, item in value.items()}
            case list() | tuple():
                return type(value)(map(self.without, value))
        return value

    def _forms(self) -> list[str]:
        forms = {
            form
            for secret in self._found
            for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])
        }
        # One may be a part of another.
        return sorted(forms, key=len, reverse=True)
