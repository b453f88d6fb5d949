"""Logs in one JSON object a line, without the content of rows, replies or keys."""

from __future__ import annotations

import json
import logging
import sys
import time

_FIELDS = ("job", "stage", "worker", "tenant", "key", "method", "path", "part")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        told |= {name: v for name in _FIELDS if (v := getattr(record, name, None)) is not None}
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def structured(level: int = logging.INFO) -> None:
    """Sends this process's log to standard error, a line an entry."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("holdfast").setLevel(level)
