"""The library makes of recorded traffic what the established client makes of it."""

from __future__ import annotations

import pytest

from direct_anyio.providers import PROVIDERS

from .wire_records import endpoints, provider_of_endpoint, rates_of, report, wire

PLACE = wire()

THRESHOLDS = {
    "responses": {
        "parts": 0.99,
        "head": 0.99,
        "usage": 0.99,
        "error": 0.99,
        "event_shape": 0.99,
        "events": 0.95,
        "details": 0.95,
    },
    "requests": {"route": 0.97, "body": 0.97, "headers": 0.97, "error": 0.97},
}
"""The least share of the records that must agree, by kind and level."""

FILES = [
    (kind, endpoint)
    for kind, endpoint in (endpoints(PLACE) if PLACE else ())
    if provider_of_endpoint(endpoint) in PROVIDERS
]


@pytest.mark.skipif(PLACE is None, reason="there are no recordings here")
@pytest.mark.filterwarnings("ignore::direct_anyio.UnheededSettingWarning")
@pytest.mark.parametrize(("kind", "endpoint"), FILES, ids=[f"{k}-{e}" for k, e in FILES])
async def test_recorded_traffic_agrees(kind: str, endpoint: str) -> None:
    """Recorded responses decode, and histories encode, as with the established client."""
    assert PLACE is not None
    rates = await rates_of(PLACE, kind, endpoint)
    print(report(kind, endpoint, rates))
    low = {
        level: rates.differences[level][:3]
        for level, least in THRESHOLDS[kind].items()
        if rates.rate(level) < least
    }
    assert not low, report(kind, endpoint, rates)
