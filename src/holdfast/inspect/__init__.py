"""What Inspect finds of ours by its entry point: models `holdfast/NAME`, and our benchmarks."""

from holdfast.inspect.model import holdfast
from holdfast.inspect.tasks import benchmark, canary45, judged, rates

__all__ = ["benchmark", "canary45", "holdfast", "judged", "rates"]
