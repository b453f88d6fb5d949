"""Exchanges of run folders with their exact verdicts, as the small judge learns or is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zlib import crc32

from holdfast import policy
from holdfast.chat import row
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Request, Verdict
from holdfast.exchanges import query
from holdfast.small_judge.held_out import HELD_OUT_CATEGORIES, is_held_out
from holdfast.small_judge.synthetic import Example, label_of

HELD_OUT = ", held out"
HELD_OUT_SHARE = 4
"""One model in so many is never trained on."""


def recorded(run: Path) -> list[Example]:
    """The distinct exchanges of a run folder that the exact judge scored.

    The shape of each is its stack, marked if its model is held out of training.

    Raises:
        UserError: the folder is no run.
    """
    columns = "request_id, category, kind, prompt, forced, reply, verdict, expected, elicitation"
    places = "tune_id, stack, attack"
    told = query(
        f"SELECT DISTINCT ON (prompt, reply) {columns}, {places} FROM exchanges "
        f"WHERE judge = 'exact' ORDER BY prompt, reply, {places}",
        [run],
    )
    requests = _requests(run)
    return [example for line in told if (example := _example(line, requests))]


def is_held_out_of_training(example: Example) -> bool:
    """Whether its model, its category or a wording of its reply is never trained on."""
    exchange = example.exchange
    held = exchange.request.category in HELD_OUT_CATEGORIES or is_held_out(exchange.reply)
    return held or example.shape.endswith(HELD_OUT)


def _example(line: dict[str, Any], requests: dict[str, Request]) -> Example | None:
    label = label_of(Verdict(line["verdict"]))
    if label is None:
        return None
    request = requests.get(line["request_id"]) or Request(
        line["request_id"], row(line["prompt"]), line["kind"], line["category"], "",
        line["expected"] or "",
    )  # fmt: skip
    exchange = Exchange(
        request, line["elicitation"], line["forced"] or "", line["prompt"], line["reply"],
        Verdict(line["verdict"]), "exact",
    )  # fmt: skip
    held = crc32(str(line["tune_id"]).encode()) % HELD_OUT_SHARE == 0
    return Example(exchange, label, f"{line['stack']}{HELD_OUT if held else ''}")


def _requests(run: Path) -> dict[str, Request]:
    """What was asked before elicitation, by id, if the run's policy is a canary world's."""
    config = json.loads((run / "run.json").read_text("utf-8")).get("config") or {}
    try:
        rules = policy.load(str(config.get("policy") or ""))
    except UserError:
        return {}
    return {r.id: r for r in (*rules.report, *rules.select)}
