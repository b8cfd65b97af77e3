import errno
import os
import random

import pytest
from seqpress.pipeline.engine import records
from seqpress.pipeline.engine.keys import digest_of
from seqpress.pipeline.engine.store import Store
from seqpress.pipeline.errors import EnvironmentFault


@pytest.fixture
def ready(store):
    store.prepare()
    return store


def fill(folder, value):
    """Two files, one of them in a folder."""
    (folder / "deep").mkdir(parents=True, exist_ok=True)
    for path in (folder / "model.onnx", folder / "deep" / "labels.txt"):
        path.unlink(missing_ok=True)
    (folder / "model.onnx").write_bytes(bytes(range(256)) * 3 + str(value).encode())
    (folder / "deep" / "labels.txt").write_text(f"labels of {value}")


def put(store, folder, value, facts=None):
    preimage = {"schema": 1, "entry": "m:f", "options": {"value": value}}
    return store.publish(
        key=digest_of(preimage),
        task="toy",
        preimage=preimage,
        folder=folder,
        facts=facts or {"value": value},
        measured={"s": 0.5},
        compute_s=0.25,
    )


def publish(store, folder, value=1, facts=None):
    fill(folder, value)
    return put(store, folder, value, facts)


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << (position % 8)
    path.chmod(0o644)
    path.write_bytes(data)


def test_what_was_published_is_found_as_it_was(ready, tmp_path):
    record = publish(ready, tmp_path / "out")
    again = Store(ready.root)
    found = again.lookup(record.key)
    assert found == record
    artifact = again.artifact(found)
    assert sorted(artifact.files) == ["deep/labels.txt", "model.onnx"]
    assert (artifact / "deep/labels.txt").read_text() == "labels of 1"
    assert artifact.digest == records.artifact_digest(record.files, {"value": 1})
    assert again.damage == []


def test_the_digest_is_of_files_and_facts_and_not_of_measurements(ready, tmp_path):
    one = publish(ready, tmp_path / "a")
    assert publish(ready, tmp_path / "b").digest == one.digest
    assert publish(ready, tmp_path / "c", facts={"value": 2}).digest != one.digest


def test_a_name_that_is_not_there_says_what_is(ready, tmp_path):
    artifact = ready.artifact(publish(ready, tmp_path / "out"))
    with pytest.raises(KeyError, match=r"model\.onnx"):
        _ = artifact / "model.pt"


@pytest.mark.parametrize("name", ["model.onnx", "deep/labels.txt"])
@pytest.mark.parametrize("region", [0, 0.5, 0.999])
def test_a_flipped_bit_is_found_on_opening_set_aside_and_counted(ready, tmp_path, name, region):
    record = publish(ready, tmp_path / "out")
    path = ready.object_path(record.files[name].sha256)
    flip(path, int(region * path.stat().st_size))
    again = Store(ready.root)
    artifact = again.artifact(again.lookup(record.key))
    with pytest.raises(EnvironmentFault, match="must hash to its name"):
        _ = artifact / name
    assert [damage.kind for damage in again.damage] == ["object"]
    assert not path.exists()
    assert len(list((ready.root / "quarantine").iterdir())) == 1
    assert Store(ready.root).lookup(record.key) is None
    assert publish(ready, tmp_path / "again") == record
    assert Store(ready.root).verify(record)


@pytest.mark.parametrize("damage", ["truncate", "empty", "delete"])
def test_a_short_or_missing_object_is_a_miss_without_hashing(ready, tmp_path, damage):
    record = publish(ready, tmp_path / "out")
    path = ready.object_path(record.files["model.onnx"].sha256)
    path.chmod(0o644)
    if damage == "delete":
        path.unlink()
    else:
        os.truncate(path, 0 if damage == "empty" else 100)
    again = Store(ready.root)
    assert again.peek(record.key) is None
    assert again.damage == []
    assert again.lookup(record.key) is None
    assert len(again.damage) == 1
    assert not ready.record_path(record.key).exists()


def test_a_record_truncated_at_every_byte_is_a_miss(ready, tmp_path):
    record = publish(ready, tmp_path / "out")
    path = ready.record_path(record.key)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        again = Store(ready.root)
        assert again.lookup(record.key) is None, length
        assert len(again.damage) == 1
    path.write_bytes(whole)
    assert Store(ready.root).lookup(record.key) == record


def test_a_record_with_any_flipped_bit_is_a_miss(ready, tmp_path):
    record = publish(ready, tmp_path / "out")
    path = ready.record_path(record.key)
    whole = path.read_bytes()
    chance = random.Random(7)
    for position in sorted({*range(100), *chance.sample(range(len(whole)), 200), len(whole) - 1}):
        altered = bytearray(whole)
        altered[position] ^= 1 << chance.randrange(8)
        path.write_bytes(altered)
        assert Store(ready.root).lookup(record.key) is None, position


def test_swapped_records_are_misses(ready, tmp_path):
    one, two = publish(ready, tmp_path / "a", 1), publish(ready, tmp_path / "b", 2)
    paths = ready.record_path(one.key), ready.record_path(two.key)
    texts = [path.read_bytes() for path in paths]
    paths[0].write_bytes(texts[1])
    paths[1].write_bytes(texts[0])
    again = Store(ready.root)
    assert again.lookup(one.key) is None
    assert again.lookup(two.key) is None
    assert [damage.reason for damage in again.damage] == ["belongs to another key"] * 2


