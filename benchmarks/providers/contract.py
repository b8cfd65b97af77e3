"""What a file of the shelf says about one execution provider: data, and nothing imported from onnxruntime."""

from collections.abc import Mapping
from dataclasses import dataclass, field

THREADS = "{threads}"  # stands for the number of threads in a provider's options


@dataclass(frozen=True)
class Provider:
    """An execution provider as a deployment would set it.

    Args:
        name: as pipeline.yaml and the command line say it: ``cuda``.
        execution_provider: onnxruntime's name: ``CUDAExecutionProvider``.
        runs_on: what it computes on, in words.
        how_to_get: the install that brings it, and what must be there besides.
        needs: the distributions of which one must be installed.
        device: onnxruntime's device type for bound buffers: where inputs and outputs lie during bound timing.
        vendor: PCI id of the device's maker, where its type alone does not tell; -1 where it does.
        own_memory: its memory is not the host's. Bound times are then device-resident, without the copies;
            plain ``run()`` pays for both ways.
        provider_options: for onnxruntime, as text; ``{threads}`` stands for the number of threads.
        session_entries: session configuration beyond what every session gets.
        own_threads: it has a thread pool of its own, so onnxruntime's is kept to one thread.
        memory_pattern: onnxruntime may plan its buffers ahead; false where the provider forbids it.
        behind: names of providers that get what this one refuses, before the CPU does.
        plugin: module of the package that brings it as a library to register; empty where it is built in.
        plugin_devices: kinds of hardware, best first, of which a plug-in's first one is taken.
        to_know: what a reader of its numbers must know.
    """

    name: str
    execution_provider: str
    runs_on: str
    how_to_get: str
    needs: tuple[str, ...]
    device: str = "cpu"
    vendor: int = -1
    own_memory: bool = False
    provider_options: Mapping[str, str] = field(default_factory=dict)
    session_entries: Mapping[str, str] = field(default_factory=dict)
    own_threads: bool = False
    memory_pattern: bool = True
    behind: tuple[str, ...] = ()
    plugin: str = ""
    plugin_devices: tuple[str, ...] = ()
    to_know: str = ""

    def options(self, threads: int) -> dict[str, str]:
        """The provider's options for this many threads.

        >>> Provider("x", "XExecutionProvider", "", "", (), provider_options={"pool": THREADS}).options(2)
        {'pool': '2'}
        """
        return {key: value.replace(THREADS, str(threads)) for key, value in self.provider_options.items()}


class ProviderAbsent(ValueError):
    """The provider asked for is unknown, not in this onnxruntime build, or does not work on this machine."""


class ProviderFellBack(ValueError):
    """The provider is present, and other providers ran the work."""
