"""``load``: a file and its overrides in, a checked configuration out, or every fault at once."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import ConfigError, EnvironmentFault, Fault
from . import as_run, overrides as overriding
from .document import MAX_BYTES, MAX_FAULTS, Node, decode, parse
from .faults import Translator, dotted, locate, place_of
from .nearest import nearest
from .pipeline import PipelineConfig
from .relations import check_relations
from .shape import fields


@dataclass(frozen=True)
class Loaded:
    """A checked file.

    Args:
        config: what it says.
        text: the file as it was read.
        folder: where it lies; relative paths in it start here.
        file: its name as the user wrote it, for messages.
        positions: dotted path to (line, column), both from 1, of every value of the file.
        overrides: the ``--set`` texts that were applied, those of the section ``quick`` first where it was asked for.
        overridden: dotted path to the ``--set`` text that its value came from.
    """

    config: PipelineConfig
    text: str
    folder: Path
    file: str
    positions: Mapping[str, tuple[int, int]]
    overrides: tuple[str, ...] = ()
    overridden: Mapping[str, str] | None = None

    def where(self, path: str) -> str:
        """``pipeline.yaml:14:11  students.tcn-16.channels``, to open a fault or a failed gate with.

        A path that is not written in the file (a default) points at the nearest section that is.
        """
        known = path
        while known and known not in self.positions:
            known = known[: max(known.rfind("."), known.rfind("["), 0)]
        origin = (self.overridden or {}).get(known)
        line, column = self.positions.get(known, (1, 1))
        return f"{origin or f'{self.file}:{line}:{column}'}  {path}"

    def as_run(self) -> str:
        """The YAML as the user wrote it, overrides as comments behind it; ``reread`` reads it back."""
        return as_run.written(self.text, self.overrides)


def load(path: str | Path, overrides: Sequence[str] = (), quick: bool = False) -> Loaded:
    """Read and check a pipeline file.

    Args:
        path: the YAML file; messages show it as given.
        overrides: ``path=value`` texts, applied in order.
        quick: first do what the section ``quick`` says. It is checked in any case.

    Raises:
        ConfigError: with every fault of the file and the overrides, in file order.
        EnvironmentFault: the file is there and cannot be read.
    """
    file = str(path)
    text = decode(_read(Path(path), file), file)
    if isinstance(text, Fault):
        raise ConfigError(text)
    return _checked(text, file, Path(path).absolute().parent, overrides, quick)


def reread(text: str, file: str, folder: Path, overrides: Sequence[str] = ()) -> Loaded:
    """The configuration of a finished run again, its own overrides applied before the new ones.

    Args:
        text: what ``Loaded.as_run`` made.
        file: the name that messages show.
        folder: where relative paths in it start.
        overrides: ``path=value`` texts on top.

    Raises:
        ConfigError: another version of seqpress made it, and this one knows the options no more.
    """
    own, applied = as_run.split(text)
    return _checked(own, file, folder, [*applied, *overrides])


def _checked(text: str, file: str, folder: Path, overrides: Sequence[str], quick: bool = False) -> Loaded:
    root, faults = parse(text, file)
    if root is None and not faults:
        raise ConfigError(Fault("config.empty", file, "is empty", "", "make one with: compress init"))
    if root is None:
        raise ConfigError(faults)
    if not isinstance(root.content, dict):
        hint = "the first line could be:  name: my-model"
        got = root.shown()
        raise ConfigError([*faults, Fault("config.type", f"{file}:1:1", "must be a mapping of options", got, hint)])
    if quick and not root.content.get("quick"):
        hint = "write one, for example:  quick: {data.limit: 300, teacher.train.epochs: 2}"
        raise ConfigError([*faults, Fault("config.no-quick", file, "has no section quick", "", hint)])
    other = None if quick or "quick" not in root.content else deepcopy(root)
    misled = overriding.apply_quick(root, file) if quick else []
    texts = (*(overriding.quick_texts(root) if quick else ()), *overrides)
    rejected = [fault for override in overrides for fault in overriding.apply(root, override)]
    config, found = _validate(root, file, [*faults, *misled])
    found += rejected
    if other is not None:  # what nobody asked for now may be asked for tomorrow
        misled = overriding.apply_quick(other, file)
        _, more = _validate(other, file, [*faults, *misled])
        found = _in_order([*found, *(fault for fault in more if fault not in found)][: MAX_FAULTS + 1], file)
    if found or config is None:
        raise ConfigError(found)
    places = list(_places(root, ()))
    return Loaded(
        config=config,
        text=text,
        folder=folder,
        file=file,
        positions={dotted(where): (node.mark.line, node.mark.column) for where, node in places},
        overrides=texts,
        overridden={dotted(where): node.override for where, node in places if node.override},
    )


def _read(path: Path, file: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        near = nearest(path.name, [other.name for other in path.parent.glob("*.y*ml")]) if path.parent.is_dir() else []
        hint = f"did you mean: {' or '.join(near)}" if near else "make one with: compress init"
        raise ConfigError(Fault("config.missing-file", file, "does not exist", "", hint)) from None
    except IsADirectoryError:
        hint = f"for example: {path / 'pipeline.yaml'}"
        raise ConfigError(Fault("config.missing-file", file, "must be a file", "a folder", hint)) from None
    except ValueError:  # a NUL in the path
        raise ConfigError(Fault("config.missing-file", repr(file), "is not a path")) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise EnvironmentFault(Fault("environment.unreadable", file, f"cannot be read: {reason}")) from None


def _validate(root: Node, file: str, faults: list[Fault]) -> tuple[PipelineConfig | None, list[Fault]]:
    """The configuration where there is one, and every fault: of the YAML, of the values, of their relations."""
    translator = Translator(root, file, PipelineConfig)
    config: PipelineConfig | None = None
    data = root.plain()
    for attempt in range(4):  # mends a tag's key, then its value
        try:
            made = PipelineConfig.model_validate(data)
            config = made if attempt == 0 else None
            break
        except ValidationError as error:
            details = error.errors(include_url=False)
            translator.take(detail for detail in details if detail["loc"])
            mended = _mend(data, details)
            if mended is None:
                break
            data = mended
    check_relations(root, data, translator)
    return config, translator.faults(MAX_FAULTS, before=faults)


def _in_order(faults: list[Fault], file: str) -> list[Fault]:
    """As they stand in the file; those of ``--set`` come last, as they were."""
    return sorted(faults, key=lambda fault: place_of(fault.where, file))


def _mend(data: dict[str, Any], details: Sequence[Any]) -> dict[str, Any] | None:
    """The data with misspelled variant tags put right, so that what they hid is checked too; None if there were none.

    A section whose ``architecture`` is misspelled has no class yet: without this its other faults would come to
    light only after the first is mended.
    """
    mended = deepcopy(data)
    changed = False
    for detail in details:
        if not detail["type"].startswith("union_tag_"):
            continue
        place = locate(detail["loc"], PipelineConfig)
        section: Any = mended
        if place.shape is None:
            continue
        for part in place.path:
            section = section[part]
        if not isinstance(section, dict):
            continue  # a bare tag hides nothing
        tag, variants = place.shape.tag, list(place.shape.variants)
        known = [tag, *(key for variant in place.shape.variants.values() for key, _ in fields(variant))]
        wrong = next((key for key in section if key not in known and tag in nearest(key, known)), tag)
        near = nearest(str(section[wrong]), variants) if wrong in section else []
        if wrong != tag:
            section[tag] = section.pop(wrong)
        elif near:
            section[tag] = near[0]
        changed = changed or wrong != tag or bool(near)
    return mended if changed else None


def _places(node: Node, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    yield path, node
    if isinstance(node.content, dict):
        for key, child in node.content.items():
            yield from _places(child, (*path, key))
    elif isinstance(node.content, list):
        for index, child in enumerate(node.content):
            yield from _places(child, (*path, index))
