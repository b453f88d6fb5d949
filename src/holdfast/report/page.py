"""What every page is made of: its environment, glossary, settings, and how it is written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.report import words
from holdfast.report.squares import side

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

LONGEST_FACT = 300
# Nothing should ever put a credential into run.json; a page that is sent around checks again.
CREDENTIAL = re.compile(
    r"(api_?key|password|authorization|credentials?|(^|\.|access_|auth_|api_|hf_)token)$", re.I
)


def _data(value: float | None, shown: str) -> Markup:
    from markupsafe import Markup

    if value is None:
        return Markup('<span class="none">{}</span>').format(shown)
    return Markup('<data value="{}">{}</data>').format(repr(value), shown)


def _folded(name: str) -> Markup:
    """A name that may be broken after `_`, `(` and `+` only, in narrow columns."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_(+])", r"\1<wbr>", str(escape(name))))


def environment() -> Environment:
    """Templates with our filters; everything is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("holdfast.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "rate": lambda value: _data(value, words.percent(value)),
        "count": lambda value: _data(value, words.number(value)),
        "gpu": lambda value: _data(value, words.compute(value)),
        "power": lambda value: _data(value, words.power(value)),
        "end": lambda value: _data(value, words.end(value)),
        "points": lambda value: _data(value, words.points(value)),
        "stack": words.stack_name,
        "folded": _folded,
        "attack": words.attack_name,
        "rows_words": words.rows_words,
        "rows_interval": words.rows_interval,
    }
    environment.globals |= {"side": side, "percent": words.percent}
    return environment


def glossary() -> Any:
    """A function that explains each term once: at its first use on the page."""
    told: set[str] = set()

    def explain(*terms: str) -> list[tuple[str, str]]:
        fresh = [term for term in terms if term not in told]
        told.update(fresh)
        return [(term, words.GLOSSARY[term]) for term in fresh]

    return explain


def _facts(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """A nested mapping as flat (path, value) lines."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _facts(inner, f"{path}.{key}" if path else str(key))
        return
    if CREDENTIAL.search(path):
        yield path, "(withheld)"
        return
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    yield path, text if len(text) <= LONGEST_FACT else text[:LONGEST_FACT] + " …"


def settings(facts: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """`run.json` by its top-level names, as flat lines."""
    return {
        key: list(_facts(value, "" if isinstance(value, Mapping) else key))
        for key, value in facts.items()
    }


def write_page(out: Path, text: str) -> Path:
    """Write under a temporary name, then rename: no one opens half a page."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(out)
    return out
