"""Names that server and workers share, so that the server need not import what a worker runs."""

from __future__ import annotations

QUEUE = "jobs"
NAME = "holdfast-gate"
VERSION = "1"  # of the order of steps; a job that began under another one is not taken over
