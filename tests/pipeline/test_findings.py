"""Findings: what a reader must know though no gate failed on it, and silence where there is nothing to say."""

import pytest
from measured import cell, estimate, footprint, latency, leak, percentile, quality, student, variant
from seqpress.pipeline import findings
from seqpress.pipeline.report import model as m

TEACHER = variant("teacher/float32", footprint=footprint(50_000, 10_000, 0.0))
BASELINE = m.Baseline(name="a cheap model", estimate=estimate(0.5, 0.4, 0.6))
WHOLE = variant("gru-8/float32", footprint=footprint(9_000))
INT8 = variant("gru-8/dynamic-int8", footprint=footprint(4_000))


def texts(found):
    return [(each.severity, each.subject, each.text) for each in found]


def test_nothing_to_say():
    good = student(WHOLE, INT8)
    assert list(findings.of_students(TEACHER, [good], [BASELINE])) == []
    assert list(findings.of_recipes([good], {})) == []


def test_a_network_that_a_cheap_model_beats():
    even = variant("gru-8/float32", quality=quality(estimate(0.5, 0.4, 0.6)))
    above = variant("gru-8/dynamic-int8", quality=quality(estimate(0.51, 0.4, 0.6)))
    found = texts(findings.of_students(TEACHER, [student(even, above)], [BASELINE]))
    text = "It does not beat the cheap baseline (a cheap model): 50.0 % against 50.0 %."
    assert found == [("warning", "gru-8/float32", text)]


def test_the_teacher_is_held_to_the_baseline_too():
    weak = TEACHER.model_copy(update={"quality": quality(estimate(0.3, 0.2, 0.4))})
    assert [f.subject for f in findings.of_students(weak, [student(WHOLE)], [BASELINE])] == ["teacher/float32"]


def of_errors(value: float) -> m.Quality:
    return m.Quality(metric="mse", better="lower", unit="", split="test", estimate=estimate(value, value, value))


def test_lower_may_be_better_and_the_best_baseline_counts():
    baselines = [
        m.Baseline(name=n, estimate=estimate(v, v, v)) for n, v in (("last", 1.2), ("map", 0.4), ("none", 0.9))
    ]
    good, bad = (WHOLE.model_copy(update={"quality": of_errors(value)}) for value in (0.3, 0.5))
    assert list(findings.of_students(None, [student(good)], baselines)) == []
    assert texts(findings.of_students(None, [student(bad)], baselines)) == [
        ("warning", "gru-8/float32", "It does not beat the cheap baseline (map): 0.5000 against 0.4000.")
    ]


def test_without_numbers_nobody_is_beaten():
    unmeasured = variant("gru-8/float32", quality=quality(reason="NaN"))
    nothing = m.Baseline(name="a cheap model", estimate=None, reason="no scikit-learn")
    assert list(findings.of_students(TEACHER, [student(unmeasured)], [BASELINE])) == []
    assert list(findings.of_students(TEACHER, [student(WHOLE)], [nothing])) == []


@pytest.mark.parametrize(
    ("verdict", "severity"),
    [("helped", None), ("no clear gain", "warning"), ("hurt", "warning"), ("no control", "info")],
)
def test_distillation_that_bought_nothing(verdict, severity):
    found = texts(findings.of_students(TEACHER, [student(WHOLE, verdict=verdict, sentence="So it was.")], [BASELINE]))
    assert found == ([(severity, "gru-8", "So it was.")] if severity else [])


@pytest.mark.parametrize(("parameters", "told"), [(9_999, False), (10_000, True), (20_000, True)])
def test_a_student_that_is_not_smaller_than_its_teacher(parameters, told):
    large = variant("gru-8/float32", footprint=footprint(parameters=parameters))
    found = texts(findings.of_students(TEACHER, [student(large)], [BASELINE]))
    text = f"The student is not smaller than its teacher: {parameters:,} of 10,000 parameters."
    assert found == ([("warning", "gru-8", text)] if told else [])


def test_a_leak_is_told_with_its_probe():
    parity = m.Parity(gaps=(), leaks=(leak(), leak("padding", leaks=False), leak("later frames")))
    found = texts(findings.of_recipes([student(WHOLE, INT8.model_copy(update={"parity": parity}))], {}))
    assert [subject for _, subject, _ in found] == [INT8.id] * 2
    assert "depend on batch neighbours: an output moved by 0.1" in found[0][2]
    assert "depend on later frames" in found[1][2]


def test_only_a_dynamic_recipe_may_leak_by_nature():
    parity = m.Parity(gaps=(), leaks=(leak(),))
    fixed = INT8.model_copy(update={"parity": parity, "recipe": "static-int8"})
    nature = "Dynamic activation scales do this by nature."
    (dynamic,) = texts(findings.of_recipes([student(WHOLE, INT8.model_copy(update={"parity": parity}))], {}))
    (static,) = texts(findings.of_recipes([student(WHOLE, fixed)], {}))
    assert nature in dynamic[2]
    assert nature not in static[2]


def candidate(recipe, lost="", **numbers):
    measured = {"size_bytes": 4_000, "smaller": 2.5, "faster": 1.4, "agreement": 0.996, "logit_error": 0.1}
    return m.Candidate(recipe=recipe, leaks=False, lost=lost, **(measured | numbers))


