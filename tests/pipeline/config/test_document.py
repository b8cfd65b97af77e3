"""The YAML reader: what it reads, what it refuses, and that no text can hurt it."""

import contextlib
import math
import time
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.config import load
from seqpress.pipeline.config.document import MAX_BYTES, MAX_FAULTS, decode, parse, scalar
from seqpress.pipeline.errors import ConfigError, Fault

ROOT = Path(__file__).parents[3]
GOOD = (ROOT / "pipeline.yaml").read_text(encoding="utf-8")
CASES = sorted((ROOT / "tests" / "golden" / "config").glob("*.yaml"))


def refused(path: Path) -> list[Fault]:
    """The faults of a file; any other outcome than a configuration or a ConfigError fails the test."""
    try:
        load(path)
        return []
    except ConfigError as error:
        return error.faults or pytest.fail("a ConfigError without a fault")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0", 0),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("08", 8),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("0b11", "0b11"),
        ("=", "="),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("null", None),
        ("-.inf", -math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        ("1e999", math.inf),
        ("9" * 500, "9" * 500),
    ],
)
def test_scalars_are_yaml_1_2(text: str, value: object) -> None:
    found = scalar(text)
    assert (type(found), found) == (type(value), value)
    root, faults = parse(f"key: {text}\n", "f")
    assert root is not None
    assert not faults
    assert root.plain() == {"key": value}


def test_quoted_scalars_are_texts() -> None:
    root, _ = parse("a: '3'\nb: \"true\"\nc: |\n  7\n", "f")
    assert root is not None
    assert root.plain() == {"a": "3", "b": "true", "c": "7\n"}


def test_keys_stay_as_written() -> None:
    root, _ = parse("1e-3: a\nno: b\n'on': c\n", "f")
    assert root is not None
    assert root.plain() == {"1e-3": "a", "no": "b", "on": "c"}


def test_marks_point_at_values_and_blocks_at_their_key() -> None:
    root, _ = parse("a: 1\nbé: {c: [x, yy]}\nd:\n    e: 2\n", "f")
    assert root is not None
    places = {key: (node.mark.line, node.mark.column) for key, node in root.content.items()}
    assert places == {"a": (1, 4), "bé": (2, 5), "d": (3, 1)}
    inner = root.content["bé"].content["c"].content
    assert [(node.mark.line, node.mark.column) for node in inner] == [(2, 10), (2, 13)]


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 100)}]" for n in range(1, 50)]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(["a0: &a0 [x]", *levels]), encoding="utf-8")
    started = time.perf_counter()
    assert {fault.code for fault in refused(path)} >= {"config.alias"}
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500_000,
        "{" * 500_000,
        "- " * 400_000,
        "? " * 400_000,
        "a: " * 300_000,
        "&a " * 300_000,
        "'" * 999_999,
        "\n".join(f"k{n}: {n}" for n in range(60_000)),
        "\n".join(f"same: {n}" for n in range(60_000)),
        "name: " + "9" * 900_000,
        "x" * 900_000 + ": 1",
        "quantize: [" + "a, " * 200_000 + "]",
        "students: {" + ", ".join(f"s{n}: {{architecture: gru, hidden: 1}}" for n in range(15_000)) + "}",
    ],
    ids=lambda text: f"{text[:12]!r}",
)
def test_large_hostile_texts_are_answered_in_time(text: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(text, encoding="utf-8")
    started = time.perf_counter()
    faults = refused(path)
    assert 1 <= len(faults) <= MAX_FAULTS + 1
    assert len("\n".join(map(str, faults))) < 200_000
    assert time.perf_counter() - started < 20  # a fifth of it on two cores; catches what grows with the square


def test_a_file_over_the_limit_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(50 * MAX_BYTES)
    assert [fault.code for fault in refused(path)] == ["config.size"]
    assert isinstance(decode(b"a" * MAX_BYTES, "f"), str)


def test_utf_16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wide.yaml"
    path.write_bytes("name: x".encode("utf-16"))
    assert [fault.code for fault in refused(path)] == ["config.encoding"]


@settings(max_examples=150, deadline=2000)
@given(text=st.text(max_size=300))
def test_any_text_is_answered(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert refused(path)


@settings(max_examples=150, deadline=2000)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(data)
    assert refused(path)


YAMLISH = st.text(alphabet="ab01-?:,[]{}#&*!|>'\"%@` \n.<~", max_size=120)


@settings(max_examples=250, deadline=2000)
@given(text=YAMLISH)
def test_any_yamlish_text_is_answered(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "yamlish.yaml"
    path.write_text(text, encoding="utf-8")
    assert refused(path)


@settings(max_examples=250, deadline=2000)
@given(case=st.sampled_from(CASES), data=st.data())
def test_any_damage_to_a_file_is_answered(
    case: Path, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = data.draw(st.sampled_from([case.read_text(encoding="latin-1"), GOOD]))
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_text(text[:start] + data.draw(YAMLISH) + text[start + length :], encoding="utf-8")
    refused(path)


@settings(max_examples=150, deadline=2000)
@given(override=st.text(max_size=60) | st.text(alphabet="distl.eos[]0=: {}ct", max_size=40))
def test_any_override_is_answered(override: str) -> None:
    with contextlib.suppress(ConfigError):
        load(ROOT / "pipeline.yaml", [override])
