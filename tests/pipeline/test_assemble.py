"""The report: assembled from artifacts, each number held to a second way of getting it."""

import json
from dataclasses import replace
from hashlib import sha256
from statistics import fmean

import numpy as np
import pytest
from command import SEEDS
from measured import cell, estimate, latency, paired, percentile, quality, variant
from seqpress.pipeline import assemble, job, naming
from seqpress.pipeline.engine.run import run
from seqpress.pipeline.engine.store import Store
from seqpress.pipeline.report import model as m

STUDENTS = ("gru-8", "tcn-8")


@pytest.fixture(scope="module")
def finished(tiny):
    """Every task of the first run, out of the store."""
    plan = job.plan(job.Request(tiny.load()))
    result = run(plan, Store(tiny.store), pipeline="tiny")
    assert result.misses == 0
    return {
        name: assemble.Finished(done, result.tasks[name].record.key, plan.tasks[name].inputs, True, 0.0)
        for name, done in result.artifacts.items()
    }


@pytest.fixture(scope="module")
def facts(tiny):
    return m.RunFacts.model_validate(tiny.report["run"])


@pytest.fixture(scope="module")
def assembled(finished, facts, tiny):
    """The report of artifacts that were doctored, and of ``--set`` texts."""

    def make(changes=None, overrides=(), strict=False, damaged=0):
        mixed = finished | {name: doctored(finished[name], **change) for name, change in (changes or {}).items()}
        config = tiny.load(*overrides).config
        run_facts = facts.model_copy(update={"damaged": damaged})
        return assemble.Assembler(config, "name: tiny\n", mixed).report(run_facts, strict)

    return make


def doctored(done, facts=None, measured=None, files=None):
    artifact = done.artifact
    new = replace(
        artifact,
        facts={**artifact.facts, **(facts or {})},
        measured={**artifact.measured, **(measured or {})},
        files={**artifact.files, **(files or {})},
    )
    return replace(done, artifact=new)


@pytest.fixture(scope="module")
def truth(finished):
    return np.load(finished["data"].artifact / "test.targets.npy")


def right(finished, task):
    """Test items that a model gets right, from its stored logits and not from facts."""
    found = np.load(finished[task].artifact / "outputs.npy").argmax(axis=1)
    return found == np.load(finished["data"].artifact / "test.targets.npy")


def test_it_is_what_the_command_wrote(assembled, tiny):
    written = {key: value for key, value in tiny.report.items() if key not in ("run", "lineage", "config_yaml")}
    again = json.loads(assembled().model_dump_json())
    assert {key: value for key, value in again.items() if key in written} == written


def test_means_and_spreads_are_over_the_seeds_on_the_float_files(assembled, finished):
    for student in assembled().students:
        found = student.distillation
        for kind, mean, spread in (
            ("distilled", found.distilled_mean, found.distilled_spread),
            ("control", found.control_mean, found.control_spread),
        ):
            each = [right(finished, f"evaluate/{student.name}/{kind}/seed-{n}/float32").mean() for n in SEEDS]
            assert mean == pytest.approx(fmean(each))
            assert spread == pytest.approx(max(each) - min(each))
        int8 = [right(finished, f"evaluate/{student.name}/distilled/seed-{n}/dynamic-int8").mean() for n in SEEDS]
        assert found.quantized_means == {"dynamic-int8": pytest.approx(fmean(int8))}


def test_pairs_are_on_the_same_items(assembled, finished, truth):
    for student in assembled().students:
        for shown in student.variants:
            mine = right(finished, f"evaluate/{student.name}/distilled/seed-{student.selected_seed}/{shown.recipe}")
            others = {
                "teacher": "evaluate/teacher/float32",
                "control": f"evaluate/{student.name}/control/seed-{student.selected_seed}/float32",
                "float32": f"evaluate/{student.name}/distilled/seed-{student.selected_seed}/float32",
            }
            assert {p.against for p in shown.quality.paired} == set(others) - (
                {"float32"} if shown.recipe == "float32" else set()
            )
            for pair in shown.quality.paired:
                theirs = right(finished, others[pair.against])
                assert (pair.only_this_right, pair.only_other_right) == (
                    (mine & ~theirs).sum(),
                    (theirs & ~mine).sum(),
                )
                # Bonett and Price add one to every cell, which draws the middle of the interval towards 0.
                assert pair.difference.low <= mine.mean() - theirs.mean() <= pair.difference.high
                assert pair.difference.n == len(truth) == 370


