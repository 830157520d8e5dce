"""A model by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .._core.secrets import hide
from ..exceptions import UserError, shown
from ..profiles import ModelProfileSpec
from ..settings import ModelSettings
from .base import Model

if TYPE_CHECKING:
    from .._io.run import HTTPClient
    from .keys import APIKey

__all__ = ("KnownModelName", "infer_model")

if TYPE_CHECKING:
    from ._known_names import KnownName

    KnownModelName: TypeAlias = KnownName | str
else:
    KnownModelName: TypeAlias = str
"""A model's name with its provider, such as `'anthropic:claude-haiku-4-5'`.

Any text is one, as models come faster than releases. Those that were known at this release
are in `known_model_names()`, and editors complete them.
"""


def infer_model(
    model: Model | KnownModelName | str,
    *,
    api_key: APIKey | None = None,
    base_url: str | None = None,
    http_client: HTTPClient | None = None,
    max_connections: int = 100,
    downloads: bool = False,
    settings: ModelSettings | None = None,
    profile: ModelProfileSpec | None = None,
) -> Model:
    """Return the model of a name; the one way to make one by name.

    Args:
        model: `'provider:model'`, such as `'openai:gpt-4.1-mini'` or `'local:smollm2'`;
            `'test'` for a test double. A `Model` is returned as it is.
        api_key: The key, instead of the one in the provider's environment variable. Or a
            function without arguments that returns it: it is asked for each attempt, and
            once more after a 401, where the request is sent again if the key is another
            one by then. An async function is awaited in the event loop of the request,
            any other runs in a worker thread; what it raises is raised as it is. Or a
            list of keys and functions: one is used until it is rate-limited, refused or
            out of quota, and then the next, at once.
        base_url: The base URL, instead of the provider's.
        http_client: An `httpx.AsyncClient` or `httpx2.AsyncClient` to send with; it
            stays yours to close.
        max_connections: Requests that are under way at once in an event loop, for each host
            and each key; more wait in turn, without a limit of their own. Models with the
            same number share it; a client of yours may allow fewer, and has one queue for
            all hosts. A local model takes 4 at once.
        downloads: Whether files are downloaded and sent as bytes whose URL the model
            cannot read, or that have `force_download`; hosts that are not on the public
            internet are refused.
        settings: Settings for every request.
        profile: What the model can do, instead of what is known of it.

    Raises:
        UserError: There is no such provider, or its key is missing.
    """
    key = hide(api_key)
    del api_key
    if isinstance(model, Model):
        return model
    if not isinstance(model, str):
        raise UserError(
            f"A model is a Model or a name such as 'openai:gpt-4.1-mini', not {shown(model)}"
        )
    if model == "test":
        from .test import TestModel

        return TestModel(settings=settings, profile=profile)
    from .http import http_model

    return http_model(
        model,
        api_key=key,
        base_url=base_url,
        http_client=http_client,
        max_connections=max_connections,
        downloads=downloads,
        settings=settings,
        profile=profile,
    )
