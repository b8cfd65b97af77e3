"""The README is run: its commands, its snippet, its promises about files."""

import re
import shlex
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
from command import compress
from seqpress.pipeline.data.load import load_source

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line.removeprefix("$ compress "), comments=True)
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ compress ")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A user's folder with data of their own, in the layout that the README leads to."""
    place = tmp_path_factory.mktemp("own data")
    holdout = {"fraction": 0.2, "by": "class"}
    source = {"source": "sktime", "name": "JapaneseVowels", "validation": holdout, "test": None}
    data = load_source(source, place, 0)
    test = np.r_[np.zeros(len(data.train), bool), np.ones(len(data.test), bool)]
    lengths = np.r_[data.train.lengths, data.test.lengths]
    np.savez(
        place / "speech.npz",
        values=np.concatenate([data.train.packed()[0], data.test.packed()[0]]),
        offsets=np.r_[0, np.cumsum(lengths)],
        labels=np.r_[data.train.labels, data.test.labels],
        is_test=test,
    )
    return place


def test_the_readme_has_commands():
    assert ["init", "--source", "npz", "--path", "speech.npz", "--students", "gru,tcn"] in COMMANDS


OWN = [command for command in COMMANDS if not any("runs/" in argument for argument in command)]
FINISHED = [command for command in COMMANDS if command not in OWN]


@pytest.mark.parametrize("command", [c for c in OWN if c[0] != "run"], ids=" ".join)
def test_command_works_as_written(command, folder):
    if command[0] != "init" and not (folder / "pipeline.yaml").exists():
        compress("init", "--source", "npz", "--path", "speech.npz", "--students", "gru,tcn", folder=folder)
    answer = compress(*command, folder=folder)
    assert answer.code == 0, answer.err
    assert answer.out


@pytest.mark.parametrize("command", FINISHED, ids=" ".join)
def test_command_on_finished_runs_works_as_written(command, tiny):
    # the same on the runs that the tests share
    names = {
        "japanese-vowels/latest": f"tiny/{tiny.run.name}",
        "japanese-vowels": "tiny",
        "gru-32-auto": "gru-8-dynamic-int8",
    }
    ours = [reduce(lambda text, name: text.replace(name, names[name]), names, argument) for argument in command]
    answer = compress(*ours, folder=tiny.folder, store=tiny.store)
    assert answer.code == 0, answer.err
    assert answer.out


@pytest.mark.parametrize("command", [c for c in OWN if c[0] == "run"], ids=" ".join)
def test_run_commands_are_understood(command, folder, tiny):
    # the run itself is what CI does with the root pipeline; here its options, on a run that is in the store
    arguments = [argument for argument in command if argument != "pipeline.yaml"]
    answer = compress(*arguments, str(tiny.folder / "pipeline.yaml"), folder=tiny.folder, store=tiny.store)
    assert answer.code == 0, answer.err


def test_the_snippet_runs_on_an_artifact(tiny):
    snippet = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    path = "runs/japanese-vowels/latest/artifacts/tcn-16-auto/model.onnx"
    assert path in snippet
    shipped = tiny.run / "artifacts" / "tcn-8-dynamic-int8" / "model.onnx"
    printed = []
    exec(snippet.replace(path, shipped.as_posix()), {"print": printed.append})
    assert printed[0] in {str(number) for number in range(1, 10)}


def test_every_page_that_is_linked_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_card_is_of_the_default_pipeline():
    card = README.split("```text\n")[1].split("```")[0]
    assert "japanese-vowels" in card
    assert "gates passed" in card
