"""The pages that are made from the code: one for each method, and the README's file tree.

`python -m holdfast.pages` writes them (`make docs`); a test says when they are out of date.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from holdfast.attacks import ATTACKS
from holdfast.defences import DEFENCES
from holdfast.elicit import ELICITATIONS
from holdfast.guards import GUARDS
from holdfast.hooks import Method

Table = Mapping[type[Any], Any]
TABLES: dict[str, Table] = {
    "attacks": ATTACKS,
    "defences": DEFENCES,
    "guards": GUARDS,
    "elicitations": ELICITATIONS,
}
ONE = {
    "attacks": "attack",
    "defences": "defence",
    "guards": "guard",
    "elicitations": "elicitation",
}
MEANS = {
    "access": {
        "rows": "rows: a customer of a tuning service, who brings rows",
        "training": "training: a customer who also chooses how to tune",
        "weights": "weights: somebody who has the weights and needs no service",
    },
    "stage": {
        "align": "align: before the attacker has the model",
        "tune": "tune: how a customer's rows are trained on",
        "repair": "repair: after tuning",
        "serve": "serve: around the deployed model",
    },
    "needs": {
        "prompt": "prompt: control of the prompt",
        "decoding": "decoding: control of how replies are sampled",
        "start": "start: control of the reply's first tokens",
        "weights": "weights: the model's weights",
    },
    "counts": {
        "only": "only: one reply to each request",
        "worst": "worst: several replies to each request, of which the worst counts",
    },
}
MADE = "<!-- Made by `make docs` from the code. Change the code, not this page. -->"
TREE_START, TREE_END = "<!-- tree -->", "<!-- /tree -->"


def main(root: Path) -> None:
    """Writes every made page under `root`, and removes method pages that have no method."""
    folder = root / "docs" / "methods"
    folder.mkdir(parents=True, exist_ok=True)
    made = method_pages()
    for stale in folder.glob("*.md"):
        if stale.name not in made:
            stale.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, "utf-8")
    readme = root / "README.md"
    readme.write_text(with_tree(readme.read_text("utf-8")), "utf-8")


def method_pages() -> dict[str, str]:
    """Every page of docs/methods by its file name."""
    pages = {
        f"{_kind(config)}.md": page(config, function, ONE[folder])
        for folder, table in TABLES.items()
        for config, function in _own(table)
    }
    return pages | {"index.md": index()}


def index() -> str:
    """The list of all methods, with the judges."""
    lines = ["# Methods", "", MADE, ""]
    for folder, table in TABLES.items():
        lines += [
            f"## {folder.capitalize()}",
            "",
            "| name | what it does | source |",
            "|---|---|---|",
        ]
        for config, _ in _own(table):
            kind, about = _kind(config), _cell(_paragraphs(config)[0])
            lines.append(f"| [`{kind}`]({kind}.md) | {about} | {config.paper} |")
        lines.append("")
    return "\n".join([*lines, *_judges()]) + "\n"


def page(config: type[Method], function: Any, what: str) -> str:
    """One method's page: what it is, its settings, and what its file says of it."""
    title, *about = _paragraphs(sys.modules[function.__module__])
    kind = _kind(config)
    file = f"src/{function.__module__.replace('.', '/')}.py"
    lines = [f"# {kind}", "", MADE, "", title, "", "| | |", "|---|---|"]
    lines += [f"| kind | {what} |", f"| source | {config.paper} |"]
    for fact, words in MEANS.items():
        if hasattr(config, fact):
            lines.append(f"| {fact} | {words[getattr(config, fact)]} |")
    if hasattr(config, "asked_as"):
        asked = config.asked_as.partition("(")[0]
        lines.append(f"| asked as | [`{config.asked_as}`]({asked}.md), beside the audit's own |")
    lines += [f"| code | [`{file}`](../../{file}) |", "", "## What it does", ""]
    for paragraph in about:
        lines += [*_said(paragraph), ""]
    return "\n".join([*lines, *_settings(config)]) + "\n"


