"""XNNPACK: small float kernels for Arm and x86 CPUs, mostly in mobile builds."""

from .contract import THREADS, Provider

PROVIDER = Provider(
    name="xnnpack",
    execution_provider="XnnpackExecutionProvider",
    runs_on="Arm and x86 CPUs",
    how_to_get="build onnxruntime with --use_xnnpack: no wheel has it, the packages for Android and iOS do",
    needs=("onnxruntime",),
    provider_options={"intra_op_num_threads": THREADS},
    # Two pools that spin fight for the same cores.
    session_entries={"session.intra_op.allow_spinning": "0"},
    own_threads=True,
    to_know="it has no recurrent layers, and convolutions over images only: expect nodes on the CPU provider",
)
