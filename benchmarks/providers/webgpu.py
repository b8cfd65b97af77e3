"""WebGPU by Dawn: any GPU with Vulkan, Metal or Direct3D 12, in its own build or registered beside the plain one."""

from .contract import Provider

PROVIDER = Provider(
    name="webgpu",
    execution_provider="WebGpuExecutionProvider",
    runs_on="GPUs with Vulkan, Metal or Direct3D 12",
    how_to_get="install onnxruntime-ep-webgpu beside onnxruntime, or onnxruntime-webgpu instead of it",
    needs=("onnxruntime-ep-webgpu", "onnxruntime-webgpu"),
    device="webgpu",
    own_memory=True,
    provider_options={"enableGraphCapture": "0"},  # it replays one shape, and these graphs take any
    plugin="onnxruntime_ep_webgpu",
    plugin_devices=("GPU", "NPU", "CPU"),
    to_know="not every build can place buffers on the GPU from Python; where it cannot, both times hold the copies",
)
