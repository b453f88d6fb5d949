"""What Inspect finds of ours by its entry point: models `holdfast/NAME`, and our benchmarks."""

from holdfast.inspect_model import Holdfast
from holdfast.inspect_tasks import benchmark, canary45, judged, rates

__all__ = ["Holdfast", "benchmark", "canary45", "judged", "rates"]
