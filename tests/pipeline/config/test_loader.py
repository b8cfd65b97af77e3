"""``load``: what comes out of a good file, overrides, positions, and all faults in the order of the file."""

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError
from seqpress.pipeline.config import Loaded, PipelineConfig, load
from seqpress.pipeline.config.architecture import TeacherTransformer
from seqpress.pipeline.errors import ConfigError, EnvironmentFault

ROOT = Path(__file__).parents[3]
MINIMAL = """\
name: small
data: {source: sktime, name: JapaneseVowels}
teacher: {architecture: lstm}
students: {gru: {architecture: gru}}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "p.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def set_(*overrides: str) -> PipelineConfig:
    return load(ROOT / "pipeline.yaml", overrides).config


def test_the_file_at_the_root() -> None:
    config = load(ROOT / "pipeline.yaml").config
    assert (config.name, config.seed, config.task.kind) == ("japanese-vowels", 7, "classification")
    assert config.teacher.parameters_kwargs() == {
        "hidden": 96, "layers": 2, "bidirectional": True, "dropout": 0.3, "pooling": "last",
    }  # fmt: skip
    assert (config.teacher.train.epochs, config.teacher.weights) == (40, None)
    assert config.students["tcn-16"].parameters_kwargs() == {
        "channels": 16, "levels": 3, "kernel": 3, "dropout": 0.0, "pooling": None,
    }  # fmt: skip
    assert [loss.model_dump() for loss in config.distill.losses] == [
        {"kind": "soft-targets", "temperature": 3, "weight": 0.7},
        {"kind": "hard-labels", "weight": 0.3},
    ]
    assert (config.distill.seeds, config.distill.control, config.distill.train.epochs) == (3, True, 150)
    assert [(p.name, p.required) for p in config.benchmark.providers] == [("cpu", False), ("cuda", False)]
    budgets = {b.name: (b.metric, b.provider, b.percentile, b.bound, b.limit, b.text) for b in config.budgets.all()}
    assert budgets == {
        "size": ("size", None, None, "max", 32_000, "32 kB"),
        "latency.cpu.p95": ("latency", "cpu", 95, "max", 1000.0, "1 ms"),
        "quality.drop": ("quality.drop", None, None, "max", 0.01, "1 %"),
    }


def test_what_a_minimal_file_leaves_out_is_what_the_design_says(tmp_path: Path) -> None:
    config = load(write(tmp_path, MINIMAL)).config
    assert (config.seed, config.quantize, config.export.opset) == (0, ("auto",), 20)
    assert [loss.weight for loss in config.distill.losses] == [0.7, 0.3]
    assert config.budgets.all() == ()
    assert config.report.formats == ("html", "markdown", "json", "junit")
    assert (config.benchmark.batch, config.benchmark.lengths) == ((1, 16), "auto")


def test_two_ways_to_write_the_same_are_the_same(tmp_path: Path) -> None:
    short = MINIMAL + "budgets: {size: 9 kB}\nbenchmark: {providers: [cpu]}\n"
    long = MINIMAL + "budgets: {size: {limit: 9 kB, level: error}}\nbenchmark: {providers: [{name: cpu}]}\n"
    assert load(write(tmp_path, short)).config == load(write(tmp_path, long)).config


def test_configuration_cannot_be_changed() -> None:
    config = load(ROOT / "pipeline.yaml").config
    with pytest.raises(ValidationError):
        config.seed = 8  # type: ignore[misc]


def test_configuration_crosses_processes_and_json() -> None:
    config = load(ROOT / "pipeline.yaml").config
    assert pickle.loads(pickle.dumps(config)) == config
    assert PipelineConfig.model_validate_json(config.model_dump_json(by_alias=True)) == config


@pytest.mark.parametrize(
    ("override", "get", "value"),
    [
        ("distill.losses[0].temperature=4", lambda c: c.distill.losses[0].temperature, 4),
        ("distill.train.learning_rate=1e-3", lambda c: c.distill.train.learning_rate, 0.001),
        ("students.tcn-16.channels=24", lambda c: c.students["tcn-16"].channels, 24),
        ("students.new={architecture: gru, hidden: 8}", lambda c: c.students["new"].hidden, 8),
        ("budgets.latency.cpu.p95=2 ms", lambda c: c.budgets.latency_cpu_p95.limit, "2 ms"),
        ("budgets.latency.cpu.p50=2 ms", lambda c: c.budgets.latency_cpu_p50.limit, "2 ms"),
        ("compute.jobs=1", lambda c: c.compute.jobs, 1),
        ("benchmark.batch=[4, 8]", lambda c: c.benchmark.batch, (4, 8)),
        ("benchmark.batch[1]=8", lambda c: c.benchmark.batch, (1, 8)),
        ("name=no", lambda c: c.name, "no"),
        ("teacher.train.patience=null", lambda c: c.teacher.train.patience, None),
        ("quantize=[]", lambda c: c.quantize, ()),
    ],
)
def test_set_changes_one_value(override: str, get, value: object) -> None:
    assert get(set_(override)) == value


def test_the_last_set_wins() -> None:
    assert set_("seed=1", "seed=2").seed == 2


def test_where_points_at_the_line(tmp_path: Path) -> None:
    text = MINIMAL + "distill:\n  losses:\n    - {kind: soft-targets, temperature: 2}\n  train:\n    epochs: 3\n"
    loaded = load(write(tmp_path, text), ["seed=4", "compute.jobs=2"])
    name = str(tmp_path / "p.yaml")
    assert loaded.where("name") == f"{name}:1:7  name"
    assert loaded.where("students.gru.hidden") == f"{name}:4:17  students.gru.hidden"
    assert loaded.where("distill.losses[0].temperature") == f"{name}:7:41  distill.losses[0].temperature"
    assert loaded.where("distill.train.epochs") == f"{name}:9:13  distill.train.epochs"
    assert loaded.where("distill.train.warmup") == f"{name}:8:3  distill.train.warmup"
    assert loaded.where("seed") == "--set seed=4  seed"
    assert loaded.where("compute.jobs") == "--set compute.jobs=2  compute.jobs"
    assert loaded.where("") == f"{name}:1:1  "
    assert isinstance(loaded, Loaded)
    assert (loaded.text, loaded.folder) == (text, tmp_path)


def test_faults_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "zz: 1\n" + MINIMAL.replace("lstm", "lsmt") + "seed: x\nseed: 1\ndistill: {seeds: 0}\nquantize: [a, a]\n"
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    places = [tuple(map(int, fault.where.split("  ")[0].split(":")[1:])) for fault in caught.value.faults]
    assert places == sorted(places)
    codes = {fault.code for fault in caught.value.faults}
    assert codes == {
        "config.unknown-key", "config.choice", "config.type", "config.duplicate-key", "config.range",
        "config.duplicate-value",
    }  # fmt: skip


def test_a_file_in_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, MINIMAL)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(EnvironmentFault, match="cannot be read: Permission denied"):
        load(path)


@pytest.mark.parametrize("path", ["gone.yaml", ".", "a\0b", "gone/p.yaml"])
def test_no_file(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [fault.code for fault in caught.value.faults] == ["config.missing-file"]


def test_the_classes_alone_keep_the_rules() -> None:
    """Configurations made in Python, without a file, meet the same checks."""
    good = load(ROOT / "pipeline.yaml").config
    plain = good.model_dump(by_alias=True)
    for change in (
        {"benchmark": {"providers": ({"name": "cpu"},)}, "budgets": {"latency.cuda.p95": "1 ms"}},
        {"benchmark": {"providers": ("cpu", "cpu")}},
        {"quantize": ("dynamic-int8", "dynamic-int8")},
        {"students": {"a": {"architecture": "gru"}, "A": {"architecture": "gru"}}},
    ):
        with pytest.raises(ValidationError):
            PipelineConfig.model_validate({**plain, **change})
    with pytest.raises(ValidationError):
        TeacherTransformer(architecture="transformer", width=10, heads=4)
