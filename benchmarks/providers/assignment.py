"""Proof of where a session's work ran: node by node as onnxruntime assigned it, and in time as its profile tells.

onnxruntime gives what a provider cannot run to the CPU, and says so with a warning at most. Here a provider counts
as used only if the record of the assignment names it, or, in builds that keep none, the profile does.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Protocol

import onnxruntime as ort

from .contract import ProviderFellBack
from .registry import execution_provider

# Operators that hold the weights. One of these elsewhere and the time measured is another provider's; shape
# arithmetic elsewhere is what onnxruntime does on purpose.
_HEAVY = frozenset(
    [
        "Attention",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "Einsum",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "GRU",
        "Gemm",
        "LSTM",
        "Loop",
        "MatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "MatMulNBits",
        "MultiHeadAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
        "RNN",
        "Scan",
    ]
)


class Profiled(Protocol):
    """What `profiling.Profile` tells of a few runs."""

    @property
    def nodes(self) -> tuple[tuple[str, str], ...]: ...  # (operator, provider) of one run, in order

    @property
    def copies(self) -> int: ...

    @property
    def switches(self) -> int: ...

    def share(self, provider: str) -> float: ...


@dataclass(frozen=True)
class Placement:
    """Where a session's nodes ran, after constant folding and before provider-specific fusion.

    The last four are known only once `proving` ran it.
    """

    provider: str  # execution provider asked for
    nodes: int
    on_provider: int
    elsewhere: tuple[str, ...]  # "GRU on CPUExecutionProvider", one for each kind
    heavy_elsewhere: tuple[str, ...]  # those of them that hold weights
    known: bool = True  # False: this build keeps no record, and nothing was profiled yet
    time_share: float | None = None  # of the time inside nodes, on the provider asked for, 0 to 1
    copies: int | None = None  # between memories, per run
    switches: int | None = None  # from one provider to another along a run
    answer_gap: float | None = None  # largest difference from the CPU's answers, over the largest of them

    @property
    def share(self) -> float:
        """Share of nodes on the provider asked for, 0 to 1; 1 for a graph with nothing left to run."""
        return self.on_provider / self.nodes if self.nodes else 1.0

    @property
    def fell_back(self) -> bool:
        return bool(self.heavy_elsewhere) or (self.nodes > 0 and self.on_provider == 0)

    @property
    def sentence(self) -> str:
        """The proof in words: ``38 of 38 nodes ran on CPUExecutionProvider``."""
        if not self.known:
            return f"this onnxruntime keeps no record of which nodes ran on {self.provider}"
        text = f"{self.on_provider} of {self.nodes} nodes ran on {self.provider}"
        if self.time_share is not None:
            text += f", with {100 * self.time_share:.0f} % of the time in nodes"
        if self.copies or self.switches:
            text += f"; a run switches provider {self.switches or 0} times and copies {self.copies or 0} tensors"
        return text + (f"; elsewhere: {', '.join(self.elsewhere)}" if self.elsewhere else "")

    def with_profile(self, profile: Profiled) -> "Placement":
        """The same with what the profile adds; its nodes count where the build recorded none."""
        assigned = self if self.nodes else _count(self.provider, Counter(profile.nodes))
        return replace(
            assigned,
            time_share=profile.share(self.provider),
            copies=profile.copies,
            switches=profile.switches,
        )


def proof(made: ort.InferenceSession, provider: str) -> Placement:
    """The placement, where it shows that the provider did the work; else ProviderFellBack.

    Where the build keeps no record there is no proof either, and only `latency.measure`, which profiles, can tell.
    """
    where = placement(made, provider)
    if where.fell_back or not where.known:
        raise ProviderFellBack(fell_back(where))
    return where


def fell_back(where: Placement) -> str:
    """What to say of a provider that did not do the work."""
    return f"{where.provider} was asked for and did not do the work: {where.sentence}"


def placement(made: ort.InferenceSession, provider: str) -> Placement:
    """Where the nodes of a session made here were assigned, as recorded by onnxruntime."""
    wanted = execution_provider(provider)
    record = getattr(made, "get_provider_graph_assignment_info", None)
    if record is None:  # before onnxruntime 1.24
        alone = made.get_providers() == [wanted]
        return Placement(wanted, 0, 0, (), (), known=alone)  # the CPU alone: nowhere else to run
    return _count(wanted, Counter((node.op_type, part.ep_name) for part in record() for node in part.get_nodes()))


def _count(wanted: str, nodes: Counter[tuple[str, str]]) -> Placement:
    elsewhere = sorted(one for one in nodes if one[1] != wanted)
    return Placement(
        wanted,
        nodes.total(),
        sum(count for (_, provider), count in nodes.items() if provider == wanted),
        tuple(f"{operator} on {provider}" for operator, provider in elsewhere),
        tuple(f"{operator} on {provider}" for operator, provider in elsewhere if operator in _HEAVY),
    )
