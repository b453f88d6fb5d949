"""What an operator says in a file about what a tenant may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors import UserError
from holdfast.gate.from_yaml import from_yaml
from holdfast.gate.options import Limits


def test_what_the_file_does_not_say_is_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("requests: 60\n")
    limits = from_yaml(Limits, path, "file of limits")
    assert (limits.requests, limits.jobs) == (60, Limits().jobs)
    assert from_yaml(Limits, None, "file of limits") == Limits()


@pytest.mark.parametrize(
    ("text", "said"),
    [("requests: 0", "requests"), ("speed: 3", "speed"), ("[", "no YAML"), ("- 1", "the file")],
)
def test_limits_that_cannot_be_are_refused_in_one_sentence(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as refused:
        from_yaml(Limits, path, "file of limits")
    assert str(path) in str(refused.value)


def test_a_file_of_limits_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        from_yaml(Limits, tmp_path / "none.yaml", "file of limits")
