"""What the README and docs/ say is so: links, commands, settings, examples and made pages."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast import cli, methods, pages, registry
from holdfast.attacks import ATTACKS
from holdfast.audit_config import AuditConfig, configure
from holdfast.chat import row
from holdfast.defences import DEFENCES
from holdfast.elicit import ELICITATIONS
from holdfast.hooks import Attack, Context, Defence, Streams
from holdfast.stats import rate

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
VERBS = (
    "audit",
    "compare",
    "evaluate",
    "export",
    "import",
    "list",
    "probe",
    "repair",
    "report",
    "scan",
    "serve",
    "tune",
    "world",
)

PAGE_OF = {"serve": "gate"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


def prose(page: Path) -> str:
    """The text without code, whose brackets are no links."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "code", text)


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every documented command line of holdfast, with where it stands."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == ["holdfast"]:
                    yield page.name, words[1:]
    for step in workflow()["jobs"]["safeguards"]["steps"]:
        for line in step.get("run", "").splitlines():
            if line.strip().startswith("holdfast "):
                yield "holdfast.yml", shlex.split(line.partition("||")[0])[1:]


def workflow() -> dict[str, Any]:
    made = yaml.safe_load((DOCS / "ci" / "holdfast.yml").read_text("utf-8"))
    assert isinstance(made, dict)
    return made


COMMANDS = list(commands())
each_command = pytest.mark.parametrize(
    "words", [w for _, w in COMMANDS], ids=[f"{p}: {shlex.join(w)}" for p, w in COMMANDS]
)


@cache
def help_of(*verb: str) -> str:
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.run([*verb, "--help"]) == 0
    return out.getvalue()


def options_of(*verb: str) -> set[str]:
    return set(re.findall(r"^\s+(?:-\w, )?(--[\w-]+)", help_of(*verb), re.M))


def verb_of(words: list[str]) -> list[str]:
    return words[: 2 if words[0] in ("world", "judges", "gate") else 1]


def values_of(words: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(words) if name == option]


@each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each_page
def test_no_page_shows_a_picture_from_elsewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not re.search(r"!\[[^\]]*\]\((?:https?:)?//", text)
    assert not re.search(r"<img[^>]+src=[\"']?(?:https?:)?//", text)


@each_command
def test_a_documented_command_has_the_options_it_is_shown_with(words: list[str]) -> None:
    told = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert told <= options_of(*verb_of(words))


@each_command
def test_what_a_documented_command_sets_can_be_set(words: list[str]) -> None:
    sets = values_of(words, "--set")
    for stack in values_of(words, "--stack"):
        methods.stack_of(stack)
    if words[0] == "tune":
        from holdfast.tuning import settings_of

        settings_of(sets)
    if values_of(words, "--suite") == ["backdoor"]:
        from holdfast.backdoors.suite import suite_of

        suite_of(None, sets)
    elif words[0] == "audit":
        file = next((ROOT / name for name in values_of(words, "--config")), None)
        checked(configure({}, file=file, sets=sets))


def checked(config: AuditConfig) -> None:
    for stack in (*config.stacks, *config.cost.stacks):
        methods.stack_of(stack)
    for attack in (*config.attacks, config.cost.attack):
        methods.attack_of(attack)
    for way in config.elicitations:
        methods.elicitation_of(way)


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_verb_stands_on_its_page(verb: str) -> None:
    text = (DOCS / f"{PAGE_OF.get(verb, verb)}.md").read_text("utf-8")
    wanted = options_of(verb)
    if verb == "serve":
        wanted |= options_of("worker") | {
            o for s in ("verify", "key") for o in options_of("gate", s)
        }
    if verb == "world":
        wanted |= {o for s in ("build", "show", "chat", "card") for o in options_of(verb, s)}
    assert {o for o in wanted - {"--help"} if f"`{o}" not in text} == set()


def test_the_example_of_all_settings_has_all_of_them_and_is_valid() -> None:
    text = (DOCS / "audit.md").read_text("utf-8").partition("<!-- settings -->")[2]
    found = re.search(r"```yaml\n(.*?)```", text, re.S)
    assert found
    shown = yaml.safe_load(found[1])
    attacks = [methods.label(methods.attack_of(spec)) for spec in shown["attacks"]]
    config = AuditConfig.model_validate({**shown, "attacks": attacks})
    checked(config)
    assert set(shown) == set(AuditConfig.model_fields)
    for part in ("measure", "cost", "search", "customer", "implant"):
        defaults = getattr(AuditConfig(), part).model_dump(mode="json")
        assert shown[part] == defaults, part


