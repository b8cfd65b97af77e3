"""AMD GPUs by MIGraphX, the successor of the ROCm provider."""

from .contract import Provider

PROVIDER = Provider(
    name="migraphx",
    execution_provider="MIGraphXExecutionProvider",
    runs_on="AMD GPUs",
    how_to_get="install onnxruntime-migraphx instead of onnxruntime, with ROCm and its MIGraphX libraries",
    needs=("onnxruntime-migraphx",),
    device="gpu",
    vendor=0x1002,
    own_memory=True,
    provider_options={"device_id": "0", "migraphx_fp16_enable": "0", "migraphx_int8_enable": "0"},
    to_know="each new shape compiles the graph again: that is first-run time, never a timed run",
)
