"""A finished run under other limits: what its report says of them, and what it cannot say."""

import pytest
from comparison_parts import side
from seqpress.pipeline import last_release
from seqpress.pipeline.cli.verdict import failed
from seqpress.pipeline.config import load
from seqpress.pipeline.config.loader import Loaded
from seqpress.pipeline.errors import ConfigError, EnvironmentFault, GateFailed
from seqpress.pipeline.rejudge import rejudge, shipped
from seqpress.pipeline.report import model as m
from seqpress.pipeline.report.comparison import Comparison, Row
from seqpress.pipeline.report.part import Estimate

PIPELINE = """\
name: tiny
data: {source: sktime, name: JapaneseVowels}
teacher: {architecture: gru}
students:
  gru-8: {architecture: gru, hidden: 8}
  tcn-8: {architecture: tcn, channels: 8, levels: 2}
benchmark: {providers: [cpu, cuda]}
"""
BASELINE = "regression:\n  baseline: releases/1.0\n"


@pytest.fixture
def report(tiny) -> m.Report:
    return m.Report.model_validate(tiny.report)


@pytest.fixture
def compared(report: m.Report) -> m.Report:
    """The same, 10 % slower and a byte smaller than the last release."""
    change = Estimate(value=1.1, low=1.09, high=1.11, n=100, confidence=0.99)
    rows = (
        Row(metric="latency.cpu", what="batch 1, 15 frames", unit="us", old=10, new=11, kind="ratio", change=change,
            tolerance=0.05, p_worse=1e-6, verdict="worse"),
        Row(metric="size", unit="bytes", old=9_001, new=9_000, kind="ratio", verdict="better"),
    )  # fmt: skip
    found = tuple(
        Comparison(subject=one.id, old=side(one.id, "releases/1.0", "1"), new=side(one.id, "runs/2", "2"), rows=rows,
                   verdict="worse", sentence="")
        for one in shipped(report)
    )  # fmt: skip
    previous = m.Previous(source="releases/1.0", digest="d" * 64)
    return report.model_copy(update={"comparisons": found, "previous": previous})


@pytest.fixture
def limits(tmp_path, monkeypatch):
    """A configuration with these lines behind it."""
    monkeypatch.chdir(tmp_path)

    def make(more: str = "", *overrides: str) -> Loaded:
        (tmp_path / "p.yaml").write_text(PIPELINE + more, encoding="utf-8")
        return load("p.yaml", overrides)

    return make


def words(report: m.Report) -> dict[str, str]:
    return {gate.name: gate.status for gate in report.gates if gate.subject in ("gru-8/dynamic-int8", "last release")}


def test_the_own_limits_lead_to_the_own_gates(tiny, report) -> None:
    again = rejudge(report, tiny.load(), strict=False)
    assert again.gates == report.gates
    assert (again.exit_code, again.status, again.sentence) == (report.exit_code, report.status, report.sentence)


def test_other_budgets_lead_to_other_gates(report, limits) -> None:
    again = rejudge(report, limits("budgets: {size: 1 kB, memory.peak: {limit: 1 B, level: warn}}\n"), strict=False)
    assert words(again)["size"] == "fail"
    assert (again.exit_code, again.status) == (5, "fail")
    assert again.sentence.startswith("failed: size of gru-8/dynamic-int8")
    assert again.config_yaml.endswith("level: warn}}\n")
    assert again.students == report.students


def test_parity_stays(report, limits) -> None:
    again = rejudge(report, limits("parity: {float32: 1e-9}\n"), strict=False)
    assert [g for g in again.gates if g.name == "parity"] == [g for g in report.gates if g.name == "parity"]


def test_another_tolerance_of_a_regression(compared, limits) -> None:
    for limit, status, code in (("5 %", "fail", 5), ("10 %", "inconclusive", 0), ("12 %", "pass", 0)):
        again = rejudge(compared, limits(BASELINE + f"  latency: {limit}\n"), strict=False)
        assert (words(again)["regression.latency.cpu"], again.exit_code) == (status, code), limit
        assert words(again)["regression.size"] == "pass"


