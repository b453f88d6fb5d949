"""What every test may ask for."""

from __future__ import annotations

import pytest

from holdfast.models import Model
from tiny_models import make_model


@pytest.fixture
def tiny_model(request: pytest.FixtureRequest) -> Model:
    """A random model; `indirect` parametrisation names the architecture."""
    return make_model(getattr(request, "param", "llama"))
