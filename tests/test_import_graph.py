"""Data flows one way: rows → tune → evaluate → run folder → report; methods stand side by side."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import holdfast

ROOT = Path(holdfast.__file__).parent
METHODS = ("attacks", "defences", "elicit", "judges", "scan", "probes", "guards", "adapt")
DOWNSTREAM = ("evaluate", "audit", "runs", "report", "gate", "cli", "verbs")


@dataclass(frozen=True)
class Import:
    source: str
    target: str
    lazy: bool

    def __str__(self) -> str:
        return f"{self.source} imports {self.target}"


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(file): file for file in sorted(ROOT.rglob("*.py"))}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def targets_of(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """Modules of holdfast that a statement imports, as exactly as the files there allow."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "holdfast")
        return
    module = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        module = ".".join([*above, *([module] if module else [])])
    if module.split(".")[0] != "holdfast":
        return
    for alias in node.names:
        inner = f"{module}.{alias.name}"
        yield inner if inner in FILES else module


def walk(source: str, package: str, node: ast.AST, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield from (Import(source, target, lazy) for target in targets_of(child, package))
        elif is_type_checking(child):
            for other in child.orelse:  # type: ignore[attr-defined]
                yield from walk(source, package, other, lazy)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(source, package, child, lazy or inside)


def imports_of(name: str) -> list[Import]:
    file = FILES[name]
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    return list(walk(name, package, ast.parse(file.read_text("utf-8")), False))


IMPORTS = [found for name in FILES for found in imports_of(name)]


def within(module: str, *parts: str) -> bool:
    return any(module == f"holdfast.{p}" or module.startswith(f"holdfast.{p}.") for p in parts)


def folder_of(module: str) -> str:
    return next((folder for folder in METHODS if within(module, folder)), "")


def registered() -> set[str]:
    """Modules that define a registered method (what they share beside them is no method)."""
    found = set()
    for folder, table in (
        ("attacks", "ATTACKS"),
        ("defences", "DEFENCES"),
        ("elicit", "ELICITATIONS"),
        ("probes", "PROBES"),
        ("attacks.poison", "POISONS"),
        ("scan.filters", "FILTERS"),
        ("guards", "GUARDS"),
    ):
        methods = getattr(importlib.import_module(f"holdfast.{folder}"), table)
        found |= {method.__module__ for method in methods.values()}
    from holdfast.judges import JUDGES

    return found | {config.__module__ for config in JUDGES}


def told(broken: list[Import]) -> str:
    return "\n".join(sorted(map(str, broken)))


def test_no_method_imports_another() -> None:
    methods = registered()
    broken = [
        found
        for found in IMPORTS
        if found.source in methods and found.target in methods and found.source != found.target
    ]
    assert not broken, told(broken)


def test_no_folder_of_methods_imports_another_one() -> None:
    allowed = {"scan", "probes", "adapt"}
    broken = [
        found
        for found in IMPORTS
        if (here := folder_of(found.source))
        and (there := folder_of(found.target))
        and here != there
        and there not in allowed
    ]
    assert not broken, told(broken)


def test_methods_import_nothing_that_comes_after_them() -> None:
    broken = [
        found
        for found in IMPORTS
        if folder_of(found.source)
        and within(found.target, *DOWNSTREAM)
        # Judges are made of the types that evaluate defines.
        and not (folder_of(found.source) == "judges" and within(found.target, "evaluate"))
    ]
    assert not broken, told(broken)


EARLIER = {
    ("chat", "formats", "encode", "decode", "models", "hooks", "train", "batches", "passes"): (
        *DOWNSTREAM,
        *METHODS,
    ),
    ("serve", "stats", "canonical", "errors", "engine", "worker"): (*DOWNSTREAM, *METHODS),
    ("evaluate",): ("audit", "cells", "plan", "runs", "report", "gate", "cli", "verbs"),
    ("runs", "exchanges"): ("audit", "cells", "plan", "evaluate", "report", "gate", "cli"),
    ("report",): ("train", "models", "audit", "cells", "gate", "cli", "verbs"),
    ("audit", "cells", "plan"): ("gate", "cli", "verbs"),
}


@pytest.mark.parametrize("early", EARLIER, ids=lambda names: names[0])
def test_data_flows_one_way(early: tuple[str, ...]) -> None:
    broken = [
        found
        for found in IMPORTS
        if within(found.source, *early) and within(found.target, *EARLIER[early])
    ]
    assert not broken, told(broken)


def test_no_modules_import_one_another_in_a_circle() -> None:
    edges: dict[str, set[str]] = {name: set() for name in FILES}
    for found in IMPORTS:
        if not found.lazy and found.target in FILES:
            edges[found.source].add(found.target)
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name not in done:
            for target in edges[name]:
                visit(target, (*path, name))
            done.add(name)

    for name in FILES:
        visit(name, ())


HEAVY = {
    "torch", "transformers", "peft", "altair", "pyarrow", "duckdb",
    "pandas", "sklearn", "scipy", "fastapi", "rich",
}  # fmt: skip


def test_the_command_line_imports_nothing_heavy() -> None:
    light = ["holdfast.cli", "holdfast.chat", "holdfast.hooks", "holdfast.runs", "holdfast.engine"]
    light += ["holdfast.attacks", "holdfast.defences", "holdfast.elicit", "holdfast.judges"]
    code = f"import sys\nfor name in {light}: __import__(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()