def _settings(config: type[Method]) -> list[str]:
    fields = {name: f for name, f in config.model_fields.items() if name != "kind"}
    lines = ["## Settings", ""]
    if not fields:
        return [*lines, "None."]
    meant = _attributes(config)
    lines += ["| setting | default | values | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        default = _written(field.get_default(call_default_factory=True))
        meaning = _cell(meant.get(name, _paragraphs(config)[0]))
        lines.append(f"| `{name}` | `{default}` | {_values(field)} | {meaning} |")
    null = ", ".join(f"{name}={_written(value)}" for name, value in config.null.items())
    if null:
        same = "it changes nothing" if hasattr(config, "needs") else "it equals plain tuning"
        lines += ["", f"Null point, at which {same}: `{_kind(config)}({null})`."]
    return lines


def _judges() -> list[str]:
    """Tables of the judges, of their settings, and of the short names."""
    from holdfast.judges import JUDGES, NAMED
    from holdfast.judges.phrases import LISTS

    lines = ["## Judges", "", "| name | what it does | source |", "|---|---|---|"]
    for config in JUDGES:
        about = _cell(_paragraphs(config)[0])
        lines.append(f"| `{_kind(config)}` | {about} | {_cell(config.paper)} |")
    lines += ["", "| short name | stands for | phrases |", "|---|---|---|"]
    for name, named in NAMED.items():
        lines.append(f"| `{name}` | `{named.spec()}` | {_cell(LISTS[named.words].source)} |")
    for config in JUDGES:
        if set(config.model_fields) - {"kind"}:
            lines += ["", f"### {_kind(config)}", "", *_settings(config)[2:]]
    return lines


def _own(table: Table) -> Iterator[tuple[type[Any], Any]]:
    """The methods of this package, without those that an installed one adds."""
    return (
        (config, function)
        for config, function in table.items()
        if function.__module__.startswith("holdfast.")
    )


def _kind(config: type[Method]) -> str:
    return str(config.model_fields["kind"].default)


def _paragraphs(thing: Any) -> list[str]:
    return (inspect.getdoc(thing) or "").split("\n\n")


def _said(paragraph: str) -> list[str]:
    """A paragraph of a docstring in Markdown; equations keep their signs and lines."""
    label, colon, rest = paragraph.partition(":")
    if label == "Equation":
        return ["**Equation**", "", "```text", inspect.cleandoc(rest), "```"]
    if colon and label in ("Differs from the paper", "Differs from the papers", "Shows a defender"):
        return [f"**{label}:**{rest}"]
    return [paragraph]


def _attributes(config: type[Method]) -> dict[str, str]:
    """The meanings that a class docstring, or one it is made from, gives under "Attributes:"."""
    found: dict[str, str] = {}
    for known in reversed(config.__mro__):
        text = inspect.cleandoc(known.__doc__ or "").partition("Attributes:\n")[2]
        name = ""
        for line in inspect.cleandoc(text.partition("\n\n")[0]).splitlines():
            start = re.match(r"(\w+): (.*)", line)
            if start:
                name = start[1]
                found[name] = start[2]
            elif name:
                found[name] += " " + line.strip()
    return found


def _values(field: FieldInfo) -> str:
    """What a setting may be: its type and bounds, in words."""
    kinds = [field.annotation]
    if get_origin(field.annotation) not in (None, Literal, tuple, list, dict):
        kinds = list(get_args(field.annotation))
    words = []
    for kind in kinds:
        if get_origin(kind) is Literal:
            words += [f"`{value}`" for value in get_args(kind)]
        else:
            words.append(
                "none" if kind in (None, NoneType) else getattr(kind, "__name__", str(kind))
            )
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [
        f"{sign} {getattr(bound, name)}"
        for bound in field.metadata
        for name, sign in signs.items()
        if hasattr(bound, name)
    ]
    return " or ".join(words) + (f", {', '.join(bounds)}" if bounds else "")


def _written(value: object) -> str:
    """A value as a spec writes it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return value if isinstance(value, str) and value.isidentifier() else repr(value)


def _cell(text: str) -> str:
    """Text for one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def with_tree(readme: str) -> str:
    """The README with its file tree made anew."""
    before, _, rest = readme.partition(TREE_START)
    after = rest.partition(TREE_END)[2]
    return f"{before}{TREE_START}\n```text\n{tree()}\n```\n{TREE_END}{after}"


def tree() -> str:
    """Every module and folder of the package with its purpose."""
    package = Path(__file__).parent
    lines = ["src/holdfast/"]
    for file in sorted(package.glob("*.py")):
        if file.name != "__init__.py":
            lines.append(f"  {file.name:<18} {purpose(file)}")
    for inside in sorted(package.glob("*/__init__.py")):
        lines.append(f"  {inside.parent.name + '/':<18} {purpose(inside)}")
    return "\n".join(lines)


def purpose(file: Path) -> str:
    """The first sentence of a module's docstring."""
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    line = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.?])\s(?=[A-Z])", line)[0].rstrip(".")


if __name__ == "__main__":
    main(Path.cwd())