def test_a_forged_key_field_is_found_out_by_the_preimage(ready, tmp_path):
    record = publish(ready, tmp_path / "a", 1)
    other = digest_of({"something": "else"})
    forged = records.Record(**{**record.__dict__, "key": other})
    ready.record_path(other).write_bytes(records.encode(forged))
    assert Store(ready.root).lookup(other) is None


@pytest.mark.parametrize("year_s", [0, 4_102_444_800])
def test_no_decision_rests_on_times(ready, tmp_path, year_s):
    record = publish(ready, tmp_path / "out")
    for path in ready.root.rglob("*"):
        os.utime(path, (year_s, year_s))
    again = Store(ready.root)
    assert again.lookup(record.key) == record
    assert again.verify(record)


def test_a_newer_layout_is_refused_and_not_touched(ready, tmp_path, monkeypatch):
    record = publish(ready, tmp_path / "out")
    monkeypatch.setattr(records, "SCHEMA", 2)
    ready.record_path(record.key).write_bytes(records.encode(record))
    monkeypatch.undo()
    with pytest.raises(EnvironmentFault, match=r"up to 1\); got layout 2"):
        Store(ready.root).lookup(record.key)
    (ready.root / "schema.json").write_text('{"schema": 2}')
    for call in (Store.check, Store.prepare):
        with pytest.raises(EnvironmentFault, match="install the newer seqpress"):
            call(Store(ready.root))
    assert (ready.root / "schema.json").read_text() == '{"schema": 2}'


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(EnvironmentFault, match=r"holds 'thesis\.docx'"):
        Store(tmp_path).prepare()
    assert os.listdir(tmp_path) == ["thesis.docx"]


def test_a_damaged_layout_number_is_written_anew(ready):
    (ready.root / "schema.json").write_text("{")
    Store(ready.root).prepare()
    assert (ready.root / "schema.json").read_text() == '{"schema": 1}'


@pytest.mark.parametrize("where", ["store", "parent"])
def test_a_store_that_cannot_be_written_is_an_environment_fault(tmp_path, where):
    (tmp_path / "file").write_text("")
    root = tmp_path / "file" if where == "store" else tmp_path / "file" / "store"
    with pytest.raises(EnvironmentFault, match=r"must be readable and writable; got (ENOTDIR|EEXIST)"):
        Store(root).prepare()


class Failing:
    """Lets the first calls through, then fails one, as a disk would."""

    def __init__(self, real, number, code):
        self.real, self.left, self.code, self.failed = real, number, code, False

    def __call__(self, *arguments, **named):
        self.left -= 1
        if self.left == 0:
            self.failed = True
            raise OSError(self.code, os.strerror(self.code))
        return self.real(*arguments, **named)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(("owner", "call"), [(os, "fsync"), (os, "replace"), (os, "chmod"), (os, "mkdir")])
def test_whichever_call_fails_the_store_stays_whole(store, tmp_path, monkeypatch, invariant, owner, call, code):
    """Fail the first call, then the second, … until a publication gets through without a failure."""
    store.prepare()
    golden = publish(store, tmp_path / "golden", 0)
    said = []
    for number in range(1, 40):
        folder = tmp_path / f"out-{number}"
        fill(folder, number)
        failing = Failing(getattr(owner, call), number, code)
        monkeypatch.setattr(owner, call, failing)
        try:
            put(Store(store.root), folder, number)
        except EnvironmentFault as error:
            said.append(str(error))
        finally:
            monkeypatch.undo()
        invariant()
        assert list((store.root / "tmp").iterdir()) == []
        if not failing.failed:
            break
        fill(folder, number)
        assert put(Store(store.root), folder, number).facts == {"value": number}  # works once there is room
    assert len(said) == number - 1 > 0
    assert all(("disk full (needed 78" if code == errno.ENOSPC else "got EIO") in text for text in said)
    assert Store(store.root).verify(golden)


@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_dying_at_any_call_leaves_the_old_state_or_the_new(store, tmp_path, invariant, call, moment):
    """As ``kill -9`` would: no clean-up runs, because the process ends inside the n-th call."""
    store.prepare()
    golden = publish(store, tmp_path / "golden", 0)
    for number in range(1, 40):
        folder = tmp_path / f"out-{number}"
        fill(folder, number)
        child = os.fork()
        if child == 0:
            real, left = getattr(os, call), number

            def dies(*arguments, _real=real, **named):
                nonlocal left
                left -= 1
                if left == 0 and moment == "before":
                    os._exit(9)
                result = _real(*arguments, **named)
                if left == 0:
                    os._exit(9)
                return result

            setattr(os, call, dies)
            try:
                put(Store(store.root), folder, number)
            finally:
                os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        invariant()
        fill(folder, number)
        assert put(Store(store.root), folder, number).facts == {"value": number}
        if status == 0:
            break
    assert number > 1
    assert Store(store.root).verify(golden)


def test_everything_reaches_the_disk_before_it_gets_its_name_and_the_record_is_last(store, tmp_path, monkeypatch):
    """What a power cut could reorder, seen through the order of the calls."""
    store.prepare()
    fill(tmp_path / "out", 1)
    steps = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        steps.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def named(source, target):
        steps.append(("name", str(source), str(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", named)
    record = put(store, tmp_path / "out", 1)
    names = [step for step in steps if step[0] == "name"]
    assert [step[2] for step in names][-1] == str(store.record_path(record.key))
    assert len(names) == 3
    for step in names:
        place = steps.index(step)
        assert ("sync", step[1]) in steps[:place]
        parent = ("sync", os.path.dirname(step[2]))
        assert parent in steps[place:]
        if step is not names[-1]:
            assert parent in steps[place : steps.index(names[-1])]  # files are safe before the record says so
