"""Qualcomm's neural processors by QNN, registered as a library beside the plain onnxruntime."""

from .contract import Provider

PROVIDER = Provider(
    name="qnn",
    execution_provider="QNNExecutionProvider",
    runs_on="Qualcomm Snapdragon neural processors",
    how_to_get="install onnxruntime-qnn beside onnxruntime",
    needs=("onnxruntime-qnn",),
    provider_options={"backend_type": "htp", "htp_performance_mode": "burst"},
    plugin="onnxruntime_qnn",
    plugin_devices=("NPU", "GPU", "CPU"),
    to_know="it takes no graph with free dimensions, and on x86 its processor is emulated: those times mean nothing",
)
