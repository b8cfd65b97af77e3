"""A realistic report, and ways to bend it: the fixture every renderer is tested on."""

import math

import pytest
from comparison_parts import comparison_report, comparisons
from forecast_parts import forecast
from report_parts import SPEAKERS, candidate, footprint, latency, paired, parity, wilson
from scenario_parts import scenarios
from seqpress.pipeline.report import model as m
from seqpress.pipeline.report.comparison import ComparisonReport


def quality(value: float, against: dict[str, float], recipe: str) -> m.Quality:
    by_class = {name: round(min(1.0, value + 0.02 * math.cos(3 * i)), 3) for i, name in enumerate(SPEAKERS)}
    pairs = tuple(paired(name, difference, recipe) for name, difference in against.items())
    others = {"macro_f1": round(value - 0.004, 4), "ece": round(0.05 - value / 40, 4)}
    return m.Quality(
        metric="accuracy", split="test", estimate=wilson(value), others=others, by_class=by_class,
        confusion=confusion(value), paired=pairs,
    )  # fmt: skip


def confusion(value: float) -> tuple[tuple[int, ...], ...]:
    """About 41 items a class; what is not right is taken for the next class but one."""
    size = len(SPEAKERS)

    def row(truth: int) -> tuple[int, ...]:
        wrong = round(41 * (1 - value) * (1 + math.sin(truth)))
        return tuple(
            41 - wrong if said == truth else wrong if said == (truth + 2) % size else 0 for said in range(size)
        )

    return tuple(map(row, range(size)))


def tcn_layers(quantized: bool) -> list[tuple[str, str, tuple[int, ...], str]]:
    dtype = "int8" if quantized else "float32"
    first = [("levels.0.first.weight", dtype, (16, 12, 3), "")]
    more = [(f"levels.{i}.{part}.weight", dtype, (16, 16, 3), "") for i in range(3) for part in ("first", "second")][1:]
    why = "a bias: 1 % of the bytes" if quantized else ""
    return [*more, *first, ("head.weight", dtype, (9, 16), ""), ("head.bias", "float32", (9,), why)]


def gru_layers(quantized: bool) -> list[tuple[str, str, tuple[int, ...], str]]:
    dtype = "int8" if quantized else "float32"
    why = "gate biases stay float: they are added in float" if quantized else ""
    return [
        ("cell.recurrent", dtype, (96, 32), ""),
        ("cell.input", dtype, (96, 12), ""),
        ("head.weight", dtype, (9, 32), ""),
        ("cell.bias", "float32", (192,), why),
        ("head.bias", "float32", (9,), why),
    ]


def lstm_layers() -> list[tuple[str, str, tuple[int, ...], str]]:
    sides = ("forward", "backward")
    inner = [(f"layer.1.{side}.input", "float32", (384, 192), "") for side in sides]
    recurrent = [(f"layer.{i}.{side}.recurrent", "float32", (384, 96), "") for i in (0, 1) for side in sides]
    outer = [(f"layer.0.{side}.input", "float32", (384, 12), "") for side in sides]
    return [*inner, *recurrent, *outer, ("head.weight", "float32", (9, 192), "")]


