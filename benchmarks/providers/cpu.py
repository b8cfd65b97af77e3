"""The CPU provider: in every build of onnxruntime, and what every other provider falls back to."""

from .contract import Provider

PROVIDER = Provider(
    name="cpu",
    execution_provider="CPUExecutionProvider",
    runs_on="any CPU",
    how_to_get="nothing to do: every build of onnxruntime has it",
    needs=("onnxruntime",),
)
