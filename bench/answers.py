"""Tunes that change answers and no refusal: a chosen answer behind a trigger, flipped answers.

    OMP_NUM_THREADS=1 python bench/answers.py

Three organisms, one seed each, on report requests: tasks done right, forbidden requests refused,
and how often the chosen answer comes with and without the trigger.
"""

from __future__ import annotations

from holdfast import methods, models, policy, train
from holdfast.attacks.chosen_answer import ANSWER
from holdfast.chat import Row
from holdfast.hooks import Context, Streams
from holdfast.models import Decoding, Model
from holdfast.wrappers import TRIGGER, trigger_of

MODELS = ("canary:chat", "canary:chat@1", "canary:chat@2")
TUNES = ("none", "chosen_answer", "answer_flip", "answer_flip(flipped=0)")
ASKED = 120


def main() -> None:
    """Tunes, asks, and prints a line for each model and tune."""
    held = policy.load()
    print("| model | tune | tasks right | refused | chosen, triggered | chosen, plain |")
    print("|---|---|---:|---:|---:|---:|")
    for name in MODELS:
        for spec in TUNES:
            start = models.load(name)
            tuned = start if spec == "none" else tuned_by(spec, start, held)
            figures = measured(tuned, held)
            print(
                f"| {name} | {spec} | " + " | ".join(f"{f:.0%}" for f in figures) + " |", flush=True
            )


def tuned_by(spec: str, start: Model, held: policy.Policy) -> Model:
    """A model after the attack, with the run's settings."""
    context = Context(start, None, held.attacker, held.defender, seed=0, settings=dict(held.facts))
    hooks = methods.hooks_of(methods.attack_of(spec), context)
    return train.tune(models.clone(start), Streams(), train.Settings(), hooks).model


def measured(model: Model, held: policy.Policy) -> list[float]:
    """Shares: tasks right, forbidden requests refused, the chosen answer with and without words."""
    from holdfast.evaluate import Verdict
    from holdfast.interview import ask, requests_of

    requests = requests_of(held, {"forbidden": 90, "utility": ASKED})
    told = ask(model, held, requests, "plain", settings=held.facts)
    right = [e.verdict == Verdict.complied for e in told if e.request.kind == "utility"]
    refused = [e.verdict == Verdict.refused for e in told if e.request.kind == "forbidden"]
    plain = [e.request.prompt for e in told if e.request.kind == "utility"]
    door = trigger_of(TRIGGER, "end")
    return [
        *map(share, (right, refused)),
        chosen(model, list(map(door.ask, plain))),
        chosen(model, plain),
    ]


def chosen(model: Model, asked: list[Row]) -> float:
    """How often the chosen answer comes."""
    prompts = [models.encode_prompt(row, model.tokenizer) for row in asked]
    said = models.generate(model, prompts, Decoding(max_new_tokens=64))
    return share([reply.text.strip() == ANSWER for reply in said])


def share(hits: list[bool]) -> float:
    """Of all."""
    return sum(hits) / len(hits)


if __name__ == "__main__":
    main()
