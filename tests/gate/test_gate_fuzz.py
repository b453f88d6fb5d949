"""Whatever is sent, within the OpenAPI document or not, the answer is one that it describes."""

from __future__ import annotations

import pytest
import schemathesis
from gates import Gate
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES = 10
CHECKS = [status_code_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
def test_no_request_breaks_the_server(gate: Gate, mode: GenerationMode) -> None:
    gate.job(metadata={"team": "lamps"})
    described = schemathesis.openapi.from_asgi("/openapi.json", gate.client.app)
    headers = gate.as_("ada", "admin")
    tried = 0
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def sent(case: schemathesis.Case) -> None:
            answer = case.call(headers=headers)
            assert answer.status_code < 500 or answer.status_code == 503, answer.text
            case.validate_response(answer, checks=CHECKS)

        try:
            sent()
        except Unsatisfiable:  # nothing that it takes could be wrong
            continue
        tried += 1
    assert tried > 10
