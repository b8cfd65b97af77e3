"""NVIDIA GPUs by TensorRT, which compiles what it can; CUDA gets the rest."""

from .contract import Provider

PROVIDER = Provider(
    name="tensorrt",
    execution_provider="TensorrtExecutionProvider",
    runs_on="NVIDIA GPUs",
    how_to_get="install onnxruntime-gpu instead of onnxruntime, with CUDA, cuDNN and the TensorRT libraries",
    needs=("onnxruntime-gpu",),
    device="cuda",
    own_memory=True,
    provider_options={
        "device_id": "0",
        "trt_fp16_enable": "0",  # the file's own precision, or the answers are not those that were verified
        "trt_int8_enable": "0",
        "trt_cuda_graph_enable": "0",  # it replays one shape, and these graphs take any
        "trt_engine_cache_enable": "0",  # nothing from an earlier run decides what is measured
    },
    behind=("cuda",),
    to_know="each new range of shapes compiles an engine, seconds long: that is first-run time, never a timed run",
)
