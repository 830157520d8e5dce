"""Prices and counts by the tables of `genai-prices`, which is an extra of its own."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs

from .exceptions import UserError

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

    from .usage import RequestUsage

__all__ = ("counts_in", "price_of")


def price_of(
    usage: RequestUsage,
    model_name: str,
    *,
    provider_url: str | None,
    provider_name: str | None,
    timestamp: datetime,
) -> PriceCalculation:
    """Return what a response costs: by the provider's URL, else by its name.

    Raises:
        UserError: `genai-prices` is not installed.
        LookupError: It does not know the model.
    """
    calc_price = _library().calc_price
    known: dict[str, Any] = {"genai_request_timestamp": timestamp}
    counted = _counted(usage)
    if provider_url:
        try:
            price: PriceCalculation = calc_price(
                counted, model_name, provider_api_url=provider_url, **known
            )
        except LookupError:
            pass  # a gateway or a server of the user's own
        else:
            return price
    price = calc_price(counted, model_name, provider_id=provider_name, **known)
    return price


def _counted(usage: RequestUsage) -> Any:
    """Return a usage with those details that have a price of their own.

    What is written to the cache for an hour costs more than what is for five minutes.
    """
    names = ("ephemeral_1h_input_tokens", "cache_write_1h_tokens")
    hourly = sum(usage.details.get(name, 0) for name in names)
    hourly = min(hourly, usage.cache_write_tokens)
    return SimpleNamespace(**attrs.asdict(usage), cache_write_1h_tokens=hourly)


def counts_in(
    data: Any, providers: tuple[str, ...], provider_url: str | None, flavor: str
) -> dict[str, int]:
    """Return the counts in a provider's response, none where they cannot be read.

    Args:
        data: The response, as JSON was read.
        providers: The provider's name, and others that count in the same way.
        provider_url: Its base URL, which is tried first.
        flavor: The provider's protocol, such as 'chat' or 'responses'.

    Raises:
        UserError: `genai-prices` is not installed.
    """
    snapshot = _library().data_snapshot.get_snapshot()
    for id, url in ((None, provider_url), *((name, None) for name in providers)):
        try:
            provider = snapshot.find_provider(None, id, url)
            _, counts = provider.extract_usage(data, api_flavor=flavor)
        except (LookupError, TypeError, ValueError):
            continue
        return {name: count for name, count in vars(counts).items() if count is not None}
    return {}


def _library() -> Any:
    try:
        import genai_prices
        import genai_prices.data_snapshot
    except ImportError as exc:
        raise UserError(
            "Prices need `genai-prices`: `pip install 'direct-anyio[prices]'`."
        ) from exc
    return genai_prices
