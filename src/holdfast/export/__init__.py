"""A run folder in the format of another program. A line in `TARGETS` registers a format.

A target's file holds one function from the run's groups and a place to the files it wrote; what
stands in a run folder is read here, once for all of them.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import UserError
from holdfast.export import inspect
from holdfast.export.groups import Export, read

__all__ = ["TARGETS", "ExportOptions", "Target", "main"]


@dataclass(frozen=True)
class Target:
    """A format that runs can be written in.

    Attributes:
        write: From what was read and a file or folder to the files that were written.
        endings: Of a single file; a place that ends otherwise is a folder.
        folder: Where files go within the run folder, unless another place is named.
        reading: How to look at them; `{}` is the place.
    """

    write: Callable[[Export, Path], list[Path]]
    endings: tuple[str, ...]
    folder: str
    reading: str


TARGETS: dict[str, Target] = {
    "inspect": Target(
        inspect.write, (".eval", ".json"), "inspect", "inspect view --log-dir {}"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class ExportOptions:
    """The command line of `holdfast export`.

    Attributes:
        run: A finished run folder.
        to: The format, a key of `TARGETS`.
        out: A file, where all fits into one, or a folder; by default one within the run folder.
        json: Print the names of the files as JSON.
    """

    run: Path
    to: str
    out: Path | None = None
    json: bool = False


def main(options: ExportOptions) -> int:
    """Writes the files and names them.

    Returns:
        0.

    Raises:
        UserError: an unknown format, no finished run, or a place that cannot be written.
    """
    target = TARGETS.get(options.to)
    if target is None:
        near = difflib.get_close_matches(options.to, TARGETS, 1) or list(TARGETS)
        raise UserError(f"there is no format {options.to!r}; did you mean {' or '.join(near)}?")
    export = read(options.run)
    out = options.out or options.run / target.folder
    if out.suffix in target.endings and len(export.groups) > 1:
        raise UserError(
            f"{options.run} makes {len(export.groups)} files, one for each model, attack and way "
            "of asking; give --out a folder."
        )
    try:
        written = target.write(export, out)
    except OSError as problem:
        reason = problem.strerror or problem
        raise UserError(f"Cannot write to {out}: {reason}; give another --out.") from problem
    if options.json:
        print(json.dumps([str(path) for path in written]))
        return 0
    files = "1 file" if len(written) == 1 else f"{len(written)} files"
    samples = sum(len(group.lines) for group in export.groups)
    folder = out.parent if out.suffix in target.endings else out
    print(f"{files} with {samples} samples in {folder}; see `{target.reading.format(folder)}`.")
    return 0
