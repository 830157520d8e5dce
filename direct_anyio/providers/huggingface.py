"""The constructor for Hugging Face's router."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from ..exceptions import UserError
from ._endpoint import Endpoint, SDKClient, refuse

if TYPE_CHECKING:
    from ..models.keys import APIKey

__all__ = ("HuggingFaceProvider",)


@frozen(repr=False)
class HuggingFaceProvider(Endpoint):
    """Hugging Face's router, or an endpoint of the user's there.

    Attributes:
        base_url: The base URL, instead of the router's.
        api_key: The key, instead of the one in the environment; see `APIKey`.
        hf_client: Refused: a client of the vendor's SDK.
        provider_name: Refused: the router takes it behind the model's name, as in
            `'deepseek-ai/DeepSeek-R1:together'`.
    """

    row_name = "huggingface"

    base_url: str | None = None
    api_key: APIKey | None = field(default=None, repr=False)
    hf_client: SDKClient | None = field(default=None, kw_only=True, repr=False, validator=refuse)
    provider_name: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.provider_name is not None:
            raise UserError(
                "HuggingFaceProvider takes no `provider_name`: write it behind the model's name, "
                f"as in 'vendor/model:{self.provider_name}'."
            )
