"""The store: files and models under the hash of what they hold, never overwritten.

Everything is written under a temporary name, flushed to disk and renamed, so a killed process
leaves at most a temporary name, which `sweep` takes away. No name comes from a client.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from holdfast.errors import UserError

MANIFEST = "manifest.json"
STALE = 24 * 3600  # seconds after which a temporary name belongs to nobody
_HASH = re.compile(r"[0-9a-f]{64}")


class Upload:
    """A file on its way into the store. `append` its bytes, then `keep` it or `drop` it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.parts.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=store.parts)
        self._file, self.path = os.fdopen(number, "wb"), Path(name)
        self._hash = hashlib.sha256()
        self.bytes = 0

    def append(self, piece: bytes) -> None:
        """More bytes."""
        self._file.write(piece)
        self._hash.update(piece)
        self.bytes += len(piece)

    def flush(self) -> None:
        """Makes what was appended readable at `path`."""
        self._file.flush()

    def keep(self) -> str:
        """The file's hash, once it is on disk for good."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        name = self._hash.hexdigest()
        target = self._store.file(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(target)
        _flush(target.parent)
        return name

    def drop(self) -> None:
        """Forgets the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Store:
    """A folder of files, models and the scratch of running jobs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.parts = root / "parts"

    def prepare(self) -> None:
        """Makes the folders.

        Raises:
            UserError: they cannot be made.
        """
        try:
            for folder in (self.root, self.parts, self.root / "scratch"):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UserError(f"The store {self.root} cannot be made ({error.strerror}).") from error

    def file(self, sha256: str) -> Path:
        """Where a file of that hash is, or would be."""
        return self.root / "files" / _checked(sha256)[:2] / sha256

    def model(self, digest: str) -> Path:
        """Where a model of that digest is, or would be."""
        return self.root / "models" / _checked(digest)

    def scratch(self, job: str) -> Path:
        """The folder of a running job; it is gone once the job has ended."""
        folder = self.root / "scratch" / job
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def clean(self, job: str) -> None:
        """Takes a job's scratch away."""
        shutil.rmtree(self.root / "scratch" / job, ignore_errors=True)

    def keep_model(self, folder: Path) -> str:
        """Moves a finished model into the store.

        Args:
            folder: on the same disk as the store; it is gone afterwards.

        Returns:
            The digest of its files, whose hashes are written beside them.
        """
        hashes = {name: _hash_of(folder / name) for name in sorted(_files(folder))}
        text = json.dumps(hashes, indent=1, sort_keys=True)
        (folder / MANIFEST).write_text(text, "utf-8")
        for name in (*hashes, MANIFEST):
            _flush(folder / name)
        digest = hashlib.sha256(text.encode()).hexdigest()
        target = self.model(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            shutil.rmtree(folder)  # the same model is there already
        _flush(target.parent)
        return digest

    def whole(self, digest: str) -> bool:
        """Whether a model is there as it was kept."""
        folder = self.model(digest)
        try:
            text = (folder / MANIFEST).read_text("utf-8")
            hashes = json.loads(text)
            return hashlib.sha256(text.encode()).hexdigest() == digest and all(
                _hash_of(folder / name) == told for name, told in hashes.items()
            )
        except (OSError, ValueError):
            return False

    def delete_file(self, sha256: str) -> None:
        """Takes a file away that nothing names any more."""
        self.file(sha256).unlink(missing_ok=True)

    def delete_model(self, digest: str) -> None:
        """Takes a model away that nothing names any more."""
        folder = self.model(digest)
        if folder.is_dir():
            part = self.parts / f"{digest}.{os.getpid()}"
            folder.rename(part)
            shutil.rmtree(part, ignore_errors=True)

    def held(self) -> tuple[set[str], set[str]]:
        """Hashes of all files and digests of all models that are there."""
        files = {path.name for path in (self.root / "files").glob("*/*")}
        models = {path.name for path in (self.root / "models").glob("*")}
        return files, models

    def jobs(self) -> set[str]:
        """Jobs that have a scratch folder."""
        return {path.name for path in (self.root / "scratch").glob("*")}

    def sweep(self) -> None:
        """Takes temporary names away that a killed process left."""
        old = time.time() - STALE
        for path in self.parts.glob("*"):
            try:
                if path.stat().st_mtime < old:
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            except OSError:
                continue  # another process was sooner


def lines_of(path: Path) -> Iterator[bytes]:
    """A file's lines, one at a time."""
    with path.open("rb") as file:
        yield from file


def _checked(name: str) -> str:
    if not _HASH.fullmatch(name):
        raise ValueError(f"{name!r} is no hash")
    return name


def _files(folder: Path) -> Iterable[str]:
    return (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Makes a file, or the names in a folder, survive a loss of power."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
