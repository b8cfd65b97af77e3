"""A user's own function: called, collected, digested by its text, and blamed by file and line."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.data import load_source, source_digest
from seqpress.pipeline.errors import InputRejected, StageFailed

Make = Callable[..., dict[str, Any]]

MODULE = """
import numpy as np
import helpers_of_mine

def load(count=20, speakers=5):
    rng = np.random.default_rng(0)
    for i in range(count):
        yield {
            "frames": rng.normal(size=(3 + i % 4, 2)),
            "label": helpers_of_mine.name(i),
            "group": f"speaker {i % speakers}",
        }
"""


@pytest.fixture
def entry(options: Make, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "my_data.py").write_text(MODULE)
    (tmp_path / "helpers_of_mine.py").write_text("def name(i):\n    return 'ab'[i % 2]\n")
    by_group = {"fraction": 0.3, "by": "group"}
    return options(source="python", entry="my_data:load", arguments={}, files=(), test=by_group, validation=by_group)


def test_items_labels_and_groups(entry: dict[str, Any], tmp_path: Path) -> None:
    dataset = load_source(entry, tmp_path, 7)
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 20
    assert dataset.labels == ("a", "b")
    assert dataset.channels == 2
    assert dataset.source == "python my_data:load"
    assert not (tmp_path / "__pycache__").exists()
    fewer = load_source({**entry, "arguments": {"count": 12}}, tmp_path, 7)
    assert len(fewer.train) + len(fewer.validation) + len(fewer.test) == 12


def test_own_splits(options: Make, tmp_path: Path) -> None:
    (tmp_path / "my_data.py").write_text(
        "def load():\n"
        "    for i in range(12):\n"
        "        split = ['train', 'train', 'validation', 'test'][i // 3]\n"
        "        yield {'frames': [[i, 1]], 'label': i % 2, 'split': split}\n"
    )
    dataset = load_source(options(source="python", entry="my_data:load"), tmp_path, 7)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [6, 3, 3]
    assert dataset.validation.packed()[0][:, 0].tolist() == [6, 7, 8]
    assert any("The validation split is my_data:load's own" in finding["text"] for finding in dataset.findings)


def test_an_edit_changes_the_digest_and_the_data(entry: dict[str, Any], tmp_path: Path) -> None:
    first, data = source_digest(entry, tmp_path), load_source(entry, tmp_path, 7)
    assert set(first["modules"]) == {"my_data", "helpers_of_mine"}
    (tmp_path / "helpers_of_mine.py").write_text("def name(i):\n    return 'ba'[i % 2]\n")
    second = source_digest(entry, tmp_path)
    assert first["modules"]["my_data"] == second["modules"]["my_data"]
    assert first != second
    assert load_source(entry, tmp_path, 7).digest() != data.digest()
    with pytest.raises(InputRejected, match="must not change while it is read"):
        load_source(entry, tmp_path, 7, expected=first)


def test_declared_files_are_digested(entry: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "take1.csv").write_text("1,2\n")
    chosen = {**entry, "files": ("take1.csv",)}
    first = source_digest(chosen, tmp_path)
    (tmp_path / "take1.csv").write_text("1,3\n")
    assert source_digest(chosen, tmp_path) != first
    assert set(first["files"]) == {"take1.csv"}


def test_the_digest_runs_nothing(entry: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "my_data.py").write_text("import os\nos.mkdir('ran')\ndef load():\n    return []\n")
    before = dict(sys.modules)
    source_digest(entry, tmp_path)
    assert not Path("ran").exists()
    assert sys.modules == before


def test_packages_are_followed_through_relative_imports(options: Make, tmp_path: Path) -> None:
    package = tmp_path / "corpus" / "readers"
    package.mkdir(parents=True)
    (tmp_path / "corpus" / "__init__.py").write_text("")
    (tmp_path / "corpus" / "names.py").write_text("A = 'a'\n")
    (package / "__init__.py").write_text("from .wav import load\n")
    (package / "wav.py").write_text(
        "from .. import names\n"
        "def load():\n"
        "    return [{'frames': [[i, 1]], 'label': names.A * (1 + i % 2), 'split': ['train', 'test'][i > 9]}\n"
        "            for i in range(14)]\n"
    )
    chosen = options(source="python", entry="corpus.readers:load")
    assert list(source_digest(chosen, tmp_path)["modules"]) == [
        "corpus", "corpus.names", "corpus.readers", "corpus.readers.wav"
    ]  # fmt: skip
    assert load_source(chosen, tmp_path, 7).labels == ("a", "aa")


FAULTS = {
    "user-raises": "def load():\n    return helper()\n\ndef helper():\n    raise ValueError('bad take\\nmore')\n",
    "user-raises-late": "def load():\n    yield {'frames': [[1]], 'label': 'a'}\n    yield {}['frames']\n",
    "user-exits": "import sys\ndef load():\n    sys.exit(0)\n",
    "user-import": "import a_library_nobody_has\ndef load():\n    return []\n",
    "user-in-library": "import numpy as np\ndef load():\n    return np.zeros(3).reshape(2, 2)\n",
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_named_as_the_users_own(
    case: str, options: Make, tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    (tmp_path / "my_data.py").write_text(FAULTS[case])
    with pytest.raises(StageFailed) as caught:
        load_source(options(source="python", entry="my_data:load"), tmp_path, 7)
    assert caught.value.exit_code == 4
    golden(case, str(caught.value))


@pytest.mark.parametrize("signal", [KeyboardInterrupt, MemoryError])
def test_interrupts_and_full_memory_pass(signal: type[BaseException], options: Make, tmp_path: Path) -> None:
    (tmp_path / "my_data.py").write_text(f"def load():\n    raise {signal.__name__}\n")
    with pytest.raises(signal):
        load_source(options(source="python", entry="my_data:load"), tmp_path, 7)


def test_arguments_must_fit(entry: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match=r"data\.arguments must fit my_data:load\(count=20, speakers=5\)"):
        load_source({**entry, "arguments": {"cuont": 3}}, tmp_path, 7)


def test_what_it_prints_stays_off_stdout(options: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my_data.py").write_text(
        "print('importing')\n"
        "def load():\n"
        "    print('loading')\n"
        "    return [{'frames': [[i]], 'label': i % 2, 'split': ['train', 'test'][i > 9]} for i in range(14)]\n"
    )
    load_source(options(source="python", entry="my_data:load"), tmp_path, 7)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "importing\nloading\n"


def test_a_relative_folder(entry: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path.parent)
    dataset = load_source(entry, Path(os.path.relpath(tmp_path)), 7)
    assert np.isfinite(dataset.train.values).all()


def test_tasks_that_need_no_label(options: Make, tmp_path: Path) -> None:
    (tmp_path / "my_data.py").write_text(
        "def load():\n"
        "    for i in range(12):\n"
        "        yield {'frames': [[i, j] for j in range(5)], 'tags': ['up', 'down', 'up', 'up', 'up']}\n"
    )
    share = {"fraction": 0.25, "by": "auto"}
    chosen = options(source="python", entry="my_data:load", test=share, validation=share)
    ahead = load_source(chosen, tmp_path, 7, wanted={"kind": "next"})
    frames, lengths, targets = ahead.train.batch([0])
    assert lengths.tolist() == [4]
    np.testing.assert_array_equal(targets[0, :-1], frames[0, 1:])
    tagged = load_source(chosen, tmp_path, 7, wanted={"kind": "tag"})
    assert tagged.labels == ("down", "up")
    assert tagged.train.batch([0])[2].tolist() == [[1, 0, 1, 1, 1]]
    with pytest.raises(InputRejected, match="must yield dicts with 'label'"):
        load_source(chosen, tmp_path, 7)


TOKENS = [{"name": "word", "size": 6}, {"name": "ending", "size": 3}]


def tagged(folder: Path, frames: str = "[[i % 6, (i + j) % 3] for j in range(4)]") -> None:
    (folder / "my_data.py").write_text(
        "import numpy as np\n"
        "def load():\n"
        "    for i in range(12):\n"
        f"        yield {{'frames': np.array({frames}), 'tags': ['N', 'V', 'N', 'X'],\n"
        "               'split': ['train', 'train', 'validation', 'test'][i // 3]}\n"
    )


def test_several_tokens_a_frame(options: Make, tmp_path: Path) -> None:
    tagged(tmp_path)
    chosen = options(source="python", entry="my_data:load", tokens=TOKENS)
    dataset = load_source(chosen, tmp_path, 7, wanted={"kind": "tag"})
    assert (dataset.kind, dataset.channels, dataset.sizes) == ("tokens", 2, (6, 3))
    assert dataset.features == ("word", "ending")
    frames, _, targets = dataset.test.batch([0])
    assert (frames.dtype, frames.tolist()) == (np.int64, [[[3, 0], [3, 1], [3, 2], [3, 0]]])
    assert targets.tolist() == [[0, 1, 0, 2]]
    folder = tmp_path / "stored"
    folder.mkdir()
    dataset.write(folder)
    again = type(dataset).read({path.name: path for path in folder.iterdir()})
    assert again.sizes == dataset.sizes
    assert again.digest() == dataset.digest()


def test_one_token_a_frame_has_no_axis_of_its_own(options: Make, tmp_path: Path) -> None:
    tagged(tmp_path, "[[i % 6] for j in range(4)]")
    chosen = options(source="python", entry="my_data:load", tokens=TOKENS[:1])
    dataset = load_source(chosen, tmp_path, 7, wanted={"kind": "tag"})
    assert dataset.train.batch([0, 1])[0].tolist() == [[0] * 4, [1] * 4]
    assert dataset.sizes == (6,)


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ("[[i % 6, 7] for j in range(4)]", r"must hold identifiers from 0 to size - 1; got 12 items in another form"),
        ("[[-1, 0] for j in range(4)]", r"word from -1 to -1, its size is 6"),
        ("[[0.5, 0] for j in range(4)]", r"must hold integer 'frames' \(T, 2\), one column a token"),
        ("[0, 1, 2, 3]", r"int64 \(4,\)"),
    ],
)
def test_tokens_outside_their_tables(frames: str, said: str, options: Make, tmp_path: Path) -> None:
    tagged(tmp_path, frames)
    with pytest.raises(InputRejected, match=said):
        load_source(options(source="python", entry="my_data:load", tokens=TOKENS), tmp_path, 7, wanted={"kind": "tag"})


def test_channels_get_the_names_that_the_yaml_gives(entry: dict[str, Any], tmp_path: Path) -> None:
    assert load_source({**entry, "features": ("speed", "load")}, tmp_path, 7).features == ("speed", "load")
    with pytest.raises(InputRejected, match="features must"):
        load_source({**entry, "features": ("speed",)}, tmp_path, 7)
