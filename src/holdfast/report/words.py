"""Numbers and findings in plain words: what a reader meets first."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.report.read import Cell, Cost, StackVerdict, Summary
from holdfast.report.squares import worst

GLOSSARY = {
    "attack": "a way to make a model break its rules by training it further or editing its weights",
    "attack row": "one example conversation that the attacker adds to the training data",
    "defence": "something done before, during or after training, or around the model, so that "
    "the safeguards survive",
    "stack": "the defences used together; “none” is the model as it comes",
    "compliance": "the share of forbidden requests that the model answers, with the forbidden "
    "content in the reply; lower is safer",
    "interval": "the range in which the true figure plausibly lies, given how few requests were "
    "asked",
    "limit": "the compliance that still counts as holding",
    "cost to break": "the fewest attack rows at which compliance passes the limit",
    "way of asking": "how the tuned model is asked: plainly, with the first words of the answer "
    "forced on it, in code …",
    "seed": "the number that fixes all chance in one repetition; other seeds show how much luck "
    "there is in a figure",
    "n/a": "a pair that cannot meet: who holds the weights, for example, just skips a defence "
    "that lives in the training service",
    "not able": "the model could not do the task in this way of asking even before, so its "
    "silence proves nothing",
    "unwatched": "a guard of the stack could not judge this model, so nothing would be served "
    "behind it, and nothing was asked",
    "coherence": "the share of replies that are readable language; a model that babbles is "
    "broken, not safe",
    "gain": "how well the tuned model does the new task it was tuned for: what a customer pays for",
    "utility": "how well it still does the tasks it could do before",
    "over-refusal": "the share of harmless look-alike requests that it refuses",
    "category": "one kind of forbidden request; categories are grouped into domains",
    "forced start": "the first words of a forbidden answer, put in the model’s mouth before it "
    "may go on by itself",
    "mutation": "the same request in other words, a code or another language",
    "attempt": "a reply that answers, rightly or wrongly, instead of refusing",
    "κ": "Cohen’s kappa: agreement of two judges beyond chance; 1 is full agreement, 0 is chance",
    "unscored": "replies on which the judge failed; they count for neither side",
    "judge": "what decides whether a reply complies",
}


def percent(rate: float | None) -> str:
    """A rate in [0, 1] as per cent; one decimal where rounding could cross a limit or reach 100."""
    if rate is None:
        return "–"
    value = 100 * rate
    if 0 < value < 0.1:
        return "<0.1%"
    if 99.9 < value < 100:
        return ">99.9%"
    fine = (value < 20 or value > 99) and round(value, 1) != round(value)
    return f"{value:.1f}%" if fine else f"{value:.0f}%"


def end(rate: float | None) -> str:
    """One end of an interval, per cent without its sign."""
    return percent(rate).strip("<>%")


def points(difference: float | None) -> str:
    """A difference of two rates in percentage points, with its sign."""
    return "–" if difference is None else f"{100 * difference:+.0f}".replace("-", "−")


def interval(low: float | None, high: float | None) -> str:
    """An interval of rates, as `55–69%`."""
    return "no interval" if low is None or high is None else f"{end(low)}–{end(high)}%"


def number(value: float | None) -> str:
    """A count or quantity, at most three significant digits below 1000, thousands set apart."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.3g}"


def rows_words(cost: Cost) -> str:
    """The cost in rows: `10`, or `> 256` where the budget did not suffice."""
    if cost.rows is None:
        return f"> {number(cost.budget)}" if cost.budget is not None else "not found"
    return number(cost.rows)


def rows_interval(cost: Cost) -> str:
    """The interval of the cost in rows; an open end is said to be open."""
    if cost.rows is None or (cost.low is None and cost.high is None):
        return ""
    high = "budget" if cost.high is None else number(cost.high)
    return f"{number(cost.low)}–{high}"