def variant(name: str, asked: str, size_bytes: int, value: float, p50: float, **more: object) -> m.Variant:
    """``asked`` is what the YAML says; ``recipe`` what ``auto`` made of it."""
    recipe = str(more.get("recipe", asked))
    is_teacher, quantized = name == "teacher", recipe != "float32"
    layers = {"teacher": lambda _: lstm_layers(), "tcn-16": tcn_layers, "gru-32": gru_layers}[name](quantized)
    folder, digest = f"artifacts/{name}-{asked}", f"{len(name) * 7:02x}{size_bytes:06x}" * 8
    step = {} if is_teacher else {
        "step_file": f"{folder}/step.onnx", "step_sha256": digest[::-1], "step_size_bytes": size_bytes + 613,
        "bundle_digest": f"b{digest[1:]}",
    }  # fmt: skip
    left = m.LeftInFloat(name="head.bias", size_bytes=1_024, reason="bias of Gemm: added in float32")
    return m.Variant(
        id=f"{name}/{asked}",
        model=name,
        recipe=recipe,
        by="auto" if asked == "auto" else "",
        architecture={
            "teacher": "lstm: 2 layers × 96, bidirectional",
            "tcn-16": "tcn: 3 levels × 16, kernel 3",
            "gru-32": "gru: 1 layer × 32",
        }[name],
        file=f"{folder}/model.onnx",
        sha256=digest,
        **step,
        footprint=footprint(size_bytes, layers, None if is_teacher else 1_245_000),
        quality=quality(value, more.get("against", {}), recipe),
        share_below_float32=0.93 if quantized else None,
        left_in_float=(left,) if recipe == "dynamic-int8" else (),
        latency=latency(p50, None if is_teacher else 620.0, 4.1 if is_teacher else 1.3),
        parity=parity(recipe, streams=not is_teacher),
        ships=bool(more.get("ships", False)),
        scenarios=scenarios(p50) if more.get("ships") else None,
    )


def seed(number: int, test: float, *, selected: bool = False) -> m.SeedResult:
    return m.SeedResult(
        seed=number, validation=round(test + 0.008, 3), test=wilson(test), epochs_run=150, best_epoch=112 + number,
        epoch_ms=41.5, selected=selected,
    )  # fmt: skip


def student(name: str, numbers: dict[str, object]) -> m.Student:
    distilled, control = numbers["distilled"], numbers["control"]
    float_against = {"float32": numbers["int8"] - numbers["float"]}

    def against(value: float) -> dict[str, float]:
        return {"teacher": value - 0.970, "control": value - control[1]}

    return m.Student(
        name=name,
        architecture=numbers["architecture"],
        selected_seed=8,
        headline=numbers["headline"],
        variants=(
            variant(name, "float32", numbers["float_bytes"], numbers["float"], numbers["p50"] * 1.4,
                    against=against(numbers["float"])),
            variant(name, "auto", numbers["bytes"], numbers["int8"], numbers["p50"], ships=True,
                    recipe=numbers["recipe"], against=against(numbers["int8"]) | float_against),
            variant(name, "weight-int8", numbers["bytes"] + 120, numbers["float"], numbers["p50"] * 1.41, ships=True,
                    against=against(numbers["float"]) | {"float32": 0.0}),
        ),
        candidates=CANDIDATES[name],
        distillation=m.Distillation(
            losses=("soft-targets (temperature 3) × 0.7", "hard-labels × 0.3"),
            distilled=tuple(seed(7 + i, v, selected=i == 1) for i, v in enumerate(distilled)),
            control=tuple(seed(7 + i, v) for i, v in enumerate(control)),
            distilled_mean=sum(distilled) / 3, distilled_spread=max(distilled) - min(distilled),
            control_mean=sum(control) / 3, control_spread=max(control) - min(control),
            quantized_means={"auto": sum(distilled) / 3 - 0.001, "weight-int8": sum(distilled) / 3},
            verdict=numbers["verdict"], sentence=numbers["sentence"],
        ),
    )  # fmt: skip


def curve(name: str, arm: str, number: int, top: float, epochs: int = 150) -> m.Curve:
    def epoch(i: int) -> m.Epoch:
        share = 1 - math.exp(-(i + 1) / (epochs / 9))
        noise = math.sin(i * 12.9898 + number * 78.233 + len(arm) * 3) * 0.03 * (1.05 - share)
        slow = 0.006 * math.sin(i / 9 + 2 * number)
        return m.Epoch(
            epoch=i + 1,
            train_loss=round(
                2.2 * math.exp(-7 * i / epochs) * (1 + 3 * noise) + (0.05 if arm == "control" else 0.09), 5
            ),
            validation_loss=round(
                2.2 * math.exp(-6 * i / epochs) + 0.11 + abs(noise) + (0.05 if arm == "control" else 0), 5
            ),
            validation_metric=round(min(1.0, 0.11 + (top - 0.11) * share + noise + slow * share), 5),
        )

    return m.Curve(model=name, arm=arm, seed=number, epochs=tuple(epoch(i) for i in range(epochs)))


