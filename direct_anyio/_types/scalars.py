"""The types whose values JSON writes without parts: numbers, texts, dates and the like."""

from __future__ import annotations

import ipaddress
import math
import pathlib
import re
import typing
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from .._values import from_base64
from .kinds import Scalar

__all__ = ("ANYTHING", "SCALARS")

_TEXT = (str,)
_NUMBERS = (int, float)

# ISO 8601, a year as 365 days, as pydantic reads and writes it; the length of a month is not known.
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?=.)(?:(?P<years>N)Y)?(?:(?P<weeks>N)W)?(?:(?P<days>N)D)?"
    r"(?:T(?=.)(?:(?P<hours>N)H)?(?:(?P<minutes>N)M)?(?:(?P<seconds>N)S)?)?".replace(
        "N", r"\d+(?:[.,]\d+)?"
    )
)


def _whole(value: int | float) -> int:
    if not isinstance(value, int) and not value.is_integer():
        raise ValueError
    return int(value)


def finite_float(value: int | float) -> float:
    """Return a number as a float; it must be finite."""
    made = float(value)
    if not math.isfinite(made):
        raise ValueError
    return made


def finite_decimal(value: int | float | str) -> Decimal:
    """Return a number, or a text of one, as a decimal; it must be finite."""
    made = Decimal(str(value))
    if not made.is_finite():
        raise ValueError
    return made


def iso_duration(text: str) -> timedelta:
    """Return a duration of ISO 8601."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError
    given = found.groupdict()
    sign = -1 if given.pop("sign") == "-" else 1
    # Whole microseconds: sums of floats would be off by one.
    parts = {unit: Decimal(number.replace(",", ".")) for unit, number in given.items() if number}
    microseconds = sum(number * _MICROSECONDS[unit] for unit, number in parts.items())
    return sign * timedelta(microseconds=int(microseconds))


_MICROSECONDS = {
    unit: timedelta(seconds=seconds) // timedelta(microseconds=1)
    for unit, seconds in {
        "years": 365 * 86_400,
        "weeks": 7 * 86_400,
        "days": 86_400,
        "hours": 3_600,
        "minutes": 60,
        "seconds": 1,
    }.items()
}


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, RecursionError):
        raise ValueError from None


def _text(name: str, wanted: str, make: Callable[[str], Any], form: str, **more: Any) -> Scalar:
    return Scalar(name, {"type": "string", "format": form}, _TEXT, wanted, make, **more)


ANYTHING = Scalar("Any", {}, (), "", lambda value: value)

_SCALARS: tuple[tuple[Any, Scalar], ...] = (
    (Any, ANYTHING),
    (object, ANYTHING),
    (type(None), Scalar("None", {"type": "null"}, (type(None),), "null", lambda value: value)),
    (bool, Scalar("bool", {"type": "boolean"}, (bool,), "true or false", bool)),
    (str, Scalar("str", {"type": "string"}, _TEXT, "text", str)),
    (int, Scalar("int", {"type": "integer"}, _NUMBERS, "an integer", _whole,
                 lambda value: type(value) is int)),
    (float, Scalar("float", {"type": "number"}, _NUMBERS, "a number", finite_float,
                   lambda value: type(value) is float)),
    # As text too: a number of JSON is read as a float, which has fewer digits.
    (Decimal, Scalar("Decimal", {"type": "number"}, (*_NUMBERS, str), "a number", finite_decimal)),
    (date, _text("date", "a date", date.fromisoformat, "date")),
    (datetime, _text("datetime", "a date and time", datetime.fromisoformat, "date-time",
                     is_exact=lambda value: type(value) is str and len(value) > 10)),
    (time, _text("time", "a time", time.fromisoformat, "time")),
    (timedelta, _text("timedelta", "a duration such as PT1H30M", iso_duration, "duration")),
    (UUID, _text("UUID", "a UUID", UUID, "uuid")),
    (bytes, _text("bytes", "bytes in base64", from_base64, "base64")),
    (bytearray, _text("bytearray", "bytes in base64", lambda text: bytearray(from_base64(text)),
                      "base64")),
    (re.Pattern, _text("Pattern", "a regular expression", _pattern, "regex")),
    *((cls, _text(cls.__name__, "a path", cls, "path"))
      for cls in (pathlib.Path, pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath)),
    *((cls, _text(cls.__name__, f"an {name}", cls, form))
      for cls, name, form in (
          (ipaddress.IPv4Address, "IPv4 address", "ipv4"),
          (ipaddress.IPv6Address, "IPv6 address", "ipv6"),
          (ipaddress.IPv4Network, "IPv4 network", "ipv4network"),
          (ipaddress.IPv6Network, "IPv6 network", "ipv6network"),
          (ipaddress.IPv4Interface, "IPv4 interface", "ipv4interface"),
          (ipaddress.IPv6Interface, "IPv6 interface", "ipv6interface"),
      )),
)  # fmt: skip

SCALARS: dict[Any, Scalar] = dict(_SCALARS)
SCALARS |= {
    None: SCALARS[type(None)],
    typing.LiteralString: SCALARS[str],
    typing.Pattern: SCALARS[re.Pattern],
}