def test_the_seed_that_ships_is_the_best_on_validation(assembled, finished):
    for student in assembled().students:
        best = {n: finished[f"distill/{student.name}/distilled/seed-{n}"].artifact.facts["best"] for n in SEEDS}
        expected = sorted(SEEDS, key=lambda n: (-best[n]["validation_metric"], best[n]["validation_loss"], n))[0]
        assert student.selected_seed == expected
        assert [result.seed for result in student.distillation.distilled if result.selected] == [expected]
        assert not any(result.selected for result in student.distillation.control)


def test_curves_are_the_histories(assembled, finished):
    curves = assembled().curves
    assert len(curves) == 1 + 2 * len(STUDENTS) * len(SEEDS)
    for curve in curves:
        kind = "train" if curve.arm == "control" else "distill"
        task = "teacher" if curve.arm == "teacher" else f"{kind}/{curve.model}/{curve.arm}/seed-{curve.seed}"
        kept = finished[task].artifact.facts
        lowest = min(curve.epochs, key=lambda epoch: epoch.validation_loss)
        assert kept["best"] == lowest.model_dump()
        assert kept["epochs_run"] == len(curve.epochs)


def test_lineage_names_every_task_with_its_digest(assembled, finished):
    report = assembled()
    assert {entry.task: entry.digest for entry in report.lineage} == {n: d.artifact.digest for n, d in finished.items()}


def test_logit_errors_are_against_the_float_file_alone(assembled, finished):
    for student in assembled().students:
        base = f"evaluate/{student.name}/distilled/seed-{student.selected_seed}"
        logits = {
            recipe: np.load(finished[f"{base}/{recipe}"].artifact / "outputs.npy")
            for recipe in ("float32", "dynamic-int8")
        }
        whole, quantized = student.variants
        assert [pair.logit_error for pair in whole.quality.paired] == [None, None]
        errors = {pair.against: pair.logit_error for pair in quantized.quality.paired}
        worst = max(abs(logits["float32"] - logits["dynamic-int8"]).ravel())
        assert errors == {"teacher": None, "control": None, "float32": pytest.approx(worst)}
        assert 0 < worst < 1


def test_files_and_bundles_are_those_delivered(assembled, tiny):
    report = assembled()
    for shown in (report.teacher, *(v for student in report.students for v in student.variants)):
        for name, digest in ((shown.file, shown.sha256), (shown.step_file, shown.step_sha256)):
            assert not name or sha256((tiny.run / name).read_bytes()).hexdigest() == digest
    assert (report.teacher.step_file, report.teacher.step_size_bytes, report.teacher.bundle_digest) == ("", None, "")
    for shown in (v for student in report.students for v in student.variants):
        assert shown.file == f"artifacts/{shown.id.replace('/', '-')}/model.onnx"
        assert shown.step_size_bytes == (tiny.run / shown.step_file).stat().st_size
        manifest = json.loads((tiny.run / shown.file).with_name("manifest.json").read_text(encoding="utf-8"))
        assert manifest["digest"] == shown.bundle_digest


def test_what_a_recipe_left_and_how_a_stream_drifts(assembled, finished):
    left = [{"name": "cell.bias", "size_bytes": 1_536, "reason": "bias of GRU: added in float32"}]
    made = finished["select/gru-8"].artifact.facts["variants"]
    facts = {"variants": made | {"dynamic-int8": made["dynamic-int8"] | {"left_in_float": left}}}
    whole, quantized = assembled({"select/gru-8": {"facts": facts}}).students[0].variants
    assert [one.model_dump() for one in quantized.left_in_float] == left
    assert (whole.left_in_float, whole.share_below_float32) == ((), None)
    assert quantized.share_below_float32 == made["dynamic-int8"]["share_below_float32"] > 0
    for shown in (whole, quantized):
        known = finished["verify/gru-8"].artifact.facts[shown.recipe]["drift"]
        assert [point.model_dump() for point in shown.parity.drift] == known
        assert known[-1]["frames"] > known[0]["frames"] == 1