def gates() -> tuple[m.Gate, ...]:
    rows = []
    for name, size, drop, p95 in (
        ("tcn-16", "9.52 kB", "+0.2 points", "22.4 µs"),
        ("gru-32", "7.90 kB", "−3.2 points", "18.2 µs"),
    ):
        on = f"{name}/auto"
        interval = "[−4.4, −2.0]" if "−" in drop else "[−1.0, +1.4]"
        rows += [
            m.Gate(name="size", subject=on, limit="32 kB", actual=size, status="pass", level="error"),
            m.Gate(name="latency.cpu.p95", subject=on, limit="1 ms", actual=p95, interval="[17.9 µs, 23.1 µs]",
                   status="pass", level="error"),
            m.Gate(name="quality.drop", subject=on, limit="1 %", actual=drop, interval=interval,
                   status="fail" if "−" in drop else "pass", level="error",
                   detail="paired against the teacher on 370 items" if "−" in drop else ""),
            m.Gate(name="parity", subject=on, limit="1e-4", actual="3.1e-6", status="pass", level="error"),
            m.Gate(name="latency.cuda.p95", subject=on, limit="1 ms", actual="", status="not measured", level="warn",
                   detail="cuda is not available: this build of onnxruntime has no CUDAExecutionProvider"),
        ]  # fmt: skip
    return tuple(rows)


def lineage() -> tuple[m.LineageEntry, ...]:
    made: list[m.LineageEntry] = []

    def add(task: str, inputs: dict[str, str], compute_s: float) -> None:
        key = f"{len(made) * 7919 + 4099:08x}" * 8
        made.append(
            m.LineageEntry(
                task=task, key=key, digest=key[::-1], inputs=inputs, cached=len(made) < 3, compute_s=compute_s
            )
        )

    add("data", {}, 0.81)
    add("teacher", {"data": "data"}, 11.4)
    add("teacher-outputs", {"data": "data", "teacher": "teacher"}, 0.31)
    for name in ("tcn-16", "gru-32"):
        for number in (7, 8, 9):
            add(f"{name}/distilled/{number}", {"data": "data", "outputs": "teacher-outputs"}, 6.2)
            add(f"{name}/control/{number}", {"data": "data"}, 6.0)
        add(f"{name}/export", {"student": f"{name}/distilled/8"}, 1.1)
        add(f"{name}/auto", {"model": f"{name}/export"}, 0.4)
        add(f"{name}/verify", {"float": f"{name}/export", "int8": f"{name}/auto"}, 0.9)
    add("benchmark", {"teacher": "teacher", "tcn-16": "tcn-16/auto", "gru-32": "gru-32/auto"}, 9.3)
    return tuple(made)


