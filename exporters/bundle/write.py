"""The folder that is shipped: a device engineer gets it and needs nothing else of seqpress. No torch.

    model.onnx     the whole sequence in one call
    step.onnx      the next frames and explicit states, where the model is causal
    manifest.json  every name, shape, state, number and digest (``bundle.manifest``, docs/bundle.schema.json)
    golden.npz     real inputs and outputs, whole and streamed (``golden_file``)
    selftest.py    checks the folder and replays the golden arrays, with numpy and onnxruntime alone
    example.py     streams a sequence, continues one of tokens, or runs a whole one where nothing streams
    MODEL_CARD.md  for people

The same arguments give the same bytes, and a folder appears whole or not at all. What is written is verified before
it gets its name.
"""

import hashlib
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from ... import __version__
from .. import runtime
from ..foreign.check_file import check_file
from . import golden_file, manifest as bundle_manifest
from .golden import Golden
from .graph_facts import describe_graph
from .manifest import BundleManifest, Description, FileFacts, GoldenFacts, Graph
from .verify import CARD, EXAMPLE, GOLDEN, MANIFEST, MODEL, SELFTEST, STEP, Problem, verify_bundle

_TEMPLATES = Path(__file__).parent / "templates"
_UNSET = "0" * 64


class BadBundle(ValueError):
    """A bundle that would not pass its own check. ``problems`` has all that was found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


def write_bundle(
    into: Path, *, model: Path, step: Path | None, description: Description, golden: Golden, card: str
) -> BundleManifest:
    """Write the folder.

    Args:
        into: must not exist yet, or be empty.
        model: the whole-sequence graph, one file.
        step: the step graph, where the model is causal; ``description.states`` are its states.
        description: what no graph can tell.
        golden: of these very graphs (``golden.make_golden``).
        card: MODEL_CARD.md (``model_card.render``).

    Returns:
        The manifest as written; its digest names the bundle.

    Raises:
        FileRejected: a graph is not self-contained.
        BadGolden: golden arrays that a file cannot hold.
        BadBundle: a golden replay misses its own tolerance, or the description says other things than the graphs.
        FileExistsError: there is something at ``into``.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise FileExistsError(f"{into} must be empty to become a bundle")
    graphs = {MODEL: model} | ({STEP: step} if step is not None else {})
    files = {name: path.read_bytes() for name, path in graphs.items()} | {
        GOLDEN: golden_file.to_bytes(golden),
        SELFTEST: (_TEMPLATES / "selftest.py").read_bytes(),
        EXAMPLE: (_TEMPLATES / _example(description, step is not None)).read_bytes(),
        CARD: card.encode(),
    }
    manifest = BundleManifest.model_validate(
        dict(description)
        | {
            "digest": _UNSET,
            "model": _graph(model, MODEL, description),
            "step": _graph(step, STEP, description) if step is not None else None,
            "golden": GoldenFacts(
                whole=len(golden.whole),
                stream=len(golden.stream),
                chunks=golden.chunks if golden.stream else (),
                tolerance=golden.tolerance,
            ),
            "made_with": {
                "seqpress": __version__,
                **{name: version(name) for name in ("numpy", "onnx", *runtime.distributions())},
            },
            "files": {
                name: FileFacts(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
                for name, data in sorted(files.items())
            },
        }
    )
    files[MANIFEST] = bundle_manifest.to_bytes(manifest)
    _publish(into, files)
    return bundle_manifest.from_bytes(files[MANIFEST])


def _example(about: Description, streams: bool) -> str:
    """Which program shows this model best."""
    out, taken = about.output, about.input  # no input form: frames
    reads_marks = taken is None and set(about.features) <= set(about.labels)
    if streams and about.task == "next-step" and reads_marks:
        return "example_generate_marks.py"
    says_the_next = out is not None and (out.answers, out.activation) == ("frames", "softmax")
    own = not about.vocabulary or about.vocabulary == about.labels  # what it says is what it reads
    if streams and says_the_next and own and taken is not None and taken.sizes == (len(about.labels),):
        return "example_generate.py"
    return "example_step.py" if streams else "example_whole.py"


def _graph(path: Path, name: str, description: Description) -> Graph:
    model = check_file(path, single_file=True).model
    states = description.states if name == STEP else ()
    return describe_graph(model, name, states=states, roles=description.roles)


def _publish(into: Path, files: dict[str, bytes]) -> None:
    """Write beside the place, verify, and take the name last."""
    into.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
    try:
        for name, data in files.items():
            _write(unfinished / name, data)
        unfinished.chmod(0o755)
        if problems := verify_bundle(unfinished, isolated=False):
            raise BadBundle(problems)
        os.rename(unfinished, into)  # an empty folder at the place is replaced
        _sync(into.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
