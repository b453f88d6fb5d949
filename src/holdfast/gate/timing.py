"""Signs of life: how often a worker leaves one, and when it is taken for dead."""

from __future__ import annotations

BEAT = 2.0  # seconds between two signs of life
SILENT = 15  # seconds after which a worker is taken for dead
