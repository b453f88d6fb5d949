"""Settings that an operator keeps in a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from holdfast.errors import UserError

Kept = TypeVar("Kept", bound=BaseModel)


def from_yaml(kind: type[Kept], path: Path | None, what: str) -> Kept:
    """What a file says; the defaults where there is none.

    Args:
        kind: of the settings.
        path: of the file.
        what: the file is, for messages.

    Raises:
        UserError: it cannot be read, is no YAML, or says what cannot be.
    """
    import yaml

    if path is None:
        return kind()
    try:
        return kind.model_validate(yaml.safe_load(path.read_text("utf-8")) or {})
    except OSError as error:
        raise UserError(f"The {what} {path} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"The {what} {path} is no YAML: {str(error).splitlines()[0]}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(f"The {what} {path}: {key}: {first['msg']}.") from error
