"""What went wrong, as the sentence a user reads."""

from __future__ import annotations

import errno
import os
import tempfile
import traceback
from typing import Any

from holdfast.errors import UserError

# The machine's doing or the user's, not a fault in Holdfast: no traceback would help.
_OUTSIDE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT}


def sentence_for(error: BaseException) -> str:
    """One sentence for any failure; the traceback of an unexpected one goes to a file."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return "stopped; the same command goes on where this one stopped."
    usage = _usage(error)
    if usage:
        return usage
    if isinstance(error, OSError) and error.errno in _OUTSIDE:
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{where}; mend that and run the same command again."
    if isinstance(error, MemoryError):
        return "memory ran out; try fewer --workers, or a smaller model."
    return _unexpected(error)


def _usage(error: Any) -> str:
    """The message of a usage error, told by its shape: typer may carry its own copy of click."""
    if not hasattr(error, "format_message") or not hasattr(error, "exit_code"):
        return ""
    path = getattr(getattr(error, "ctx", None), "command_path", "holdfast")
    message = " ".join(str(error.format_message()).split()).replace("Value error, ", "")
    end = "" if message.endswith(("?", ".")) else "."
    return f"{message}{end} (`{path} --help` shows what there is.)"


def _unexpected(error: BaseException) -> str:
    what = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    try:
        handle, path = tempfile.mkstemp(prefix="holdfast-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        return f"an unexpected error: {what}"
    return f"an unexpected error: {what} (details are in {path})"
