"""Intel's OpenVINO, on the CPU: what a machine without a GPU gets from ``onnxruntime-openvino``."""

from .contract import Provider

PROVIDER = Provider(
    name="openvino",
    execution_provider="OpenVINOExecutionProvider",
    runs_on="Intel and other x86 CPUs, through OpenVINO",
    how_to_get="install onnxruntime-openvino instead of onnxruntime; it brings OpenVINO along",
    needs=("onnxruntime-openvino",),
    provider_options={
        "device_type": "CPU",
        # Its default precision is bfloat16 where the CPU has it: other answers than those that were verified.
        "load_config": '{"CPU": {"INFERENCE_NUM_THREADS": "{threads}", "NUM_STREAMS": "1", '
        '"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}}',
    },
    own_threads=True,
    to_know="it ignores the sequence lengths of GRU and LSTM (seen in 1.24.1): padded batches get other answers",
)
