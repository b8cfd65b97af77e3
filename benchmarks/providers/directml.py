"""DirectML: any GPU with DirectX 12, on Windows."""

from .contract import Provider

PROVIDER = Provider(
    name="directml",
    execution_provider="DmlExecutionProvider",
    runs_on="DirectX 12 GPUs on Windows",
    how_to_get="on Windows, install onnxruntime-directml instead of onnxruntime",
    needs=("onnxruntime-directml",),
    device="dml",
    own_memory=True,
    provider_options={"device_id": "0"},
    memory_pattern=False,  # it refuses a session that plans memory ahead or runs nodes in parallel
    to_know="it works best where shapes are fixed when the session is made; these graphs leave batch and time free",
)