@pytest.mark.parametrize(
    ("numbers", "gains"),
    [
        ({}, "2.5× smaller, 1.4× faster, the same label on 99.6 % of training and validation"),
        ({"faster": None}, "2.5× smaller, speed not measured, the same label on 99.6 % of training and validation"),
        (
            {"faster": 0.5, "agreement": 1.0},
            "2.5× smaller, 2.0× slower, the same label on 100.0 % of training and validation",
        ),
    ],
)
def test_what_auto_kept_is_told_with_its_gain(numbers, gains):
    tried = (candidate("float16", "static-int8 gains more"), candidate("static-int8", **numbers))
    chosen = student(WHOLE, INT8).model_copy(update={"candidates": tried})
    assert texts(findings.of_choices([chosen])) == [
        ("info", "gru-8", f"auto kept static-int8, of 2 tried: {gains}, against float32.")
    ]


def test_without_auto_nothing_was_kept():
    assert list(findings.of_choices([student(WHOLE, INT8)])) == []


def test_what_a_recipe_did_is_told():
    found = texts(findings.of_recipes([student(WHOLE, INT8)], {INT8.id: ["GRU: 3 weights int8", "output kept"]}))
    assert found == [("info", INT8.id, "GRU: 3 weights int8; output kept.")]


def test_a_recipe_that_made_the_file_no_smaller():
    same = INT8.model_copy(update={"footprint": footprint(9_000)})
    assert texts(findings.of_recipes([student(WHOLE, same)], {})) == [
        ("warning", INT8.id, "The recipe made the file no smaller.")
    ]


def clocked(base, *medians):
    cells = [cell(percentile(50, v, v - 1, v + 1), percentile(95, 9e9), length=n) for n, v in enumerate(medians, 1)]
    return base.model_copy(update={"latency": latency(*cells)})


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ((100.0, 100.0), None),
        ((105.0, 100.0), None),  # intervals 104 and 101, but not by 3 % of it
        ((110.0, 100.0), "1 of 2"),
        ((110.0, 110.0), "2 of 2"),
        ((50.0, 50.0), None),
    ],
)
def test_a_recipe_that_made_the_model_slower(after, told):
    found = texts(findings.of_recipes([student(clocked(WHOLE, 100.0, 100.0), clocked(INT8, *after))], {}))
    assert found == ([("warning", INT8.id, f"Slower than its float32 form in {told} timings.")] if told else [])


def test_one_slow_timing_of_three_is_not_slower():
    slow = student(clocked(WHOLE, 100.0, 100.0, 100.0), clocked(INT8, 200.0, 100.0, 100.0))
    assert list(findings.of_recipes([slow], {})) == []


def measuring(**changes):
    timed = {
        "providers": [{"name": "cpu", "available": True, "reason": "its nodes ran there"}],
        "unmeasured": [],
        "latency": {"teacher/float32": {"cells": [{"noisy": False}, {"noisy": False}]}},
    }
    return texts(findings.of_measuring(timed | changes))


def test_a_quiet_benchmark_is_not_mentioned():
    assert measuring() == []


def test_an_absent_provider_is_told_with_its_reason():
    absent = [{"name": "cuda", "available": False, "reason": "this onnxruntime was built without it"}]
    text = "Not available, so nothing was measured on it: this onnxruntime was built without it"
    assert measuring(providers=absent) == [("info", "cuda", text)]


def test_a_provider_that_fell_back_is_warned_about():
    back = [{"name": "cuda", "available": True, "fell_back": True, "reason": "0 of 6 nodes of 1 model ran there"}]
    text = "Not all of the work ran there: 0 of 6 nodes of 1 model ran there."
    assert measuring(providers=back) == [("warning", "cuda", text)]
    assert measuring(providers=[{**back[0], "fell_back": False}]) == []


def test_a_provider_that_computes_something_else_is_warned_about():
    wrong = [{"name": "openvino", "available": True, "answers_differ": True, "reason": "differs by 0.4"}]
    ((severity, subject, text),) = measuring(providers=wrong)
    assert (severity, subject) == ("warning", "openvino")
    assert text.startswith("It computes something else than the CPU")


def test_noise_is_counted():
    cells = {"a": {"cells": [{"noisy": True}, {"noisy": False}]}, "b": {"cells": [{"noisy": True}]}}
    ((severity, subject, text),) = measuring(latency=cells)
    assert (severity, subject) == ("warning", "benchmark")
    assert text.startswith("2 of 3 timings were noisy")


def test_a_contender_without_numbers():
    missed = [{"contender": "gru-8/float32", "provider": "cuda", "kind": "fell back", "reason": "2 nodes ran on cpu"}]
    text = "No timing on cuda (fell back): 2 nodes ran on cpu"
    assert measuring(unmeasured=missed) == [("warning", "gru-8/float32", text)]


@pytest.mark.parametrize("damaged", [0, 2])
def test_repaired_damage(damaged, tiny):
    run = m.RunFacts.model_validate(tiny.report["run"] | {"damaged": damaged})
    found = texts(findings.of_run(run))
    assert bool(found) == bool(damaged)
    assert all("2 damaged objects" in text for _, _, text in found)


def test_versions_are_those_installed():
    import numpy

    assert findings.libraries()["numpy"] == numpy.__version__
