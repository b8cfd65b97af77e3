"""A finished run under other limits: nothing is computed, its report alone is read."""

from . import gates as gating
from .config.loader import Loaded
from .errors import ConfigError, Fault
from .report import view
from .report.model import Report, Variant


def rejudge(report: Report, loaded: Loaded, strict: bool) -> Report:
    """The same report with the gates of another configuration, and the exit code that they lead to.

    Of the configuration only ``budgets``, ``regression`` and ``benchmark.fallback`` count. Parity is what it was:
    its tolerances are part of how the files were checked.

    Args:
        report: of the finished run.
        loaded: the configuration to judge it by.
        strict: an undecided gate fails the run.

    Raises:
        ConfigError: the configuration is another pipeline's.
    """
    from . import last_release  # it can fetch and unpack, which takes a while to import

    config = loaded.config
    if config.name != report.name:
        hint = "its limits are about other models; name the file of this run with --pipeline"
        raise ConfigError(
            Fault("gate.other-pipeline", loaded.where("name"), f"must be {report.name}", config.name, hint)
        )
    every = view.variants(report)
    gates = gating.evaluate(
        config.budgets.all(),
        shipped(report),
        every,
        regression=config.regression.all() if config.regression else (),
        comparisons=report.comparisons,
        no_baseline=last_release.missing_in(report, config) if config.regression else "",
        providers=report.providers,
        fallback=config.benchmark.fallback,
    )
    code = gating.exit_code(gates, strict)
    changes = {
        "gates": gates,
        "exit_code": code,
        "status": gating.status(gates, code),
        "sentence": gating.sentence(gates, report.students),
        "config_yaml": loaded.as_run(),
    }
    return report.model_copy(update=changes)


def shipped(report: Report) -> list[Variant]:
    """The variants that budgets and limits bind."""
    return [variant for student in report.students for variant in student.variants if variant.ships]
