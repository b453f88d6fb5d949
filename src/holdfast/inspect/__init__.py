"""What Inspect finds of ours by its entry point: models `holdfast/NAME`, and our benchmarks."""

from holdfast.inspect.model import Holdfast
from holdfast.inspect.tasks import benchmark, canary45, judged, rates

__all__ = ["Holdfast", "benchmark", "canary45", "judged", "rates"]
