"""Entry points: found beside the YAML file first, known by their text, seen anew when it changes."""

import colorsys
import pickle
import sys

import pytest
from seqpress.pipeline.errors import ConfigError, InputRejected, StageFailed
from seqpress.pipeline.named.entry import Entry


def entry(folder, name="own_module_a:fn", **files):
    for file, text in files.items():
        (folder / f"{file}.py").write_text(text)
    return Entry(name, folder, "teacher.python")


def test_it_is_called_with_its_arguments(tmp_path):
    assert entry(tmp_path, own_module_a="def fn(x, y=1): return x + y").call(2, arguments={"y": 3}) == 5


def test_an_edit_is_seen(tmp_path):
    one = entry(tmp_path, own_module_a="def fn(): return 1")
    before = one.digest()
    assert one.call(arguments={}) == 1
    entry(tmp_path, own_module_a="def fn(): return 22")
    assert one.call(arguments={}) == 22
    assert one.digest() != before


def test_an_edit_of_what_it_imports_is_seen(tmp_path):
    one = entry(
        tmp_path, own_module_a="from own_module_b import value\ndef fn(): return value", own_module_b="value = 1"
    )
    before = one.digest()
    assert set(before) == {"own_module_a", "own_module_b"}
    assert one.call(arguments={}) == 1
    entry(tmp_path, own_module_b="value = 2")
    assert one.call(arguments={}) == 2


def test_the_same_name_in_another_folder_is_another_module(tmp_path):
    folders = [tmp_path / "one", tmp_path / "other"]
    for value, folder in enumerate(folders):
        folder.mkdir()
        assert entry(folder, own_module_a=f"def fn(): return {value}").call(arguments={}) == value


def test_the_folder_is_searched_before_installed_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "colorsys", colorsys)  # and put back behind the test
    assert entry(tmp_path, "colorsys:fn", colorsys="def fn(): return 'mine'").call(arguments={}) == "mine"


def test_what_it_makes_can_be_sent_to_another_process(tmp_path):
    made = entry(tmp_path, own_module_a="class Made: pass\ndef fn(): return Made()").call(arguments={})
    assert type(pickle.loads(pickle.dumps(made))) is type(made)


def test_a_change_since_the_plan_is_refused(tmp_path):
    one = entry(tmp_path, own_module_a="def fn(): return 1")
    planned = one.digest()
    entry(tmp_path, own_module_a="def fn(): return 2")
    with pytest.raises(InputRejected, match="must not change during a run") as caught:
        one.load(planned)
    assert caught.value.faults[0].code == "model.changed"


def test_nothing_is_run_to_digest_it(tmp_path):
    text = f"open({str(tmp_path / 'ran')!r}, 'w')\ndef fn(): pass"
    entry(tmp_path, own_module_a=text).digest()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("def fn(:", ConfigError, r"own_module_a\.py:1 .*must be valid Python"),
        ("import nowhere_at_all\ndef fn(): pass", StageFailed, r"own_module_a\.py:1  <module> raised ModuleNotFound"),
        ("def fn(): pass\nraise SystemExit(3)", StageFailed, r"own_module_a\.py:2 .*raised SystemExit: 3"),
        (
            "def fn(): raise ValueError('no such size')",
            StageFailed,
            r"own_module_a\.py:1  fn raised ValueError: no such",
        ),
        ("fn = 3", InputRejected, "must name a function, own_module_a:fn; got int"),
        ("def fn(a): pass", InputRejected, r"must fit own_module_a:fn\(a\): missing a required argument"),
    ],
)
def test_its_faults_are_its_own(tmp_path, text, kind, said):
    with pytest.raises(kind, match=said):
        entry(tmp_path, own_module_a=text).call(arguments={})


def test_the_users_folder_is_not_written_in(tmp_path):
    entry(tmp_path, own_module_a="def fn(): return 1").call(arguments={})
    assert [path.name for path in tmp_path.iterdir()] == ["own_module_a.py"]


def test_ctrl_c_passes(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        entry(tmp_path, own_module_a="def fn(): raise KeyboardInterrupt").call(arguments={})
