"""The plan: which change of the YAML recomputes what. Keys and states come from a real, finished run."""

import shutil
from collections import Counter

import pytest
from command import SEEDS, TINY
from hypothesis import HealthCheck, given, settings, strategies as st
from seqpress.exporters import runtime
from seqpress.pipeline import job, planning
from seqpress.pipeline.config import load
from seqpress.pipeline.engine.plan import Plan, status
from seqpress.pipeline.engine.store import Store
from seqpress.pipeline.errors import ConfigError, InputRejected

STUDENTS = ("gru-8", "tcn-8")
EVERYTHING = {"miss", "waits"}
MEASURED = [f"scenarios/{student}/dynamic-int8" for student in STUDENTS]


@pytest.fixture(scope="module")
def states(tiny):
    """Task -> state, of the tiny pipeline with ``--set`` texts, in the store of the first run."""
    assert tiny.answer.code == 0, tiny.answer.err

    def ask(*overrides: str, only: tuple[str, ...] = ()) -> dict[str, str]:
        request = job.Request(tiny.load(*overrides), only=only)
        found = status(job.plan(request), Store(tiny.store), pipeline="tiny")
        return {each.task: each.state for each in found}

    return ask


def touched(states: dict[str, str]) -> set[str]:
    return {task for task, state in states.items() if state != "hit"}


def below(tasks: Plan, *names: str) -> set[str]:
    """The tasks and all that hang on them, by a walk of its own."""
    found, size = set(names), 0
    while len(found) > size:
        size = len(found)
        found |= {name for name, task in tasks.tasks.items() if found & set(task.inputs.values())}
    return found


def test_after_a_run_everything_is_there(states):
    assert set(states().values()) == {"hit"}


def test_the_graph_is_the_one_that_was_asked_for(tiny):
    tasks = job.plan(job.Request(tiny.load())).tasks
    kinds = Counter(name.partition("/")[0] for name in tasks)
    trainings = len(STUDENTS) * len(SEEDS)
    expected = {
        "data": 1,
        "baseline": 1,
        "teacher": 1,
        "teacher-outputs": 1,
        "distill": trainings,
        "train": trainings,
        "export": 1 + 2 * trainings,
        "quantize": trainings,
        "evaluate": 1 + 3 * trainings,
        "verify": 1 + len(STUDENTS),
        "benchmark": 1,
        "scenarios": len(STUDENTS),
    }
    assert {kind: kinds[kind] for kind in expected} == expected
    assert [name for name, task in tasks.items() if task.exclusive] == ["benchmark", *MEASURED]


def test_controls_never_see_the_teacher(tiny):
    tasks = job.plan(job.Request(tiny.load()))
    assert not [name for name in below(tasks, "teacher") if name.startswith("train/")]


def test_distilled_and_control_differ_in_losses_and_inputs_alone(tiny):
    tasks = job.plan(job.Request(tiny.load())).tasks
    for student in STUDENTS:
        for seed in SEEDS:
            distilled = tasks[f"distill/{student}/distilled/seed-{seed}"]
            control = tasks[f"train/{student}/control/seed-{seed}"]
            assert control.options == {**distilled.options, "losses": []}
            assert dict(distilled.inputs) == {**control.inputs, "outputs": "teacher-outputs"}


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ("distill.losses[0].temperature=4", [f"distill/{s}/distilled/seed-{n}" for s in STUDENTS for n in SEEDS]),
        ("distill.losses[1].weight=0.5", [f"distill/{s}/distilled/seed-{n}" for s in STUDENTS for n in SEEDS]),
        ("teacher.train.epochs=5", ["teacher"]),
        ("teacher.hidden=20", ["teacher"]),
        ("data.validation.fraction=0.3", ["data"]),
        ("benchmark.samples=100", ["benchmark", *MEASURED]),
        ("benchmark.batch=[1]", ["benchmark", *MEASURED]),
        ("benchmark.threads=2", ["benchmark", *MEASURED]),
        ("benchmark.lengths=[10]", ["benchmark"]),
        ("benchmark.scenarios=[step]", MEASURED),
        (
            "students.gru-8.hidden=12",
            [f"{kind}/seed-{n}" for kind in ("distill/gru-8/distilled", "train/gru-8/control") for n in SEEDS],
        ),
        (
            "distill.train.learning_rate=0.01",
            [
                f"{kind}/seed-{n}"
                for s in STUDENTS
                for kind in (f"distill/{s}/distilled", f"train/{s}/control")
                for n in SEEDS
            ],
        ),
    ],
)
def test_a_change_makes_these_stale_and_what_hangs_on_them(change, changed, states, tiny):
    """What a change touches, told twice: by keys from the store, and by a walk over the graph."""
    tasks = job.plan(job.Request(tiny.load(change)))
    found = states(change)
    assert {name for name in changed if found[name] == "miss"} == set(changed)
    assert touched(found) == below(tasks, *changed)


