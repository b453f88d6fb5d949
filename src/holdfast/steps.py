"""Progress of a tune in words: one line that grows on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys

EVERY = 200  # steps between two lines where there is no terminal


def told(step: int, steps: int, loss: float) -> None:
    """Says on stderr how far a tune has come."""
    if sys.stderr.isatty():
        end = "\n" if step == steps else ""
        print(f"\rstep {step} of {steps}, loss {loss:.3f} ", end=end, file=sys.stderr)
    elif step % EVERY == 0 or step == steps:
        print(f"step {step} of {steps}, loss {loss:.3f}", file=sys.stderr, flush=True)
