"""AMD GPUs by ROCm, in builds up to onnxruntime 1.22; later ones have MIGraphX alone."""

from .contract import Provider

PROVIDER = Provider(
    name="rocm",
    execution_provider="ROCMExecutionProvider",
    runs_on="AMD GPUs",
    how_to_get="install onnxruntime-rocm instead of onnxruntime (1.22 is its last version), with the ROCm libraries",
    needs=("onnxruntime-rocm",),
    device="cuda",  # so those builds call any GPU
    own_memory=True,
    provider_options={"device_id": "0"},
    to_know="those builds cannot say which nodes a provider took: the profile is the proof",
)