def test_a_comparison_that_was_not_made_is_not_measured(report, compared, limits) -> None:
    never = rejudge(report, limits(BASELINE), strict=True)
    assert words(never)["regression"] == "not measured"
    assert (never.exit_code, compared.exit_code) == (0, 0), "nobody required it"
    other = rejudge(compared, limits(BASELINE.replace("1.0", "2.0")), strict=True)
    (gate,) = [gate for gate in other.gates if gate.name.startswith("regression")]
    assert gate.detail.startswith("this run was compared with releases/1.0, not with releases/2.0")
    gone = compared.model_copy(update={"previous": m.Previous(source="releases/1.0", digest="", reason="no such path")})
    (gate,) = [g for g in rejudge(gone, limits(BASELINE), strict=True).gates if g.name.startswith("regression")]
    assert gate.detail == "no such path"


def test_a_password_in_a_url_is_not_told(compared, limits) -> None:
    found = rejudge(compared, limits(BASELINE.replace("releases", "https://me:secret@example.org")), strict=False)
    assert not any("secret" in gate.detail for gate in found.gates)
    wanted = limits("regression:\n  baseline: {path: 'https://me:secret@example.org/1.0', required: true}\n")
    with pytest.raises(EnvironmentFault) as caught:
        last_release.require(wanted, "the server does not answer")
    assert "secret" not in str(caught.value)


def test_another_meaning_of_a_fallback(report, limits) -> None:
    cuda = m.ProviderFacts(name="cuda", available=True, reason="9 of 9 nodes ran elsewhere", fell_back=True)
    back = report.model_copy(update={"providers": (*report.providers, cuda)})
    assert rejudge(back, limits(), strict=False).exit_code == 5
    assert rejudge(back, limits("", "benchmark.fallback=warn"), strict=False).exit_code == 0


def test_another_pipeline_is_refused(report, limits) -> None:
    with pytest.raises(ConfigError, match="--set name=other  name must be tiny; got other"):
        rejudge(report, limits("", "name=other"), strict=False)


def test_gates_point_at_their_lines(compared, limits) -> None:
    found = limits(BASELINE + "  latency: 5 %\n")
    with_cuda = compared.model_copy(
        update={"providers": (m.ProviderFacts(name="cuda", available=True, reason="why", fell_back=True),)}
    )
    error = failed(rejudge(with_cuda, found, strict=False), found)
    assert isinstance(error, GateFailed)
    assert [fault.where for fault in error.faults] == [
        "p.yaml:10:12  regression.latency.cpu",
        "p.yaml:10:12  regression.latency.cpu",
        "p.yaml:7:30  benchmark.providers[1]",
    ]
    default = failed(rejudge(compared, limits(BASELINE), strict=False), limits(BASELINE))
    assert {fault.where for fault in default.faults} == {"p.yaml:8:1  regression.latency.cpu"}


@pytest.mark.parametrize(
    ("baseline", "missing", "raises"),
    [
        ("{path: releases/1.0, required: true}", "there is nothing", True),
        ("{path: releases/1.0, required: true}", "", False),
        ("releases/1.0", "there is nothing", False),
    ],
)
def test_only_a_required_baseline_stops_a_run(limits, baseline: str, missing: str, raises: bool) -> None:
    found = limits(f"regression:\n  baseline: {baseline}\n")
    if not raises:
        last_release.require(found, missing)
        return
    with pytest.raises(ConfigError) as caught:
        last_release.require(found, missing)
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("regression.no-baseline", "p.yaml:9:13  regression.baseline")
    assert (fault.got, fault.hint) == ("releases/1.0", "there is nothing")


def test_a_release_is_fetched_where_a_limit_needs_it(limits, tmp_path) -> None:
    assert last_release.fetch(limits(), tmp_path / "store") is None
    off = "regression: {baseline: gone, " + ", ".join(
        f"{name}: {{limit: 1 %, level: off}}" for name in ("latency", "step", "size", "quality.drop")
    )
    assert last_release.fetch(limits(off + "}\n"), tmp_path / "store") is None
    missing = last_release.fetch(limits("regression: {baseline: gone}\n"), tmp_path / "store")
    assert missing is not None
    assert (missing.path, missing.reason) == (None, "there is nothing at that path")
    with pytest.raises(ConfigError, match="there is nothing at that path"):
        last_release.fetch(limits("regression:\n  baseline: {path: gone, required: true}\n"), tmp_path / "store")
