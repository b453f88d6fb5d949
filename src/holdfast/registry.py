"""Methods by name: `harmful_rows`, `harmful_rows(rows=50)`, `{"kind": "harmful_rows", "rows": 50}`.

Every folder of methods has one table, from a method's configuration class to its function. Outside
packages add to these tables by the entry-point group `holdfast.methods`; an entry point names such
a table of its own.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.hooks import Defence

__all__ = ["GROUP", "lookup", "names", "parse", "parse_stack", "read", "spec", "written"]

GROUP = "holdfast.methods"

_FORM = re.compile(r"(?P<name>[A-Za-z_][\w-]*)\s*(?:\((?P<settings>.*)\))?", re.DOTALL)
_BARE = re.compile(r"""[^\s()\[\]{}'",]+""")

M = TypeVar("M", bound=BaseModel)


def names(table: dict[type[M], Any]) -> list[str]:
    """Names of the methods in a table, those of outside packages included."""
    return sorted(_by_name(table))


def lookup(table: dict[type[M], Any], name: str) -> type[M]:
    """The configuration class of the method called `name`.

    Methods of outside packages that belong beside the table's own are put into it.

    Raises:
        UserError: no method has that name; the message lists near misses.
    """
    known = _by_name(table)
    if name not in known:
        near = _near(name, known)
        advice = f"did you mean {near}?" if near else f"known are {', '.join(sorted(known))}."
        raise UserError(f"There is no method {name!r}: {advice}")
    return known[name]


def parse(table: dict[type[M], Any], spec: str | Mapping[str, Any]) -> M:
    """A method's configuration from a name, a name with settings, or a mapping with `kind`.

    Raises:
        UserError: an unknown method or setting, or a value that does not fit.
    """
    if isinstance(spec, str):
        name, settings = read(spec)
    else:
        settings = dict(spec)
        name = settings.pop("kind", None)
        if not isinstance(name, str):
            raise UserError(f"A method needs its name under 'kind': {dict(spec)}.")
    config = lookup(table, name)
    try:
        return config.model_validate(settings)
    except ValidationError as error:
        raise UserError(_what_is_wrong(name, config, error)) from error


def parse_stack(spec: str) -> tuple[Defence, ...]:
    """The defences of a stack such as `safety_mixing+secret_prefix(length=12)`; `none` is ().

    Raises:
        UserError: an unknown defence or setting.
    """
    from holdfast.defences import DEFENCES
    from holdfast.guards import GUARDS

    table: dict[Any, Any] = {**DEFENCES, **GUARDS}
    parts = [part.strip() for part in split(spec)]
    if parts == ["none"]:
        return ()
    if "" in parts or "none" in parts:
        raise UserError(f"{spec!r} is no stack: write 'none', or defences joined by '+'.")
    return tuple(parse(table, part) for part in parts)


def _by_name(table: dict[type[M], Any]) -> dict[str, type[M]]:
    families: tuple[type[Any], ...] = tuple({config.__mro__[1] for config in table})
    for config, function in _outside().items():
        if issubclass(config, families):
            table.setdefault(config, function)
    return {str(config.model_fields["kind"].default): config for config in table}


@cache
def _outside() -> dict[type[Any], Any]:
    return installed(GROUP, "methods")


def installed(group: str, what: str) -> dict[Any, Any]:
    """The tables that installed packages offer under an entry-point group, as one.

    Args:
        group: the group's name.
        what: what the tables hold, for the message.

    Raises:
        UserError: a package's table cannot be loaded.
    """
    found: dict[Any, Any] = {}
    for point in entry_points(group=group):
        try:
            found.update(point.load())
        except Exception as error:  # an outside package may fail in any way
            raise UserError(
                f"The {what} {point.value!r} of an installed package cannot be loaded ({error}): "
                "mend or uninstall that package."
            ) from error
    return found


def _near(name: str, known: Iterable[str]) -> str:
    return " or ".join(repr(n) for n in difflib.get_close_matches(name, list(known), 3, 0.5))


def read(spec: str) -> tuple[str, dict[str, Any]]:
    """Name and settings of `name` or `name(setting=value, ...)`.

    Words, numbers with units, paths and addresses need no quotes: whatever is no literal and has
    neither blanks, quotes nor brackets is text.

    Raises:
        UserError: it has another form.
    """
    wrong = UserError(f"{spec!r} is no method: write a name, or name(setting=value, ...).")
    form = _FORM.fullmatch(spec.strip())
    if form is None:
        raise wrong
    parts = split(form["settings"] or "", ",")
    if not parts[-1].strip():  # none at all, or a comma after the last one
        parts.pop()
    settings: dict[str, Any] = {}
    for part in parts:
        setting, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not setting.isidentifier() or setting in settings:
            raise wrong
        try:
            settings[setting] = _value(value)
        except ValueError:
            raise wrong from None
    return form["name"], settings


def spec(config: BaseModel) -> str:
    """A method's kind with all its settings, as `read` reads them."""
    settings = config.model_dump(mode="json")
    name = settings.pop("kind")
    return f"{name}({', '.join(f'{key}={written(value)}' for key, value in settings.items())})"


def written(value: object) -> str:
    """A setting as `read` reads it: words bare, other texts quoted."""
    bare = isinstance(value, str) and value.isidentifier()
    return str(value) if bare else repr(value)


def _value(text: str) -> Any:
    bare = _BARE.fullmatch(text) is not None
    if bare and "#" in text:  # Python would take the rest for a comment
        return text
    try:
        return _literal(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        if bare:
            return text
    raise ValueError(text)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "null": None}.get(node.id, node.id)
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(item) for item in node.elts]
    return ast.literal_eval(node)


def split(spec: str, at: str = "+") -> list[str]:
    """Parts between the signs `at` that stand outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for sign in spec:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        if sign == at and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _what_is_wrong(name: str, config: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    setting = ".".join(map(str, first["loc"])) or "its settings"
    if first["type"] == "extra_forbidden":
        known = [field for field in config.model_fields if field != "kind"]
        near = _near(setting, known)
        advice = f"did you mean {near}?" if near else f"it has {', '.join(known) or 'none'}."
        return f"{name} has no setting {setting!r}: {advice}"
    return f"{name} cannot take {first['input']!r} for {setting}: {first['msg'].lower()}."
