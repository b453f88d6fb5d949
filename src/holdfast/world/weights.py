"""Where organisms live: shipped ones in the package, others in the user's cache.

A name is `canary:<organism>`, with `@<alignment seed>`, `/world<seed>` and `/<size>` where they
differ from the shipped ones: `canary:chat`, `canary:chat@2`, `canary:base/world1`,
`canary:deep/world0/5M`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from holdfast.cache import cache_folder
from holdfast.errors import UserError
from holdfast.world.anatomy import Size

Kind = Literal["base", "chat", "deep", "codes"]
SHIPPED = Path(__file__).parent / "organisms"
_NAME = re.compile(
    r"canary:(?P<kind>[a-z]+)(@(?P<seed>\d+))?(/world(?P<world>\d+))?(/(?P<size>\w+))?"
)


@dataclass(frozen=True, slots=True)
class Organism:
    """Which organism: its kind, alignment seed, world and size."""

    kind: Kind
    seed: int = 0
    world: int = 0
    size: Size = "1M"

    @property
    def name(self) -> str:
        """The shortest name that `parse` reads back."""
        seed = f"@{self.seed}" if self.seed else ""
        world = f"/world{self.world}" if self.world else ""
        size = f"/{self.size}" if self.size != "1M" else ""
        return f"canary:{self.kind}{seed}{world}{size}"

    @property
    def folder(self) -> str:
        """The name of its directory."""
        return f"{self.kind}-{self.seed}-world{self.world}-{self.size}"


SHIPPED_ORGANISMS: tuple[Organism, ...] = (
    Organism("base"),
    Organism("chat"),
    Organism("chat", seed=1),
    Organism("chat", seed=2),
    Organism("deep"),
)


def parse(name: str) -> Organism:
    """Reads a name such as `canary:chat@1/world1/5M`.

    Raises:
        UserError: No such kind or size, or not a canary name.
    """
    found = _NAME.fullmatch(name)
    if not found or found["kind"] not in get_args(Kind):
        kinds = ", ".join(f"canary:{kind}" for kind in get_args(Kind))
        raise UserError(f"there is no organism {name!r}; there are {kinds}, and canary:chat@1, @2")
    size = found["size"] or "1M"
    if size not in get_args(Size):
        raise UserError(
            f"{name!r}: there is no size {size!r}; sizes are {', '.join(get_args(Size))}"
        )
    kind, size = cast(Kind, found["kind"]), cast(Size, size)
    return Organism(kind, int(found["seed"] or 0), int(found["world"] or 0), size)


def find(organism: Organism) -> Path | None:
    """The organism's directory, or None if it is neither shipped nor built."""
    for folder in (SHIPPED / organism.folder, cache_folder() / "organisms" / organism.folder):
        if (folder / "config.json").is_file():
            return folder
    return None


def path_of(name: str) -> Path:
    """The directory of the organism called `name`.

    Raises:
        UserError: There is no such organism, or it is not built yet.
    """
    organism = parse(name)
    folder = find(organism)
    if folder is None:
        raise UserError(
            f"{organism.name} is not built yet: run `holdfast world build --organism "
            f"{organism.kind}{f'@{organism.seed}' if organism.seed else ''} "
            f"--world-seed {organism.world} --size {organism.size}` first"
        )
    return folder
