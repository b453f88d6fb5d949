"""Makes the statistics of language that `holdfast scan` knows: src/holdfast/scan/language.npz.

Only counts of letter triples and of hashed word pairs are kept; no text can be read back from
them. The sources are those of the arguments: text files and folders for English, Python files for
code, and folders of gettext catalogues (those of Django and Sphinx, BSD) for other languages.

    python bench/scan_language.py OUT --english PATH… --code PATH… --languages FOLDER…
"""

from __future__ import annotations

import argparse
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from holdfast.scan.batch import texts_of
from holdfast.scan.language import ABROAD, PAIRS, SINGLES, pair_slot
from holdfast.scan.words import SYMBOLS, symbols_of, words_of

PLACEHOLDER = re.compile(r"%\(\w+\)\w|\{\w*\}|%\w|<[^>]*>|&\w+;")
MOST_ABROAD = 1500  # words of each language, the commonest
SHARES = {"english": 0.55, "code": 0.15, "languages": 0.30}


def files(paths: list[Path], ends: tuple[str, ...] = ()) -> Iterator[str]:
    """The texts of files and of folders of files."""
    for path in paths:
        inner = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in inner:
            if not ends or file.suffix in ends:
                yield file.read_text("utf-8", errors="ignore")[:2_000_000]


def catalogues(folders: list[Path]) -> dict[str, list[str]]:
    """Translated sentences by language."""
    found: dict[str, list[str]] = {}
    for folder in folders:
        for file in sorted(folder.rglob("*.mo")):
            language = file.parts[-3].split("_")[0].split("@")[0]
            with file.open("rb") as raw:
                told = gettext.GNUTranslations(raw)._catalog.values()  # type: ignore[attr-defined]
            clean = [PLACEHOLDER.sub(" ", t) for t in told if isinstance(t, str) and " " in t]
            found.setdefault(language, []).extend(clean)
    return found


def triples(texts: list[str]) -> np.ndarray:
    """Counts of symbol triples, shape (32, 32, 32)."""
    symbols = symbols_of(texts_of(texts)).astype(np.int64)
    codes = (symbols[:-2] * SYMBOLS + symbols[1:-1]) * SYMBOLS + symbols[2:]
    return np.bincount(codes, minlength=SYMBOLS**3).reshape((SYMBOLS,) * 3).astype(float)


def triples_of_letters(texts: list[str]) -> np.ndarray:
    """The same with all that is no letter left out."""
    symbols = symbols_of(texts_of(texts)).astype(np.int64)
    symbols = symbols[(symbols >= 1) & (symbols <= 26)]
    codes = (symbols[:-2] * SYMBOLS + symbols[1:-1]) * SYMBOLS + symbols[2:]
    return np.bincount(codes, minlength=SYMBOLS**3).reshape((SYMBOLS,) * 3).astype(float)


def surprisal(counts: np.ndarray) -> np.ndarray:
    """-log2 P(third | first two), backed off to fewer, in sixteenths of a bit; uint8."""
    one = counts.sum((0, 1)) + 0.5
    one /= one.sum()
    two = counts.sum(0)
    two = (two + 8 * one) / (two.sum(1, keepdims=True) + 8)
    three = (counts + 4 * two) / (counts.sum(2, keepdims=True) + 4)
    return np.clip(np.round(-np.log2(three) * 16), 0, 255).astype(np.uint8)


def _repeated(counts: np.ndarray) -> np.ndarray:
    """What was seen once says little, and would fill the table."""
    return np.where(counts > 1, counts, 0)


def main() -> None:
    """Count, and write the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    for name in SHARES:
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    given = parser.parse_args()
    english = list(files(given.english))
    counts = {"english": triples(english), "code": triples(list(files(given.code, (".py",))))}
    foreign = [triples(texts) for texts in catalogues(given.languages).values()]
    counts["languages"] = np.sum([c / c.sum() for c in foreign], axis=0)
    mixed = np.sum([SHARES[n] * 2e6 * c / c.sum() for n, c in counts.items()], axis=0)

    found = words_of(texts_of(english))
    near = (found.text[1:] == found.text[:-1]) & (found.starts[1:] - found.ends[:-1] <= 2)
    slots = pair_slot(found.hashes[:-1][near], found.hashes[1:][near])
    pairs = _repeated(np.bincount(slots, minlength=PAIRS))
    singles = _repeated(np.bincount(found.hashes % SINGLES, minlength=SINGLES))
    abroad = np.zeros(ABROAD, bool)
    for texts in catalogues(given.languages).values():
        hashes = words_of(texts_of(texts)).hashes
        kinds, often = np.unique(hashes, return_counts=True)
        abroad[kinds[np.argsort(-often, kind="stable")[:MOST_ABROAD]] % ABROAD] = True
    np.savez_compressed(
        given.out,
        english=surprisal(counts["english"]),
        natural=surprisal(mixed),
        singles=np.round(np.log2(singles + 1) * 8).astype(np.uint8),
        pairs=np.round(np.log2(pairs + 1) * 8).astype(np.uint8),
        run=surprisal(triples_of_letters(english)),
        abroad=np.packbits(abroad),
        words=len(found.hashes),
    )
    print(f"{len(found.hashes):,} English words, {given.out.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
