"""What ``manifest.json`` of a bundle says, and its published JSON Schema (docs/bundle.schema.json). No torch.

The writer reads names, types and axes out of the graphs, so they cannot disagree with them; a caller gives a
:class:`Description`, which is everything that no graph can tell. Raise ``SCHEMA_VERSION`` whenever a field changes
its meaning.
"""

import hashlib
import json
import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ..forms import InputForm, OutputForm
from ..manifest import Manifest, StateSpec

SCHEMA_VERSION: Final = 1
_UNSET = "0" * 64  # stands for the digest while the digest is computed
_DIGEST_LINE = re.compile(rb'^ "digest": "([0-9a-f]{64})",$', re.MULTILINE)

_SHARED = (
    "task", "architecture", "recipe", "labels", "features", "causal", "receptive_field", "look_ahead",
    "frame_period_ms", "states", "notes",
)  # fmt: skip

# Fields that a classifier of frames does without, as the first bundles did, with the value that is not written.
_LATER: dict[str, Any] = {"input": None, "output": None, "vocabulary": [], "device": {}}
_OF_METRICS = {"label": "", "better": "higher", "unit": "share"}  # left out of a metric where they say this, as there

Role = Literal[
    "frames", "tokens", "samples", "lengths", "state", "next state",
    "probabilities", "logits", "values", "scores", "other",
]  # fmt: skip
FED: Final[tuple[Role, ...]] = ("frames", "tokens", "samples")
"""Roles of the one input that a sequence goes into."""
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Part(BaseModel):
    """Frozen, deaf to nothing, and without NaN or infinity, which JSON does not have."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Axis(Part):
    """One axis of a tensor."""

    name: str
    size: int | None = Field(description="fixed size; null where any size from 1 will do")
    meaning: str


class TensorFacts(Part):
    """One input or output of a graph."""

    name: str
    role: Role
    dtype: str = Field(description="numpy's name of the element type")
    axes: tuple[Axis, ...]
    meaning: str


class Graph(Part):
    """One ONNX file."""

    file: str
    ir_version: int
    opset: dict[str, int] = Field(description="operator sets by domain; ai.onnx is ONNX's own")
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]


class Standardize(Part):
    """Each feature minus its mean, divided by its standard deviation."""

    kind: Literal["standardize"] = "standardize"
    where: Literal["in the graph", "before the graph"] = "in the graph"
    mean: tuple[float, ...]
    std: tuple[float, ...]


class NonFinite(Part):
    """What NaN and infinity in an input do."""

    policy: Literal["propagate", "clean", "undefined"]
    rule: str = Field(description="the policy in words")


class Metric(Part):
    """A quality number of this very artifact, measured by onnxruntime."""

    name: str
    label: str = Field(default="", description="for people; absent where it is the name")
    better: Literal["higher", "lower"] = Field(default="higher", description="which way is better; absent for higher")
    unit: str = Field(default="share", description="share: from 0 to 1, absent for that; else nats, bits or nothing")
    split: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = Field(default=None, description="items it was measured on")
    confidence: float = 0.95
    by_class: dict[str, float] = {}


class Weights(Part):
    """What fills the file."""

    parameters: int
    weight_bytes: int
    int8_share: float = Field(description="weight bytes of 8 bits or fewer over all weight bytes, 0 to 1")
    left_in_float: tuple[str, ...] = Field(default=(), description="large float tensors, each with its reason")


class LeakProbe(Part):
    """Whether an output moves when only its surroundings change, found by trying."""

    probe: str
    leaks: bool
    worst: float | None
    note: str


class Description(Part):
    """What a caller must know to ship a graph.

    ``roles`` names the tensors of a graph that does not use seqpress's own names.
    """

    name: str
    task: str
    architecture: str
    recipe: str
    labels: tuple[str, ...]
    features: tuple[str, ...]
    causal: bool
    receptive_field: int | None = Field(description="frames that an output sees; null where unbounded")
    look_ahead: int | None = Field(description="later frames that an output needs; null: the whole sequence")
    frame_period_ms: float | None = Field(description="time from frame to frame; null where nobody said")
    preprocessing: tuple[Standardize, ...] = ()
    non_finite: NonFinite
    states: tuple[StateSpec, ...] = ()
    metrics: tuple[Metric, ...] = ()
    weights: Weights | None = None
    notes: tuple[str, ...] = ()
    leaks: tuple[LeakProbe, ...] = ()
    lineage: dict[str, str] = Field(default={}, description="digest of every step that led here, by its name")
    libraries: dict[str, str] = Field(default={}, description="versions that trained and exported it")
    roles: dict[str, Role] = {}
    input: InputForm | None = Field(default=None, description="what goes in; absent for frames")
    output: OutputForm | None = Field(default=None, description="what comes out; absent for classes of whole sequences")
    vocabulary: tuple[str, ...] = Field(default=(), description="text of each token, by its identifier")
    device: dict[str, JsonValue] = Field(
        default={}, description="what a device does to its input before the graph, as it was done to the training data"
    )

    @classmethod
    def of(cls, manifest: Manifest, *, name: str, non_finite: NonFinite, **more: Any) -> "Description":
        """From what an artifact of seqpress says about itself.

        Args:
            manifest: that of step.onnx where there is one, since it knows the states; else that of model.onnx.
            name: of the variant, "tcn-16/static-int8".
            non_finite: what NaN in an input does.
            more: any other field.

        Raises:
            pydantic.ValidationError: a field that does not exist, or with a value of another type.
        """
        shared = {field: getattr(manifest, field) for field in _SHARED}
        shared |= {"input": None if manifest.input == InputForm() else manifest.input}
        shared |= {"output": None if manifest.output == OutputForm() else manifest.output}
        return cls.model_validate(shared | {"name": name, "non_finite": non_finite} | more)


class Tolerance(Part):
    """How far a replay may lie from the golden outputs: ``relative`` times the largest golden value, 1 at least."""

    relative: float = Field(gt=0)
    because: str


class GoldenFacts(Part):
    """What golden.npz holds."""

    whole: int = Field(description="cases of the whole graph")
    stream: int = Field(description="sequences of the step graph")
    chunks: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        description="frames a call in which the sequences are replayed; 0 for all of them at once"
    )
    tolerance: Tolerance


class FileFacts(Part):
    sha256: Sha256
    size_bytes: int


class BundleManifest(Description):
    """The whole of manifest.json.

    ``digest`` is the sha256 of manifest.json itself with 64 zeros in its place; since the manifest holds the digests
    of all other files, it names the bundle.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    digest: Sha256
    model: Graph
    step: Graph | None
    golden: GoldenFacts
    made_with: dict[str, str] = Field(description="seqpress, and what computed the golden outputs")
    files: dict[str, FileFacts] = Field(description="every file of the folder but this one")


