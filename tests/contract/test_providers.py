"""The promises of ``benchmarks.providers.contract``, read off every file of the shelf."""

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import onnxruntime as ort
import pytest
from seqpress.benchmarks import providers
from seqpress.benchmarks.providers.contract import THREADS, Provider
from seqpress.benchmarks.providers.registry import NAMES, PROVIDERS, provider

FOLDER = Path(providers.__file__).parent
MACHINERY = {"__init__", "assignment", "contract", "errors", "probe", "profiling", "registry", "sessions"}
SHELF = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in MACHINERY)
# onnxruntime names a provider here only while some version builds it; this one left with 1.23.
RETIRED = {"ROCMExecutionProvider"}

every_file = pytest.mark.parametrize("stem", SHELF)


def on_shelf(stem) -> Provider:
    return import_module(f"{providers.__name__}.{stem}").PROVIDER


def test_the_registry_is_the_shelf():
    assert sorted(NAMES) == SHELF
    assert NAMES[0] == "cpu"


@every_file
def test_a_file_is_named_after_its_provider_and_says_all_that_a_reader_needs(stem):
    one = on_shelf(stem)
    assert one.name == stem
    assert PROVIDERS[stem] is one is provider(one.execution_provider)
    assert one.runs_on
    assert one.how_to_get
    assert one.needs
    assert all(name.startswith("onnxruntime") for name in one.needs)
    assert not any(text.endswith(".") for text in (one.runs_on, one.how_to_get, one.to_know))


@every_file
def test_onnxruntime_knows_its_name(stem):
    assert on_shelf(stem).execution_provider in {*ort.get_all_providers(), *RETIRED}


@every_file
def test_a_file_holds_data_and_imports_nothing_but_the_contract(stem):
    tree = ast.parse((FOLDER / f"{stem}.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"contract"}
    assert not any(isinstance(node, ast.Import | ast.FunctionDef | ast.ClassDef) for node in ast.walk(tree))


@every_file
def test_options_are_text_and_carry_the_threads(stem):
    one = on_shelf(stem)
    options = one.options(3)
    assert all(isinstance(text, str) for pair in options.items() for text in pair)
    assert THREADS not in "".join(options.values())
    # who computes on the host with threads of its own must be told how many
    hosted = one.own_threads
    assert any("3" in value for value in options.values()) == hosted
    assert all(name in NAMES for name in one.behind)


@every_file
def test_memory_of_its_own_is_where_buffers_are_asked_for(stem):
    one = on_shelf(stem)
    assert one.own_memory == (one.device != "cpu")
    assert one.vendor == -1 or one.device in ("gpu", "npu")


@every_file
def test_here_or_not_it_answers_with_a_reason(stem):
    found = providers.availability(stem)
    assert found.available == (found.reason == "")
    if found.available:
        return
    one = on_shelf(stem)
    assert one.how_to_get in found.reason or "takes no work here" in found.reason


def test_openvino_is_configured_by_json():
    assert json.loads(on_shelf("openvino").options(2)["load_config"])["CPU"]["INFERENCE_NUM_THREADS"] == "2"


def test_reading_the_shelf_imports_no_onnxruntime_and_no_numpy():
    code = (
        "import sys; from seqpress.benchmarks.providers.registry import NAMES; assert 'webgpu' in NAMES; "
        "print(sorted({'onnxruntime', 'numpy', 'onnx'} & set(sys.modules)))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"


@every_file
def test_the_documents_say_what_the_shelf_says(stem):
    one = on_shelf(stem)
    text = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
    place = "on the device" if one.own_memory else "in host memory"
    facts = [f"`{one.name}`", f"`{one.execution_provider}`", one.runs_on, one.how_to_get, place]
    assert f"| {' | '.join(facts)} |" in text
    settings = text[text.index("## How each is set") :]
    (row,) = [line for line in settings.splitlines() if line.startswith(f"| `{one.name}` |")]
    assert row.endswith(f"| {one.to_know or '–'} |")
    for key, value in (*one.provider_options.items(), *one.session_entries.items()):
        assert f"`{key}={value}`" in row