TRIED = {
    "recipe": "float16",
    "size_bytes": 6_000,
    "smaller": 1.3,
    "faster": None,
    "agreement": 1.0,
    "logit_error": 1e-4,
    "leaks": False,
    "lost": "dynamic-int8 gains more",
}
KEPT = TRIED | {"recipe": "dynamic-int8", "size_bytes": 5_000, "smaller": 1.5, "faster": 1.25, "lost": ""}
REFUSED = TRIED | {"recipe": "weight-int8", "size_bytes": 0, "smaller": 0.0, "agreement": 0.0, "lost": "too small"}


@pytest.fixture(scope="module")
def by_auto(finished, facts, tiny):
    """The first run as if its dynamic-int8 had been chosen by auto."""
    renamed = {}
    for name, done in finished.items():
        known, changes = done.artifact.facts, {}
        if name.startswith("select/"):
            changes = {"variants": known["variants"] | {"auto": known["variants"]["dynamic-int8"]}}
        elif name.startswith("verify/") and name != "verify/teacher":
            changes = {"auto": known["dynamic-int8"]}
        renamed[name.replace("dynamic-int8", "auto")] = doctored(done, facts=changes)
    timed = finished["benchmark"].artifact.measured
    latency = {name.replace("dynamic-int8", "auto"): cells for name, cells in timed["latency"].items()}
    renamed["benchmark"] = doctored(finished["benchmark"], measured={"latency": latency})
    for student in STUDENTS:
        tried = {"candidates": [TRIED, KEPT, REFUSED]}
        renamed[f"choose/{student}"] = doctored(finished["data"], measured=tried)
    config = tiny.load("quantize=[auto]").config
    return assemble.Assembler(config, "name: tiny\n", renamed).report(facts, strict=False)


def test_what_auto_chose_is_told_with_those_that_lost(by_auto):
    student = by_auto.students[0]
    assert [one.recipe for one in student.candidates] == ["dynamic-int8", "float16", "weight-int8"]
    refused = student.candidates[-1]
    assert (refused.size_bytes, refused.smaller, refused.agreement, refused.leaks) == (None, None, None, None)
    assert refused.lost == "too small"
    shown = student.variants[1]
    assert (shown.id, shown.recipe, shown.by, shown.ships) == ("gru-8/auto", "dynamic-int8", "auto", True)
    assert shown.file == "artifacts/gru-8-auto/model.onnx"
    assert any(f.subject == "gru-8" and f.text.startswith("auto kept dynamic-int8, of 3") for f in by_auto.findings)


def test_nobody_chose_where_auto_was_not_asked_for(assembled):
    report = assembled()
    assert [student.candidates for student in report.students] == [(), ()]
    assert {v.by for student in report.students for v in student.variants} == {""}
    assert not any("auto kept" in found.text for found in report.findings)


BROKEN = {"name": "torch vs onnxruntime", "case": "c", "worst": None, "allowed": 1e-4, "because": "", "passed": False}


def test_a_broken_parity_fails_the_run(assembled, finished):
    before = finished["verify/gru-8"].artifact.facts
    broken = {"dynamic-int8": {**before["dynamic-int8"], "gaps": [BROKEN]}}
    report = assembled({"verify/gru-8": {"facts": broken}})
    assert (report.status, report.exit_code) == ("fail", 5)
    assert report.sentence == "failed: parity of gru-8/dynamic-int8 (not comparable, limit 1.0e-4)"


@pytest.mark.parametrize(
    ("budget", "strict", "status", "code"),
    [
        ("budgets={size: 1 MB}", False, "pass", 0),
        ("budgets={size: 100 B}", False, "fail", 5),
        ("budgets={size: {limit: 100 B, level: warn}}", True, "pass", 0),
        ("budgets={size: {limit: 100 B, level: off}}", True, "pass", 0),
    ],
)
def test_status_and_code_agree(assembled, budget, strict, status, code):
    report = assembled(overrides=[budget], strict=strict)
    assert (report.status, report.exit_code) == (status, code)
    assert report.sentence.startswith("failed: size of gru-8/dynamic-int8") == (code == 5)


def test_an_undecided_gate_is_neutral_unless_strict(assembled):
    report = assembled()
    accuracy = report.students[0].variants[1].quality.estimate
    limit = f"budgets={{quality.accuracy: {50 * (accuracy.value + accuracy.high):.4f} %}}"
    only = ["students={gru-8: {architecture: gru, hidden: 8}}", limit]
    relaxed, strict = (assembled(overrides=only, strict=strict) for strict in (False, True))
    assert (relaxed.status, relaxed.exit_code) == ("inconclusive", 0)
    assert (strict.status, strict.exit_code) == ("inconclusive", 8)
    assert relaxed.sentence.startswith("undecided: quality.accuracy of gru-8/dynamic-int8")


