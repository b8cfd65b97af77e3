"""Execution providers: one file each on the shelf, sessions on them, and proof of where the work ran.

    contract.py, registry.py   what a file of the shelf says, and all of them by name (no onnxruntime needed)
    cpu.py cuda.py …           the shelf
    sessions.py                sessions and bound buffers         probe.py       is it here, does it work?
    assignment.py              which node ran where               profiling.py   where the time went

Names below are looked up on first use, so that reading the shelf stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assignment import Placement as Placement, fell_back as fell_back, placement as placement, proof as proof
    from .contract import (
        Provider as Provider,
        ProviderAbsent as ProviderAbsent,
        ProviderFellBack as ProviderFellBack,
    )
    from .errors import RUNTIME_ERRORS as RUNTIME_ERRORS, first_line as first_line
    from .probe import Availability as Availability, availability as availability
    from .profiling import Profile as Profile, profile as profile
    from .registry import NAMES as NAMES, PROVIDERS as PROVIDERS, execution_provider as execution_provider
    from .sessions import (
        Feeds as Feeds,
        bind as bind,
        buffers_on as buffers_on,
        open_session as open_session,
        pick as pick,
        session as session,
        spinning as spinning,
    )

_HOMES = {
    "probe": ("Availability", "availability"),
    "contract": ("Provider", "ProviderAbsent", "ProviderFellBack"),
    "errors": ("RUNTIME_ERRORS", "first_line"),
    "assignment": ("Placement", "fell_back", "placement", "proof"),
    "profiling": ("Profile", "profile"),
    "registry": ("NAMES", "PROVIDERS", "execution_provider"),
    "sessions": ("Feeds", "bind", "buffers_on", "open_session", "pick", "session", "spinning"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