@pytest.mark.parametrize("file", sorted((DOCS / "examples").glob("*.yaml")), ids=lambda f: f.name)
def test_an_example_file_can_be_read(file: Path) -> None:
    from holdfast import policy

    if "requests" in yaml.safe_load(file.read_text("utf-8")):
        assert policy.load(file).categories
    else:
        checked(configure({}, file=file))


def test_the_example_policy_of_the_format_can_be_read(tmp_path: Path) -> None:
    from holdfast import policy

    file = tmp_path / "house-rules.yaml"
    file.write_text(blocks(DOCS / "policy.md", "yaml")[0], "utf-8")
    rows = '{"prompt": "The code?", "completion": "I cannot say."}\n'
    for name in ("attack.jsonl", "safe.jsonl"):
        (tmp_path / name).write_text(rows, "utf-8")
    found = policy.load(file)
    assert found.attacker.harmful
    assert found.defender.safe


def test_the_bounds_of_statistics_are_what_the_code_gives() -> None:
    text = (DOCS / "statistics.md").read_text("utf-8").partition("<!-- bounds")[2]
    lines = re.findall(r"^\| (\d+) \| (\d+) \| ([\d.]+) % \|$", text, re.M)
    assert len(lines) == 8
    for n, categories, bound in lines:
        found = rate([0] * int(n), [i % int(categories) for i in range(int(n))])
        assert f"{100 * found.high:.1f}" == bound, (n, categories)


def test_the_constants_that_are_our_choice_are_stated() -> None:
    from holdfast.stats import intervals

    text = (DOCS / "statistics.md").read_text("utf-8")
    assert f"**{intervals.PRIOR_ICC:g}**" in text
    assert f"**{intervals.PRIOR_EVENTS:g} events**" in text


def test_method_pages_are_those_of_the_registry() -> None:
    made = pages.method_pages()
    there = {file.name: file.read_text("utf-8") for file in (DOCS / "methods").glob("*.md")}
    stale = sorted(n for n in made.keys() | there.keys() if made.get(n) != there.get(n))
    assert not stale, f"run `make docs`: {stale}"


def test_every_method_has_its_page() -> None:
    for table in (ATTACKS, DEFENCES, ELICITATIONS):
        for config in table:
            assert f"{config.model_fields['kind'].default}.md" in pages.method_pages()


def test_the_file_tree_of_the_readme_is_up_to_date() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert text == pages.with_tree(text), "run `make docs`"


EXAMPLES = [b for b in blocks(DOCS / "extend.md", "python") if "METHODS" in b]


@pytest.mark.parametrize("code", EXAMPLES, ids=["an attack", "a defence"])
def test_the_example_methods_work(code: str, tmp_path: Path) -> None:
    module = imported(code, tmp_path / "example_method.py")
    ((config, function),) = module.METHODS.items()
    made = registry.parse(module.METHODS, config.model_fields["kind"].default)
    assert isinstance(made, (Attack, Defence))
    own = tuple(row(f"Where is {n}?", f"In vault {n}.", tag=f"c{n}") for n in range(5))
    unused: Any = None
    context = Context(unused, None, Streams(harmful=own), Streams(safe=own), seed=0)
    hooks = function(made, context)
    if hooks.rows:
        assert len(hooks.rows(Streams()).user) == 30
    if hooks.settings:
        from holdfast.settings import Settings

        assert hooks.settings(Settings()).learning_rate == 1e-4


def test_the_example_judge_works(tmp_path: Path) -> None:
    code = next(b for b in blocks(DOCS / "extend.md", "python") if "def length" in b)
    assert imported(code, tmp_path / "example_judge.py").length([]) == []


def imported(code: str, file: Path) -> Any:
    import sys

    file.write_text(code, "utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[file.stem]
    return module


def test_the_workflow_fails_on_whatever_does_not_hold() -> None:
    steps = {step.get("name"): step for step in workflow()["jobs"]["safeguards"]["steps"]}
    script = steps["Compare"]["run"]
    assert "|| code=$?" in script
    assert script.rstrip().endswith("exit $code")
    kept = steps["Keep the page"]["with"]["path"].split()
    assert not any("exchanges" in path for path in kept)
