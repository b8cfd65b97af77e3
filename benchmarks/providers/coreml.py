"""Apple's Core ML: CPU, GPU and Neural Engine of Macs, iPhones and iPads."""

from .contract import Provider

PROVIDER = Provider(
    name="coreml",
    execution_provider="CoreMLExecutionProvider",
    runs_on="Apple CPUs, GPUs and Neural Engines",
    how_to_get="on a Mac, the plain onnxruntime has it",
    needs=("onnxruntime",),
    provider_options={
        "ModelFormat": "MLProgram",
        "MLComputeUnits": "ALL",
        "RequireStaticInputShapes": "0",  # batch and time are free in these graphs
        "EnableOnSubgraphs": "0",
    },
    to_know="buffers stay in host memory; which unit computes is Core ML's choice, half precision included",
)
