"""Where what takes long to make is kept between runs: organisms, defended and implanted models."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """$HOLDFAST_CACHE, else `holdfast` in the user's cache folder ($XDG_CACHE_HOME, ~/.cache)."""
    told = os.environ.get("HOLDFAST_CACHE")
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(told) if told else (Path(home) if home else Path.home() / ".cache") / "holdfast"