class BadManifest(ValueError):
    """A manifest.json that cannot be believed. ``newer`` where only an update can read it."""

    def __init__(self, rule: str, got: str, newer: bool = False) -> None:
        self.rule, self.got, self.newer = rule, got, newer
        super().__init__(f"manifest.json {rule}; got {got}")


def to_bytes(manifest: BundleManifest) -> bytes:
    """The file, its digest filled in: the same manifest is the same bytes."""
    plain = manifest.model_dump(mode="json") | {"digest": _UNSET}
    plain = {name: value for name, value in plain.items() if name not in _LATER or value != _LATER[name]}
    plain["metrics"] = [_without_defaults(metric) for metric in plain["metrics"]]
    text = json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    zeroed = text.encode()
    return zeroed.replace(_UNSET.encode(), hashlib.sha256(zeroed).hexdigest().encode(), 1)


def _without_defaults(metric: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metric.items() if name not in _OF_METRICS or value != _OF_METRICS[name]}


def from_bytes(data: bytes) -> BundleManifest:
    """Read manifest.json back, byte for byte.

    Raises:
        BadManifest: not what :func:`to_bytes` writes, changed since, or of a newer version.
    """
    try:
        plain: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadManifest("must be JSON", str(error)[:200]) from error
    version = plain.get("schema_version") if isinstance(plain, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BadManifest(f"must have schema version {SCHEMA_VERSION} or lower", str(version), newer=True)
    try:
        manifest = BundleManifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadManifest("must follow docs/bundle.schema.json", f"{_path(first['loc'])}: {first['msg']}") from error
    if digest_of(data) != manifest.digest:
        raise BadManifest("must be as it was written", "other bytes than its digest says")
    if to_bytes(manifest) != data:
        raise BadManifest("must be written as seqpress writes it", "other spaces, order or double keys")
    return manifest


def digest_of(data: bytes) -> str:
    """The digest that belongs into these bytes; empty where they have no place for one."""
    found = _DIGEST_LINE.findall(data)
    return hashlib.sha256(data.replace(found[0], _UNSET.encode(), 1)).hexdigest() if len(found) == 1 else ""


def schema() -> dict[str, object]:
    """JSON Schema (draft 2020-12) of manifest.json."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, **BundleManifest.model_json_schema(mode="serialization"), "title": "manifest.json"}


def _path(parts: tuple[int | str, ...]) -> str:
    return ".".join(map(str, parts)) or "the document"
