"""How a request is traced.

This version knows the settings and refuses to trace; see the changelog.
"""

from __future__ import annotations

from typing import Any, Literal

from attrs import field, frozen

from .._record import Record

__all__ = ("InstrumentationSettings",)


@frozen(repr=False, kw_only=True)
class InstrumentationSettings(Record):
    """What is traced of a request.

    Attributes:
        tracer_provider: OpenTelemetry's, the global one where None.
        meter_provider: OpenTelemetry's, the global one where None.
        include_binary_content: Whether files are recorded.
        include_content: Whether messages are recorded.
        version: The version of the format.
    """

    tracer_provider: Any = field(default=None)
    meter_provider: Any = field(default=None)
    include_binary_content: bool = True
    include_content: bool = True
    version: Literal[1, 2, 3] = 2
