"""NVIDIA GPUs by CUDA and cuDNN."""

from .contract import Provider

PROVIDER = Provider(
    name="cuda",
    execution_provider="CUDAExecutionProvider",
    runs_on="NVIDIA GPUs",
    how_to_get="install onnxruntime-gpu instead of onnxruntime, with the CUDA and cuDNN libraries it was built for",
    needs=("onnxruntime-gpu",),
    device="cuda",
    own_memory=True,
    provider_options={
        "device_id": "0",
        "cudnn_conv_algo_search": "EXHAUSTIVE",  # at the first run of each shape, so warm-up pays for it
        "do_copy_in_default_stream": "1",  # a stream of its own may race with the computation
        "enable_cuda_graph": "0",  # it replays one shape, and these graphs take any
    },
    to_know="its recurrent layers and small convolutions are bound by launches: batch 1 is often slower than a CPU",
)
