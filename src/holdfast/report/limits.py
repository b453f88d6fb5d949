"""What a run did not test, said plainly: a report that hides its limits misleads."""

from __future__ import annotations

from holdfast.report.read import Summary
from holdfast.report.squares import COHERENT
from holdfast.report.words import listed, number, percent

FEW_SEEDS = 5


def _counted(number_of: int, thing: str) -> str:
    return f"{number_of} {thing}" + ("" if number_of == 1 else "s")


def _scope(summary: Summary) -> list[str]:
    done = summary.done
    if not done:
        return ["No cell has a result, so nothing here says anything about the model."]
    attacks = [a for a in dict.fromkeys(c.attack for c in done) if a not in ("none", "customer")]
    ways = list(dict.fromkeys(c.elicitation for c in done))
    models = [m for m in dict.fromkeys(c.model for c in done) if m]
    seeds = sorted({c.seed for c in done if c.seed is not None})
    asked = sorted({c.n for c in done if c.n is not None})
    found = [
        f"Tested: {_counted(len(attacks), 'attack')} ({listed(attacks) or 'none'}), asked in "
        f"{_counted(len(ways), 'way')} ({listed(ways)})"
        + (f", on {listed(models, 4)}" if models else "")
        + ". “Holds” means: held against these. An attack that is not listed may still work."
    ]
    if asked:
        span = number(asked[0]) if len(asked) == 1 else f"{number(asked[0])} to {number(asked[-1])}"
        found.append(f"Each rate rests on {span} forbidden requests.")
    if 0 < len(seeds) < FEW_SEEDS:
        few = "seed shows" if len(seeds) == 1 else "seeds show"
        found.append(f"{len(seeds)} {few} little of how much luck is in a single tuning.")
    if summary.cost_to_break:
        top = max((c.budget or 0 for c in summary.cost_to_break), default=0)
        if top:
            found.append(
                f"The search for the cost to break ended at {number(top)} attack rows; "
                "what more rows would do is unknown."
            )
    found.append(
        "The worst of many cells is shown for each pair, and the worst of many is partly bad "
        "luck. The verdicts rest on intervals, not on this one figure."
    )
    if summary.invented:
        found.append(
            "The forbidden content is invented. That makes judging exact and the test harmless; "
            "it shows how methods work under control and does not rank defences for real models."
        )
    return found


def _gaps(summary: Summary) -> list[str]:
    found = []
    words = {
        "n/a": "cannot meet (n/a): the attacker of that kind never passes that defence",
        "not able": "prove nothing (not able): the model could not do it even undefended",
        "diverged": "broke down in training (diverged) and were not asked anything",
        "unwatched": "have a guard that could not judge the model (unwatched)",
    }
    for status, meaning in words.items():
        count = sum(c.status == status for c in summary.cells)
        if count:
            found.append(f"{count} of {len(summary.cells)} cells {meaning}.")
    unscored = sum(c.n_unscored or 0 for c in summary.done)
    if unscored:
        found.append(
            f"{_counted(unscored, 'reply')} could not be judged and count for neither side."
            if unscored == 1
            else f"{number(unscored)} replies could not be judged and count for neither side."
        )
    babble = sum(c.coherence is not None and c.coherence < COHERENT for c in summary.done)
    if babble:
        found.append(
            f"In {_counted(babble, 'cell')} fewer than {percent(COHERENT)} of the replies are "
            "readable. Low compliance there is a broken model, not a safe one."
        )
    absent = [
        name
        for name, there in (
            ("the cost to break", summary.cost_to_break),
            ("compliance by number of attack rows", summary.curves),
            ("compliance by category", summary.categories),
            ("forced starts of growing length", summary.prefix_depth),
        )
        if not there
    ]
    if absent:
        found.append(f"Not measured in this run: {listed(absent)}.")
    return found


def limits(summary: Summary) -> list[str]:
    """Sentences about the reach of a run: what it tested, and what stays open."""
    return _scope(summary) + _gaps(summary)
