"""The record of one finished task, and its form on disk.

``{"checksum":"<sha256 of the body's bytes>","body":{…}}`` without a newline at the end: valid JSON for whoever
looks, and every truncation and every flipped bit shows. The body carries the key's full preimage, so that a
record under a foreign name is found out.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import EnvironmentFault, Fault
from .keys import SCHEMA, canonical, digest_of

_HEAD = b'{"checksum":"'
_NECK = b'","body":'
_TAIL = b"}"
_BODY_AT = len(_HEAD) + 64 + len(_NECK)


class BrokenRecordError(ValueError):
    """These bytes are not a record that can be trusted; the text says why."""


@dataclass(frozen=True)
class Blob:
    """One stored file."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Record:
    """What is known about a finished task.

    Args:
        key: the sha256 of ``preimage``.
        task: the name it was computed under; for people.
        preimage: everything that could have changed the answer.
        files: name -> stored file.
        facts: what the stage returned.
        measured: times, latencies, memory; not part of ``digest``.
        digest: the artifact's digest over files and facts.
        compute_s: seconds the stage took.
    """

    key: str
    task: str
    preimage: Mapping[str, Any]
    files: Mapping[str, Blob]
    facts: Mapping[str, Any]
    measured: Mapping[str, Any]
    digest: str
    compute_s: float

    @property
    def size_bytes(self) -> int:
        return sum(blob.size_bytes for blob in self.files.values())


def artifact_digest(files: Mapping[str, Blob], facts: Mapping[str, Any]) -> str:
    """The sha256 over {file name -> sha256} and facts: equal results have equal digests, whoever made them."""
    return digest_of({"files": {name: blob.sha256 for name, blob in files.items()}, "facts": facts})


def encode(record: Record) -> bytes:
    """The bytes of a record file."""
    body = canonical(
        {
            "schema": SCHEMA,
            "key": record.key,
            "task": record.task,
            "preimage": record.preimage,
            "files": {name: [blob.sha256, blob.size_bytes] for name, blob in record.files.items()},
            "facts": record.facts,
            "measured": record.measured,
            "digest": record.digest,
            "compute_s": record.compute_s,
        }
    )
    return _HEAD + hashlib.sha256(body).hexdigest().encode() + _NECK + body + _TAIL


def decode(data: bytes, key: str) -> Record:
    """The record in ``data``, which must be the one of ``key``.

    Raises:
        BrokenRecordError: torn, altered, or another key's record.
        EnvironmentFault: written by a newer version.
    """
    body = _checked_body(data)
    if body["schema"] > SCHEMA:
        raise newer_schema(f"record {key[:12]}", body["schema"])
    if body["key"] != key or digest_of(body["preimage"]) != key:
        raise BrokenRecordError("belongs to another key")
    files = {name: Blob(sha256, size_bytes) for name, (sha256, size_bytes) in body["files"].items()}
    fields = ("task", "preimage", "facts", "measured", "digest", "compute_s")
    return Record(key=key, files=files, **{name: body[name] for name in fields})


def newer_schema(where: str, found: int) -> EnvironmentFault:
    """The refusal to touch what a later version wrote."""
    hint = "install the newer seqpress, or give another folder with --store"
    rule = f"must have a layout this version knows (up to {SCHEMA})"
    return EnvironmentFault(Fault("store.newer", where, rule, f"layout {found}", hint))


def _checked_body(data: bytes) -> dict[str, Any]:
    body = data[_BODY_AT : -len(_TAIL)]
    expected = _HEAD + hashlib.sha256(body).hexdigest().encode() + _NECK
    if data[:_BODY_AT] != expected or not data.endswith(_TAIL):
        raise BrokenRecordError("is torn or altered")
    return json.loads(body)
