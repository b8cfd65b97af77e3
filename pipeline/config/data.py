"""Section ``data``: where the sequences come from and how they are split."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .options import JSON, Distinct, Options, Text, Words, reject
from .transforms import Transforms


class Holdout(Options):
    """A share of the items set aside, the same ones for the same seed."""

    fraction: Annotated[float, Field(gt=0, le=0.9, description="share of the items that is set aside")] = 0.2
    by: Annotated[
        Literal["auto", "class", "group", "time", "random"],
        Field(
            description="class: each label keeps its share; group: items of one group (a speaker, a patient) stay "
            "together, the source must name the groups; time: the last ones, and where there are windows the last "
            "part of every series; random: none of these; auto: class where each item has one, else random"
        ),
    ] = "auto"
    gap: Annotated[int, Field(ge=0, description="by: time with windows: frames left out before this part")] = 0
    reach_back: Annotated[
        bool,
        Field(
            description="by: time with windows: the first windows may begin in the part before, so that every frame of "
            "this one is foreseen; what they are to foresee never does"
        ),
    ] = False


class Folds(Options):
    """k folds: the test split is one of them. All indices together test every item once."""

    count: Annotated[int, Field(ge=2, le=100, description="folds")]
    index: Annotated[int, Field(ge=0, description="the fold that tests, from 0")]
    by: Annotated[
        Literal["auto", "class", "group", "random"],
        Field(description="as in data.test.by"),
    ] = "auto"

    @model_validator(mode="after")
    def _index_is_a_fold(self) -> "Folds":
        if self.index >= self.count:
            raise reject("config.range", f"must have an index from 0 to {self.count - 1}")
        return self


class Splits(Options):
    """What every source shares."""

    validation: Annotated[
        Holdout, Field(description="cut from the training split; early stopping and the choice of seed look at it")
    ] = Holdout()
    test: Annotated[
        Holdout | None,
        Field(
            description="cut a test split off the training split; leave it out to use the source's own, which is an "
            "error for a source that has none. Only the report ever looks at the test split"
        ),
    ] = None
    folds: Annotated[Folds | None, Field(description="instead of data.test: one of k folds tests")] = None
    missing: Annotated[
        Literal["error", "drop", "interpolate", "mask-channel"],
        Field(
            description="what NaN or an empty cell means. error: the data are refused; drop: the frame is left out; "
            "interpolate: the line between its neighbours in time; mask-channel: 0, and a channel more for each that "
            "says where"
        ),
    ] = "error"
    duplicates: Annotated[
        Literal["warn", "error"],
        Field(
            description="the same item in two splits, bit for bit or to three digits: a finding of the report, or a "
            "fault"
        ),
    ] = "warn"
    limit: Annotated[
        int | None, Field(ge=1, description="items of each split at most, evenly spread; for a quick trial")
    ] = None
    transforms: Annotated[Transforms, Field(description="select, resample, truncate, window, normalise")] = ()

    @model_validator(mode="after")
    def _one_way_of_testing(self) -> "Splits":
        if self.folds is not None and self.test is not None:
            raise reject("config.conflict", "must have one of test and folds")
        windows = any(step.kind == "window" for step in self.transforms)
        ways = {self.validation.by == "time", (self.test or self.validation).by == "time"}
        if windows and len(ways) > 1:
            raise reject("config.conflict", "must cut windows by time in both test and validation, or in neither")
        return self


class SktimeData(Splits):
    """A labelled set that sktime carries or has on disk, such as JapaneseVowels."""

    source: Literal["sktime"]
    name: Annotated[Text, Field(description="the set's name in sktime", examples=["JapaneseVowels"])]


class AeonData(Splits):
    """A labelled set that aeon carries, read as those of sktime."""

    source: Literal["aeon"]
    name: Annotated[Text, Field(description="the set's name in aeon", examples=["ArrowHead"])]


class NpzData(Splits):
    """A NumPy archive of your own; docs/data.md describes its arrays. Pickled objects are refused."""

    source: Literal["npz"]
    path: Annotated[
        Text,
        Field(description="the archive, relative to the folder of the YAML file", examples=["sequences.npz"]),
    ]


Paths = Text | Annotated[tuple[Text, ...], Field(min_length=1), Distinct]


class Files(Splits):
    """Files of your own."""

    path: Annotated[
        Paths,
        Field(
            description="a file, a pattern such as logs/*.csv, or a list of them; relative to the YAML's folder",
            examples=["log.csv"],
        ),
    ]


class Columns(Splits):
    """What the columns of a table are."""

    layout: Annotated[
        Literal["long", "wide", "nested"],
        Field(
            description="long: a row is a frame, rows of one id stand together (without an id each file is one "
            "series); wide: a row is a sequence of one channel; nested: a row is a sequence, its feature columns hold "
            "lists of numbers, or one column lists of frames"
        ),
    ] = "long"
    id: Annotated[Text | None, Field(description="column that names the sequence")] = None
    time: Annotated[Text | None, Field(description="column that never falls within a sequence")] = None
    features: Annotated[
        tuple[Text, ...],
        Distinct,
        Field(description="columns, or patterns such as acc_*; []: every column of numbers that is nothing else"),
    ] = ()
    label: Annotated[Text | None, Field(description="column of the label, or of the number to be learned")] = None
    group: Annotated[Text | None, Field(description="column of the group (a speaker, a patient, a machine)")] = None
    split: Annotated[Text | None, Field(description="column of train, validation or test")] = None
    units: Annotated[dict[Text, Text], Field(default_factory=dict, description="feature: unit; noted for the device")]


class TableData(Files, Columns):
    """A table, read by pyarrow in streams however large it is."""


class HuggingfaceData(Columns):
    """A folder of Parquet or Arrow files, as data sets of the Hugging Face hub are kept; their names say the split."""

    source: Literal["huggingface"]
    path: Annotated[Text, Field(description="the folder, relative to that of the YAML file", examples=["digits"])]


class CsvData(TableData):
    """Text with a line of column names."""

    source: Literal["csv"]
    delimiter: Annotated[str, Field(min_length=1, max_length=1, description="between two columns")] = ","


class ParquetData(TableData):
    """Apache Parquet."""

    source: Literal["parquet"]


class ArrowData(TableData):
    """Apache Arrow, file or stream format (Feather 2 is the former)."""

    source: Literal["arrow"]


class PartPaths(Options):
    """Files by split, where the source has its own."""

    train: Annotated[Paths, Field(description="of the training split")]
    validation: Annotated[Paths | None, Field(description="of the validation split")] = None
    test: Annotated[Paths | None, Field(description="of the test split")] = None


class TextData(Splits):
    """Plain text in UTF-8, as tokens; the vocabulary is that of the training split."""

    source: Literal["text"]
    path: Annotated[Paths | PartPaths, Field(description="files, or files by split", examples=["input.txt"])]
    unit: Annotated[
        Literal["characters", "words", "bpe"],
        Field(description="what a token is; bpe: pieces of words, learned by the tokenizers package"),
    ] = "characters"
    items: Annotated[
        Literal["file", "line", "tagged"],
        Field(
            description="what a sequence is: a file (cut it into windows), a line, or lines of token, tab and tag up "
            "to a blank one"
        ),
    ] = "file"
    vocabulary: Annotated[int | None, Field(ge=2, description="tokens at most, the most frequent ones")] = None
    min_count: Annotated[int, Field(ge=1, description="occurrences in training from which a token is known")] = 1


class Mel(Options):
    """Logarithms of the power in bands of the mel scale, computed by librosa as the data are read."""

    kind: Literal["log-mel", "mfcc"]
    bands: Annotated[int, Field(ge=4, le=256, description="mel bands")] = 40
    coefficients: Annotated[int, Field(ge=2, le=256, description="of mfcc; at most the bands")] = 13
    window_ms: Annotated[float, Field(gt=0, le=1000, description="stretch of sound under one frame")] = 25.0
    hop_ms: Annotated[float, Field(gt=0, le=1000, description="from one frame to the next")] = 10.0


class AudioData(Splits):
    """Recordings: a folder of folders by label, a csv that names the files, or an npz of samples end to end."""

    source: Literal["audio"]
    path: Annotated[
        Text,
        Field(
            description="a folder (label/take.wav), a csv with columns file, label, group and split, or an npz with "
            "audio, offsets, label and sample_rate",
            examples=["recordings"],
        ),
    ]
    group: Annotated[Text | None, Field(description="of an npz: the array that names the group")] = None
    front_end: Annotated[
        Mel | None, Field(description="left out: the samples themselves, one channel from -1 to 1")
    ] = None


class PythonData(Splits):
    """A function of your own that returns the sequences. It runs as your code, with your rights."""

    source: Literal["python"]
    entry: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
            description="module and function; the folder of the YAML file is searched first",
            examples=["my_data:load"],
        ),
        Words("'module:function', such as my_data:load"),
    ]
    arguments: Annotated[dict[str, JSON], Field(default_factory=dict, description="keyword arguments of the function")]
    files: Annotated[
        tuple[Text, ...],
        Distinct,
        Field(description="files that the function reads: a change in one of them makes the data anew"),
    ] = ()


DataSource = Annotated[
    SktimeData
    | AeonData
    | NpzData
    | CsvData
    | ParquetData
    | ArrowData
    | HuggingfaceData
    | TextData
    | AudioData
    | PythonData,
    Field(discriminator="source"),
]
