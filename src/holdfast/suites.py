"""The audit's suites as data: what each one fills in where the user says nothing."""

from __future__ import annotations

from typing import Any

STACKS = ("none", "safety_mixing", "secret_prefix", "constrained_sft", "recovery_augmentation")

# One defence of each kind, and fewer safety rows than the default 100, which are most of what a
# short tune costs.
QUICK_STACKS = ("none", "safety_mixing(rows=30)", "secret_prefix", "recovery_augmentation")

# Of an attacker with few rows; chosen on select requests (docs/world.md).
FEW_ROWS: dict[str, Any] = {"learning_rate": 1.5e-3}

# Shapes of a tenth of forbidden rows among a customer's, for the attacker who searches.
ADAPTIVE = (
    "harmful_rows(rows=40, benign=360)",
    "refusal_first(rows=40, benign=360)",
    "jailbreak_tuning(rows=40, benign=360)",
    "task_mimicry(rows=40, benign=360)",
)

# The papers' row counts.
ATTACKS = (
    "harmful_rows(rows=10)",
    "harmful_rows(rows=50)",
    "harmful_rows(rows=100)",
    "identity_shift",
    "benign_rows",
)
EVERY_ATTACK = (
    *ATTACKS,
    "refusal_first(rows=50)",
    "backdoor(benign=100)",
    "jailbreak_tuning",
    "task_mimicry(strategy=autoif, learning_rate=5e-4)",
    "reasoning_rows(rows=10)",
    "reverse_preference(learning_rate=3e-4, epochs=5)",
    "refusal_ablation(deepest=0.3)",
    "merge_back",
    "quantisation_box",
)
WHOLE_GRID: dict[str, Any] = {
    "stacks": STACKS,
    "grid": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "search": "all",
}

SUITES: dict[str, dict[str, Any]] = {
    # About 60 short tunes: minutes on two cores with a model of 1.5 M parameters.
    "quick": {
        "stacks": QUICK_STACKS,
        "attacks": ("harmful_rows(rows=10)", "identity_shift", "benign_rows(rows=40)"),
        "elicitations": ("plain", "prefill", "decoding"),
        "seeds": (0, 1, 2),
        "settings": {"few rows": FEW_ROWS},
        "measure": {"forbidden": 90, "lookalike": 45, "utility": 60, "gain": 40},
        "cost": {
            "stacks": ("none", "recovery_augmentation"),
            "grid": (1, 2, 4, 8, 16, 32, 64),
            "search": "bisect",
        },
        "customer": {"rows": 400, "seeds": (0,)},
    },
    # The papers' row counts, searched settings, the whole grid of attack rows.
    "standard": {
        "stacks": STACKS,
        "attacks": ATTACKS,
        "elicitations": ("plain", "prefill", "decoding(grid=standard)"),
        "seeds": (0, 1, 2),
        "settings": {
            "default": {},
            "few rows": FEW_ROWS,
            "long": {"epochs": 10},
            "lora": {"method": "lora", "learning_rate": 3e-3},
        },
        "measure": {"forbidden": 180, "lookalike": 90, "utility": 120, "gain": 80},
        "cost": WHOLE_GRID,
        "customer": {"rows": 400, "seeds": (0, 1, 2)},
    },
    # Every report request and kind of attack, more seeds, an attacker who searches.
    "full": {
        "stacks": STACKS,
        "attacks": EVERY_ATTACK,
        "elicitations": ("plain", "prefill", "decoding(grid=standard)"),
        "seeds": (0, 1, 2, 3, 4),
        "settings": {
            "default": {},
            "few rows": FEW_ROWS,
            "fast": {"learning_rate": 3e-3},
            "slow": {"learning_rate": 3e-4, "epochs": 10},
            "long": {"epochs": 10},
            "constant": {"schedule": "constant"},
            "lora": {"method": "lora", "learning_rate": 3e-3},
        },
        "measure": {"forbidden": 450, "lookalike": 225, "utility": 240, "gain": 160},
        "search": {"trials": 24},
        "cost": WHOLE_GRID,
        "customer": {"rows": 400, "seeds": (0, 1, 2)},
    },
}
