"""Models: what one is, how one is made by name, and whether they may be asked at all."""

from __future__ import annotations

from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from .base import (
    Model,
    ModelCall,
    ModelLayer,
    check_allow_model_requests,
    override_allow_model_requests,
)
from .inference import KnownModelName, infer_model
from .known import known_model_names

__all__ = (
    "ALLOW_MODEL_REQUESTS",
    "KnownModelName",
    "Model",
    "ModelCall",
    "ModelLayer",
    "ModelRequestParameters",
    "StreamedResponse",
    "check_allow_model_requests",
    "infer_model",
    "known_model_names",
    "override_allow_model_requests",
)

ALLOW_MODEL_REQUESTS = True
"""Whether models may send requests; set it to False in tests."""