def test_temperature_leaves_teacher_data_and_controls(states):
    found = states("distill.losses[0].temperature=4")
    kept = {task for task, state in found.items() if state == "hit"}
    assert {"data", "baseline", "teacher", "teacher-outputs", "export/teacher", "verify/teacher"} <= kept
    assert {f"train/{s}/control/seed-{n}" for s in STUDENTS for n in SEEDS} <= kept
    assert {f"evaluate/{s}/control/seed-{n}/float32" for s in STUDENTS for n in SEEDS} <= kept
    assert not [task for task in kept if "distilled" in task]


def test_another_teacher_leaves_the_controls(states):
    kept = {task for task, state in states("teacher.train.epochs=5").items() if state == "hit"}
    controls = {task for task in states() if "control" in task}
    assert kept == {"data", "baseline", *controls}


def test_one_more_seed_trains_one_more(states):
    found = states("distill.seeds=3")
    trained = {task for task in touched(found) if task.startswith(("distill/", "train/"))}
    assert trained == {f"{k}/seed-5" for s in STUDENTS for k in (f"distill/{s}/distilled", f"train/{s}/control")}


def test_another_student_leaves_the_others(states):
    found = states("students.gru-4={architecture: gru, hidden: 4}")
    assert touched(found) == {task for task in found if "gru-4" in task} | {"benchmark"}


def test_without_controls_nothing_is_computed(states):
    assert touched(states("distill.control=false")) == set()


def test_without_a_recipe_only_what_named_it_is_computed(states):
    found = states("quantize=[]")
    kept = {"data", "baseline", "teacher", "teacher-outputs", "distill", "train", "export", "evaluate"}
    assert {"verify", "benchmark"} <= {task.partition("/")[0] for task in touched(found)}
    assert not [task for task in touched(found) if task.partition("/")[0] in kept]
    assert not [task for task in found if "int8" in task]


def test_only_keeps_one_student(states):
    found = states(only=("gru-8",))
    assert not [task for task in found if "tcn-8" in task]
    assert touched(found) == {"benchmark"}, "it times fewer contenders"


def test_only_must_name_students(tiny):
    request = job.Request(tiny.load(), only=("gru-8", "gru-9", "lstm"))
    with pytest.raises(ConfigError) as caught:
        request.config()
    assert [str(fault) for fault in caught.value.faults] == [
        "--only must name a student: gru-8, tcn-8; got 'gru-9'",
        "--only must name a student: gru-8, tcn-8; got 'lstm'",
    ]


HARMLESS = [
    "budgets={}",
    "budgets.size=9 kB",
    "budgets.latency.cpu.p95=1 ms",
    "budgets={quality.drop: {limit: 3 %, level: off}}",
    "budgets.step.cpu.p95=1 ms",
    "budgets.memory.peak=100 MB",
    "report.formats=[json]",
    "report.formats=[html, junit]",
    "compute.jobs=1",
    "distill.control=true",
    "teacher.layers=1",  # the default, written out
]


def test_a_last_release_adds_one_task(tiny, states):
    baseline = f"regression.baseline={tiny.run}"
    assert touched(states(baseline)) == {"regress"}
    tasks = job.plan(job.Request(tiny.load(baseline))).tasks
    assert tasks["regress"].exclusive
    assert set(tasks["regress"].options["artifacts"]) == {f"{student}/dynamic-int8" for student in STUDENTS}
    assert "regress" not in states(f"regression.baseline={tiny.run}/nothing"), "there is nothing to compare with"


def test_what_lies_at_the_baseline_is_part_of_the_key(tiny, tmp_path):
    copied = tmp_path / "last"
    shutil.copytree(tiny.run, copied)

    def digest():
        return job.plan(job.Request(tiny.load(f"regression.baseline={copied}"))).tasks["regress"].options["digest"]

    before = digest()
    (copied / "report.html").write_text("another page of the same run")
    assert digest() == before
    (copied / "artifacts" / "gru-8-dynamic-int8" / "model.onnx").write_bytes(b"another model")
    assert digest() != before


