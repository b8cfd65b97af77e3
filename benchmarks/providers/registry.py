"""The shelf of execution providers by name. Importing it imports no onnxruntime, so a configuration can read it."""

from collections.abc import Mapping
from types import MappingProxyType

from . import coreml, cpu, cuda, directml, migraphx, openvino, qnn, rocm, tensorrt, webgpu, xnnpack
from .contract import Provider, ProviderAbsent

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        module.PROVIDER.name: module.PROVIDER
        for module in (cpu, cuda, tensorrt, openvino, xnnpack, coreml, directml, migraphx, rocm, qnn, webgpu)
    }
)
NAMES: tuple[str, ...] = tuple(PROVIDERS)

_SUFFIX = "ExecutionProvider"


def provider(name: str) -> Provider:
    """A provider of the shelf, by its own or by onnxruntime's name; another ``…ExecutionProvider`` with defaults.

    Raises:
        ProviderAbsent: neither.

    >>> provider("cuda") is provider("CUDAExecutionProvider"), provider("AzureExecutionProvider").name
    (True, 'AzureExecutionProvider')
    """
    if name in PROVIDERS:
        return PROVIDERS[name]
    for one in PROVIDERS.values():
        if one.execution_provider == name:
            return one
    if name.endswith(_SUFFIX) and name != _SUFFIX:
        return Provider(name, name, "unknown hardware", "", ())
    raise ProviderAbsent(f"provider must be one of {', '.join(NAMES)}; got {name!r}")


def execution_provider(name: str) -> str:
    """onnxruntime's name of a provider; a full ``…ExecutionProvider`` name passes as it is.

    >>> execution_provider("cuda")
    'CUDAExecutionProvider'
    """
    return provider(name).execution_provider