def test_a_variant_without_timing_says_why(assembled, finished):
    timed = finished["benchmark"].artifact.measured
    kept = {name: cells for name, cells in timed["latency"].items() if name != "gru-8/float32"}
    missed = [{"contender": "gru-8/float32", "provider": "cpu", "kind": "died", "reason": "signal 9"}]
    report = assembled({"benchmark": {"measured": {"latency": kept, "unmeasured": missed}}})
    untimed = report.students[0].variants[0]
    assert (untimed.latency, untimed.latency_reason) == (None, "cpu: signal 9")
    assert any(f.subject == "gru-8/float32" and "signal 9" in f.text for f in report.findings)


def test_damage_is_told(assembled):
    assert any(f.subject == "store" for f in assembled(damaged=1).findings)
    assert not any(f.subject == "store" for f in assembled().findings)


def seeds_right(share_by_arm, truth, folder):
    """Predictions for every seed that are right on the first share of the items."""
    changes = {}
    for kind, shares in share_by_arm.items():
        for seed, share in zip(SEEDS, shares, strict=True):
            predicted = np.where(np.arange(len(truth)) < round(share * len(truth)), truth, (truth + 1) % 9)
            path = folder / f"{kind}-{seed}.npy"
            np.save(path, predicted)
            changes[f"evaluate/gru-8/{kind}/seed-{seed}/float32"] = {"files": {"predicted.npy": path}}
    return changes


@pytest.mark.parametrize(
    ("distilled", "control", "verdict", "sentence"),
    [
        ((0.9, 0.9), (0.8, 0.8), "helped", "Distillation gained 10.0 points"),
        ((0.9, 0.8), (0.8, 0.8), "no clear gain", "changed +5.0 points, within the spread"),
        ((0.9, 0.9), (0.9, 0.7), "no clear gain", "changed +10.0 points, within the spread"),
        ((0.9, 0.9), (0.9, 0.9), "no clear gain", "changed +0.0 points"),
        ((0.7, 0.7), (0.9, 0.8), "hurt", "Distillation lost 15.0 points"),
    ],
)
def test_what_distillation_bought(assembled, truth, tmp_path, distilled, control, verdict, sentence):
    shares = {"distilled": distilled, "control": control}
    found = assembled(seeds_right(shares, truth, tmp_path)).students[0].distillation
    assert found.verdict == verdict
    assert sentence in found.sentence


def test_without_a_control_nothing_is_claimed(assembled):
    found = assembled(overrides=["distill.control=false"]).students[0]
    assert found.distillation.verdict == "no control"
    assert (found.distillation.control, found.distillation.control_mean) == ((), None)
    assert {pair.against for pair in found.variants[1].quality.paired} == {"teacher", "float32"}


def faster(value):
    return {"faster_than_teacher": estimate(value, value, value)}


def test_the_headline_is_of_the_middle_length_at_batch_one():
    cells = [
        cell(percentile(50, 1), length=29, **faster(30)),
        cell(percentile(50, 1), length=9, **faster(9)),
        cell(percentile(50, 1), length=15, **faster(15)),
        cell(percentile(50, 1), length=15, batch=16, **faster(2)),
        cell(percentile(50, 1), length=15, provider="cuda", **faster(3)),
    ]
    shipped = variant(
        latency=latency(*cells),
        quality=quality(estimate(0.9, 0.8, 1.0), paired("teacher", -0.012, -0.02, 0.0), paired("float32", 1, 1, 1)),
    )
    assert assemble.typical_cell(shipped) == cells[2]
    assert assemble.headline(shipped) == "size not compared, 15× faster, −1.2 points"
    assert assemble.headline(variant()) == "size not compared, speed not measured, quality not compared"


def test_the_plan_and_the_report_know_the_same_tasks(finished, tiny):
    config = tiny.load().config
    named = {arm.network for student in STUDENTS for arm in naming.arms(config, student)}
    assert named == {name for name in finished if name.startswith(("distill/", "train/"))}
