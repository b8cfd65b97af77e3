"""The execution providers that a pipeline may name: those on the shelf of benchmarks/providers.

The one thing that the configuration takes from another room. A copy of the names would let a new file on the shelf be
forgotten here; importing them imports no onnxruntime.
"""

from typing import TYPE_CHECKING, Literal

from ...benchmarks.providers.registry import NAMES as NAMES

if TYPE_CHECKING:
    ProviderName = str  # the names are found at run time; pydantic, the schema and the faults know each of them
else:
    ProviderName = Literal[NAMES]
