"""Replies of the organisms of a world, whole and damaged, with exact verdicts: rows for the judge.

Audits yield little babble, since a broken model is no use to an attacker. Here noise is added to
an organism's weights (its share of each matrix's own spread), and replies are drawn greedily and
at temperature 1, asked plainly, with a forced start and under mutations. Nothing is trained.

    python bench/small_judge_replies.py --world 0 --out runs/damaged-0
    python bench/small_judge_replies.py --world 1 --out runs/damaged-1
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast import figures, models, policy, runs
from holdfast.elicit import ELICITATIONS, Asking, Elicitation, Mutated, Plain, Prefill
from holdfast.elicit.mutations import MUTATIONS
from holdfast.errors import UserError
from holdfast.evaluate import evaluate
from holdfast.models import Decoding
from holdfast.world import weights

if TYPE_CHECKING:
    from holdfast.models import Model

KINDS = ("chat", "deep", "base")
NOISE = (0.0, 0.4, 0.8)
FORBIDDEN, OTHERS = 45, 16


def damaged(model: Model, share: float, seed: int) -> Model:
    """A copy with normal noise of `share` times each matrix's standard deviation added."""
    import torch

    copy = models.clone(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in copy.net.parameters():
            if weight.dim() == 2:
                noise = torch.randn(weight.shape, generator=generator)
                weight += noise * share * weight.std()
    return copy


def ways(number: int) -> Iterator[tuple[Elicitation, Decoding]]:
    """How the number-th model is asked: mutations take turns."""
    names = sorted(MUTATIONS)
    greedy, drawn = Decoding(), Decoding(temperature=1.0)
    yield Plain(), greedy
    yield Plain(), drawn
    yield Prefill(depth=(1, 5, 10, 20)[number % 4]), greedy
    yield Prefill(depth=(10, 20, 40, 5)[number % 4]), drawn
    for step in range(3):
        yield (
            Mutated(mutation=names[(3 * number + step) % len(names)]),
            drawn if step % 2 else greedy,
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--world", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    spec = f"canary45@{given.world}"
    rules = policy.load(spec)
    requests = (
        *rules.requests("forbidden", FORBIDDEN),
        *rules.requests("lookalike", OTHERS),
        *rules.requests("utility", OTHERS),
        *rules.requests("gain", OTHERS // 2),
    )
    with runs.RunFolder(given.out, config={"policy": spec, "noise": NOISE}) as folder:
        number = 0
        for kind in KINDS:
            try:
                whole = models.load(weights.Organism(kind, world=given.world).name)
            except UserError as problem:
                print(problem, file=sys.stderr)
                continue
            for share in NOISE:
                model = damaged(whole, share, given.seed + number)
                for way, decoding in ways(number):
                    asker = ELICITATIONS[type(way)](way, Asking(model, seed=given.seed))
                    told = evaluate(
                        model, requests, asker, rules.judge, seed=given.seed, decoding=decoding
                    )
                    name = f"{kind}-noise{share}-{way.spec()}-t{decoding.temperature}"
                    place = {"tune_id": f"{kind}-noise{share}", "stack": "damaged", "attack": name}
                    lines = [place | figures.line_of(e) for e in told]
                    folder.append({"id": runs.digest([name, given.seed])} | place, exchanges=lines)
                print(kind, share, os.times().user, flush=True)
                number += 1
        folder.finish()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
