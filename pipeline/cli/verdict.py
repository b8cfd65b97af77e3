"""A finished run that must not pass, as an error."""

from ..config.loader import Loaded
from ..errors import Fault, GateFailed, Inconclusive, SeqpressError
from ..report.model import Gate, Report


def failed(report: Report, loaded: Loaded) -> SeqpressError:
    """Every gate that counts against the run, each at the line of the YAML that set it."""
    wanted = "fail" if report.exit_code == GateFailed.exit_code else ("inconclusive", "not measured")
    gates = [gate for gate in report.gates if gate.level == "error" and gate.status in wanted]
    faults = [_fault(gate, loaded) for gate in gates]
    return GateFailed(faults) if report.exit_code == GateFailed.exit_code else Inconclusive(faults)


def option(gate: Gate, loaded: Loaded) -> str:
    """Dotted path of the option that set a gate; one that the file does not write is found by its section."""
    kind, _, rest = gate.name.partition(".")
    if kind in ("regression", "parity"):
        return gate.name
    if kind != "provider":
        return f"budgets.{gate.name}"
    names = [request.name for request in loaded.config.benchmark.providers]
    return f"benchmark.providers[{names.index(rest)}]" if rest in names else "benchmark.providers"


def _fault(gate: Gate, loaded: Loaded) -> Fault:
    code = f"gate.{gate.status.replace(' ', '-')}"
    if gate.name == "parity":
        return Fault(code, f"parity of {gate.subject}", f"must stay within {gate.limit}", gate.actual, gate.detail)
    where = loaded.where(option(gate, loaded))
    actual = gate.actual + (f" ({gate.interval})" if gate.interval else "")
    limit = f": {gate.limit}" if gate.limit else ""
    return Fault(code, where, f"must hold for {gate.subject}{limit}", actual or "nothing", gate.detail)