def test_another_name_goes_into_the_bundles_alone(states):
    assert {task.partition("/")[0] for task in touched(states("name=another-name"))} <= {"bundle"}


@given(changes=st.lists(st.sampled_from(HARMLESS), unique=True, max_size=4))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_computes_nothing_recomputes_nothing(states, changes):
    assert touched(states(*changes)) == set()


@given(
    comments=st.lists(st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=20), min_size=2, max_size=4),
    places=st.randoms(use_true_random=False),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_comments_change_no_key(tiny, tmp_path_factory, comments, places):
    lines = TINY.splitlines()
    for comment in comments:
        lines.insert(places.randrange(len(lines)), f"# {comment}")
    file = tmp_path_factory.mktemp("edited") / "pipeline.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    found = status(job.plan(job.Request(load(file))), Store(tiny.store), pipeline="tiny")
    assert {each.state for each in found} == {"hit"}


def test_the_order_of_keys_changes_no_key(tiny, tmp_path):
    first, second = (
        "  gru-8: {architecture: gru, hidden: 8}\n",
        "  tcn-8: {architecture: tcn, channels: 8, levels: 2}\n",
    )
    assert first + second in TINY
    swapped = TINY.replace(first + second, "  tcn-8: {levels: 2, channels: 8, architecture: tcn}\n" + first)
    (tmp_path / "pipeline.yaml").write_text(swapped, encoding="utf-8")
    request = job.Request(load(tmp_path / "pipeline.yaml"))
    assert list(request.config().students) == ["tcn-8", "gru-8"]
    found = status(job.plan(request), Store(tiny.store), pipeline="tiny")
    assert {each.state for each in found} == {"hit"}


@pytest.mark.parametrize("change", ["seed=4", "compute.threads=2", "compute.precision=bf16-mixed"])
def test_what_changes_numbers_reaches_every_training(change, states):
    found = states(change)
    assert {found[task] for task in found if task.startswith(("distill/", "train/", "teacher"))} <= EVERYTHING


def test_another_machine_times_again_and_trains_nothing(tiny, states, monkeypatch):
    real = planning.machine.fingerprint()
    monkeypatch.setattr(planning.machine, "fingerprint", lambda: real | {"cpu": "another one"})
    assert touched(states()) == {"benchmark", *MEASURED}
    monkeypatch.setattr(planning.machine, "fingerprint", lambda: real | {"instruction sets": "fewer"})
    assert "teacher" in touched(states())


def test_weights_are_known_by_their_content(tiny, tmp_path):
    (tmp_path / "pipeline.yaml").write_text(TINY.replace("train: {epochs: 3}", "weights: w.st"), encoding="utf-8")
    (tmp_path / "w.st").write_bytes(b"one")

    def digest():
        return job.plan(job.Request(load(tmp_path / "pipeline.yaml"))).tasks["teacher"].options["weights_sha256"]

    before = digest()
    (tmp_path / "w.st").write_bytes(b"two")
    assert digest() != before
    (tmp_path / "w.st").unlink()
    with pytest.raises((ConfigError, InputRejected), match=r"w\.st"):
        digest()


def test_another_build_of_onnxruntime_is_another_library(states, monkeypatch):
    """onnxruntime-gpu 1.31 and onnxruntime 1.31 share a version and not their answers."""
    assert (*runtime.distributions(), "numpy") == planning._RUNTIME
    monkeypatch.setattr(planning, "_RUNTIME", ("pydantic", "numpy"))  # an installed one that computes nothing here
    moved = touched(states())
    assert {"benchmark", "evaluate/teacher/float32", "verify/teacher"} <= moved
    assert not any(task.startswith(("data", "teacher", "distill/", "train/", "best/")) for task in moved)


@pytest.mark.parametrize(
    ("overrides", "claim"),
    [
        ((), 95.0),
        (("budgets={latency.cpu.p50: 1 s}",), 95.0),
        (("budgets={latency.cpu.p99: 1 s}",), 99.0),
        (("budgets={latency.cpu.p99: {limit: 1 s, level: off}}",), 95.0),
    ],
)
def test_samples_support_the_highest_percentile_that_a_budget_judges(tiny, overrides, claim):
    options = job.plan(job.Request(tiny.load(*overrides))).tasks["benchmark"].options
    assert (options["claim"], options["fallback"]) == (claim, "error")