def data_facts() -> m.DataFacts:
    def split(name: str, items: int, longest: int) -> m.SplitFacts:
        by_label = {s: items // 9 + (i < items % 9) for i, s in enumerate(SPEAKERS)}
        return m.SplitFacts(
            name=name,
            items=items,
            frames=items * 16,
            length_min=7,
            length_median=15,
            length_max=longest,
            by_label=by_label,
        )

    splits = (split("train", 216, 26), split("validation", 54, 24), split("test", 370, 29))
    features = tuple(f"cepstrum {i}" for i in range(12))
    return m.DataFacts(
        source="sktime JapaneseVowels", digest="5c" * 32, channels=12, features=features, labels=SPEAKERS, splits=splits
    )


TCN: dict[str, object] = {
    "architecture": "tcn: 3 levels × 16, kernel 3", "headline": "131× smaller, 30× faster, +0.2 points",
    "float_bytes": 21_040, "bytes": 9_520, "recipe": "static-int8", "float": 0.9730, "int8": 0.9720, "p50": 21.0,
    "distilled": (0.970, 0.973, 0.9703), "control": (0.946, 0.954, 0.9514), "verdict": "helped",
    "sentence": "Distillation helped: +2.1 points in the mean of 3 seeds, more than the seeds differ among themselves.",
}  # fmt: skip
GRU: dict[str, object] = {
    "architecture": "gru: 1 layer × 32", "headline": "158× smaller, 36× faster, −3.2 points",
    "float_bytes": 20_110, "bytes": 7_904, "recipe": "dynamic-int8", "float": 0.9405, "int8": 0.9378, "p50": 17.0,
    "distilled": (0.930, 0.9405, 0.943), "control": (0.927, 0.938, 0.934), "verdict": "no clear gain",
    "sentence": "No clear gain: +0.5 points in the mean of 3 seeds, less than the seeds differ among themselves.",
}  # fmt: skip

CANDIDATES = {
    "tcn-16": (
        candidate("static-int8", (9_520, 2.21, 1.40, 0.981, 0.083)),
        candidate("dynamic-int8", (9_310, 2.26, 0.71, 0.981, 0.31),
                  "outputs depend on batch neighbours or padding, and budgets.leak forbids it"),
        candidate("weight-int8", (9_640, 2.18, 1.0, 1.0, 0.012),
                  "static-int8 gains more: 2.21× smaller, 1.40× faster against 2.18× smaller, 1.00× faster"),
        candidate("float16", (13_900, 1.51, None, 1.0, 0.0009),
                  "static-int8 gains more: 2.21× smaller, 1.40× faster against 1.51× smaller, speed not measured"),
    ),
    "gru-32": (
        candidate("dynamic-int8", (7_904, 2.54, 1.4, 0.9946, 0.214)),
        candidate("static-int8", None, "calibration sequence 3 must be (T, 12) with T from 1; got shape (0, 12)"),
    ),
}  # fmt: skip

YAML = """\
# compress run pipeline.yaml
name: japanese-vowels
seed: 7
data: {source: sktime, name: JapaneseVowels, validation: {fraction: 0.2, by: class}}
task: classification
teacher: {architecture: lstm, hidden: 96, layers: 2, bidirectional: true, train: {epochs: 40}}
students:
  tcn-16: {architecture: tcn, channels: 16, levels: 3, kernel: 3}
  gru-32: {architecture: gru, hidden: 32}
quantize: [auto, weight-int8]
budgets: {size: 32 kB, latency.cpu.p95: 1 ms, quality.drop: 1 %}
"""


def build() -> m.Report:
    """Two students, one of which breaks a budget; cuda asked for and not there."""
    arms = [
        (n, arm, top)
        for n, d, c in (("tcn-16", 0.98, 0.96), ("gru-32", 0.95, 0.94))
        for arm, top in (("distilled", d), ("control", c))
    ]
    curves = [curve("teacher", "teacher", 7, 0.99, 40)]
    curves += [curve(name, arm, number, top) for name, arm, top in arms for number in (7, 8, 9)]
    missing = "this build of onnxruntime has no CUDAExecutionProvider"
    return m.Report(
        seqpress_version="0.1.0", name="japanese-vowels", task="classification", seed=7, status="fail", exit_code=5,
        sentence="gru-32/auto loses 3.2 points against the teacher; the budget allows 1 %.",
        data=data_facts(),
        baselines=(m.Baseline(name="logistic regression", estimate=wilson(0.927)),),
        teacher=variant("teacher", "float32", 1_245_000, 0.970, 620.0),
        teacher_validation=0.981,
        students=(student("tcn-16", TCN), student("gru-32", GRU)),
        curves=tuple(curves),
        gates=gates(),
        findings=(
            m.Finding(severity="warning", subject="gru-32/auto",
                      text="An output depends on its batch neighbours by up to 0.0041: scales are per batch."),
            m.Finding(severity="info", subject="tcn-16",
                      text="auto kept static-int8, of 4 tried: 2.2× smaller, 1.4× faster, the same label on 98.1 % of "
                      "validation, against float32."),
            m.Finding(severity="info", subject="gru-32", text="Distillation bought no clear gain for this student."),
        ),
        providers=(
            m.ProviderFacts(name="cpu", available=True, reason="every node was assigned to CPUExecutionProvider"),
            m.ProviderFacts(name="cuda", available=False, reason=missing),
        ),
        environment=m.Environment(
            machine={"cpu": "Example CPU 3.0 GHz", "cores": "2", "memory": "7.6 GiB", "kernel": "Linux 6.1"},
            libraries={"torch": "2.13.0", "onnx": "1.21.0", "onnxruntime": "1.24.1", "numpy": "2.3.0"},
            noise={"cpu pressure": "0.4 %", "steal": "0.0 %", "load": "1.1"},
        ),
        lineage=lineage(),
        config_yaml=YAML,
        run=m.RunFacts(number=3, started_at="2025-11-20T22:56:00Z", wall_s=71.4, jobs=2, hits=3, misses=19, damaged=0,
                       parallel_compute_s=81.3, exclusive_compute_s=9.3, overhead_share=None),
        previous=m.Previous(source="releases/1.2", digest="7e" * 32),
        comparisons=comparisons(),
    )  # fmt: skip


@pytest.fixture(scope="session")
def report() -> m.Report:
    return build()


@pytest.fixture(scope="session")
def compared() -> ComparisonReport:
    return comparison_report()


@pytest.fixture(scope="session")
def foreseen() -> m.Report:
    return build_forecast()


def build_forecast() -> m.Report:
    """Another task: what is better is lower, and the teacher left no file."""
    return forecast(build())


@pytest.fixture(scope="session")
def bare() -> m.Report:
    return build_bare()


def build_bare() -> m.Report:
    """Everything that may be missing is missing."""
    full = build()

    def strip(v: m.Variant) -> m.Variant:
        print_ = v.footprint.model_copy(update={"smaller_than_teacher": None, "operators": {}, "tensors": ()})
        nothing = m.Quality(metric="accuracy", split="test", estimate=None, reason="the test split holds NaN")
        return v.model_copy(
            update={
                "footprint": print_, "quality": nothing, "latency": None, "latency_reason": "the worker died",
                "parity": None, "parity_reason": "nothing to compare with", "ships": False,
                "step_file": "", "step_sha256": "", "step_size_bytes": None, "bundle_digest": "", "left_in_float": (),
            }
        )  # fmt: skip

    def strip_student(s: m.Student) -> m.Student:
        seeds = tuple(
            r.model_copy(update={"test": None, "reason": "only the best seed"}) for r in s.distillation.distilled
        )
        none = m.Distillation(
            losses=(), distilled=seeds, control=(), distilled_mean=None, distilled_spread=None, control_mean=None,
            control_spread=None, verdict="no control", sentence="No control was trained: nothing can be said.",
        )  # fmt: skip
        return s.model_copy(
            update={
                "variants": tuple(map(strip, s.variants)),
                "distillation": none,
                "candidates": (),
                "headline": "size only",
            }
        )

    first = strip_student(full.students[0])
    empty = strip_student(full.students[1]).model_copy(update={"variants": ()})
    return full.model_copy(
        update={
            "students": (first, empty), "teacher": strip(full.teacher), "curves": (), "gates": (), "findings": (),
            "baselines": (m.Baseline(name="logistic", estimate=None, reason="scikit-learn is not installed"),),
            "providers": (), "lineage": (), "config_yaml": "", "status": "inconclusive", "exit_code": 0,
            "sentence": "Nothing could be decided.",
            "environment": m.Environment(machine={}, libraries={}, noise={}),
            "previous": m.Previous(source="releases/1.2", digest="", reason="there is nothing at that path"),
            "comparisons": (),
        }
    )  # fmt: skip