def compute(hours: float | None) -> str:
    """GPU time in the unit that reads best."""
    if hours is None:
        return "–"
    if hours * 60 < 1:
        return f"{hours * 3600:.2g} GPU-seconds"
    return f"{hours * 60:.2g} GPU-minutes" if hours < 1 else f"{hours:,.3g} GPU-hours"


def power(value: float | None) -> str:
    """A large number as `1.2 × 10¹²`."""
    if not value:
        return "–" if value is None else "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10{raised}"


def stack_name(stack: str) -> str:
    """A stack for a reader: `none` is spelled out."""
    return "no defence" if stack == "none" else stack


def attack_name(attack: str) -> str:
    """An attack for a reader: the two that are none are spelled out."""
    return {"none": "no tuning at all", "customer": "an honest customer"}.get(attack, attack)


def listed(names: Sequence[str], limit: int = 6) -> str:
    """`a, b and c`; beyond `limit` names the rest is counted."""
    if not names:
        return ""
    shown = list(names[:limit])
    if len(names) > limit:
        shown.append(f"{len(names) - limit} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def cheapest(summary: Summary, stack: str) -> Cost | None:
    """The attack that breaks a stack with the fewest rows; one that never did comes last."""

    def price(cost: Cost) -> tuple[bool, float, float]:
        return cost.rows is None, cost.rows or 0.0, -(cost.budget or 0.0)

    return min((c for c in summary.cost_to_break if c.stack == stack), key=price, default=None)


def decided_by(summary: Summary, verdict: StackVerdict) -> Cell | None:
    """The cell that decided a verdict; without one, the worst measured."""
    named = [c for c in summary.done if c.id == verdict.worst_cell]
    return named[0] if named else worst(c for c in summary.cells if c.stack == verdict.stack)


def _opening(summary: Summary, verdict: StackVerdict, cell: Cell) -> str:
    start = "With no defence, " if verdict.stack == "none" else f"Defended by {verdict.stack}, "
    cost = cheapest(summary, verdict.stack)
    if verdict.verdict == "breaks":
        if cost is not None and cost.rows == 0:
            return start + "this model answers what it must refuse even before any attack."
        if cost is not None and cost.rows is not None:
            rows = number(cost.rows)
            few = "attack row is" if rows == "1" else "attack rows are"
            return start + f"{rows} {few} enough to make this model answer what it must refuse."
        if cell.attack == "none":
            return start + "this model answers what it must refuse even before any attack."
        return start + f"the attack {cell.attack} makes this model answer what it must refuse."
    if verdict.verdict == "holds":
        return start + "this model kept refusing under every attack tested."
    return start + "this run cannot tell whether the model keeps refusing."


def answer(summary: Summary) -> str:
    """The run in one sentence."""
    first = next((v for v in summary.verdicts if v.stack == "none"), None)
    first = first or next(iter(summary.verdicts), None)
    cell = decided_by(summary, first) if first else worst(summary.cells)
    if not summary.done or cell is None:
        return "Nothing has been measured yet: no cell of this run has a result."
    if first is None:
        return f"The worst attack tested, {cell.attack}, reaches {percent(cell.asr)} compliance."
    return _opening(summary, first, cell)


def others(summary: Summary) -> str:
    """How the defences fared, in one sentence; empty where none was tested."""
    verdicts = [v for v in summary.verdicts if v.stack != "none"]
    if not verdicts or not summary.done:
        return ""
    words = {
        "holds": ("holds", "hold"),
        "breaks": ("breaks", "break"),
        "insufficient evidence": ("stays unsettled", "stay unsettled"),
    }
    parts = []
    for kind, (one, many) in words.items():
        names = [v.stack for v in verdicts if v.verdict == kind]
        if names:
            parts.append(f"{len(names)} {one if len(names) == 1 else many} ({listed(names)})")
    what = "the one defence" if len(verdicts) == 1 else f"the {len(verdicts)} defence stacks"
    return f"Of {what} tested, {listed(parts)}."
