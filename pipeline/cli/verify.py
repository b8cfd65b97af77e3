"""``compress verify``: is a bundle what was shipped, and does it still compute what it computed?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError, Fault, InputRejected
from .arguments import Json
from .console import say, say_json

if TYPE_CHECKING:
    from ...exporters.bundle.manifest import BundleManifest
    from ...exporters.bundle.verify import Problem

EXAMPLES = (
    "compress verify runs/japanese-vowels/latest/artifacts/tcn-16-static-int8",
    "compress verify bundle --digest 3fa9c1…      is it also the one that was released?",
    "compress verify bundle --json",
)
_HINTS = {
    "bundle.newer": "update seqpress",
    "bundle.replay": "python selftest.py in the folder shows how far it is off",
}


def verify(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="The folder that was shipped.")],
    digest: Annotated[
        str, typer.Option("--digest", metavar="SHA256", help="The bundle's digest, or its first 12 or more digits.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Check a bundle: every digest, no file too many or too few, graphs that stay inside it, the golden replay.

    Nothing in it is trusted: links are not followed, none of its code is run, and its graphs run in a child process.
    Digests show that nothing changed since the manifest was written; --digest shows that it is the manifest you know.
    Ends with 0 or, with every problem told, with 3.
    """
    from ...exporters.bundle.verify import verify_bundle

    folder = Path(bundle)
    if not folder.is_dir():
        hint = "a run leaves bundles under artifacts/ in its folder"
        raise ConfigError(Fault("bundle.not-found", bundle, "must be the folder of a bundle", "", hint))
    problems = verify_bundle(folder)
    faults = [_fault(folder, problem) for problem in problems]
    manifest = None if problems else _read(folder)
    if manifest is not None and digest and not _same(manifest.digest, digest):
        got = f"{manifest.digest[:12]}…"
        faults = [Fault("bundle.other", bundle, f"must be the bundle {digest.lower()[:12]}…", got)]
    if as_json:
        found = {"name": manifest.name, "digest": manifest.digest} if manifest else {}
        say_json({"sound": not faults, "bundle": bundle, **found, "problems": [_plain(fault) for fault in faults]})
    if faults:
        raise InputRejected(faults)
    if manifest is not None and not as_json:
        say(summary(manifest))


def summary(manifest: "BundleManifest") -> str:
    """What was found sound, for people."""
    from ..report import figures
    from ..report.text import one_line

    golden = manifest.golden
    streamed = f", {golden.stream} streamed in three ways" if golden.stream else ""
    size_bytes = sum(facts.size_bytes for facts in manifest.files.values())
    rows = [
        ("files", f"{len(manifest.files) + 1} files, {figures.size(size_bytes)}, every digest right, no other file"),
        ("graphs", "inside their files, and as the manifest says"),
        ("replay", f"{golden.whole} cases whole{streamed}, within tolerance"),
        ("because", one_line(golden.tolerance.because)),
        ("digest", manifest.digest),
    ]
    return "\n".join([f"{one_line(manifest.name)} is sound", *(f"  {name:<8} {text}" for name, text in rows)])


def _read(folder: Path) -> "BundleManifest":
    from ...exporters.bundle import manifest as bundle_manifest
    from ...exporters.bundle.verify import MANIFEST

    return bundle_manifest.from_bytes((folder / MANIFEST).read_bytes())


def _same(digest: str, wanted: str) -> bool:
    return len(wanted) >= 12 and digest.startswith(wanted.lower())


def _fault(folder: Path, problem: "Problem") -> Fault:
    where = f"{folder}: {problem.where}"
    return Fault(problem.code, where, problem.rule, problem.got, _HINTS.get(problem.code, ""))


def _plain(fault: Fault) -> dict[str, str]:
    return {"code": fault.code, "where": fault.where, "rule": fault.rule, "got": fault.got}
