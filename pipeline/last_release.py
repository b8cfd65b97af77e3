"""The last release as the configuration names it: to fetch it, and whether a finished run was compared with it."""

from pathlib import Path

from .comparing.baseline import Fetched, display, fetch as fetch_source, is_url
from .config.loader import Loaded
from .config.pipeline import PipelineConfig
from .errors import ConfigError, EnvironmentFault, Fault
from .report.model import Report

BASELINES = "baselines"  # in the store's folder: downloads and what is unpacked, by their digest


def fetch(loaded: Loaded, store: Path) -> Fetched | None:
    """The last release that a configuration names; None where it names none or switches every limit off.

    Args:
        loaded: the configuration.
        store: the store's folder, where downloads go.

    Raises:
        ConfigError, EnvironmentFault: it is required and not to be had, or a library for its URL is not installed.
        InputRejected: what lies behind it is not usable.
    """
    section = loaded.config.regression
    if section is None or all(limit.level == "off" for limit in section.all()):
        return None
    found = fetch_source(section.baseline.path, loaded.folder, store / BASELINES)
    require(loaded, found.reason if found.path is None else "")
    return found


def require(loaded: Loaded, missing: str) -> None:
    """Refuse to begin without a last release that the configuration insists on.

    Args:
        loaded: the configuration.
        missing: why it cannot be had; empty where it is there.

    Raises:
        ConfigError: ``regression.baseline`` is required, and nothing is at its path.
        EnvironmentFault: the same of a URL.
    """
    section = loaded.config.regression
    if section is not None and section.baseline.required and missing:
        path = section.baseline.path
        kind = EnvironmentFault if is_url(path) else ConfigError
        where, rule = loaded.where("regression.baseline"), "is required and not available"
        raise kind(Fault("regression.no-baseline", where, rule, display(path), missing))


def missing_in(report: Report, config: PipelineConfig) -> str:
    """Why a finished run has no comparison with the baseline that a configuration names; empty where it has one."""
    if config.regression is None:
        return ""
    path, found = config.regression.baseline.path, report.previous
    wanted = display(path)
    if found is None:
        return f"this run was compared with no earlier one; {wanted} needs another run"
    if found.source not in (path, wanted):
        return f"this run was compared with {display(found.source)}, not with {wanted}: that needs another run"
    return found.reason
