"""Section ``data``: where the sequences come from and how they are split."""

from typing import Annotated, Literal

from pydantic import Field

from .options import JSON, Distinct, Options, Text, Words


class Holdout(Options):
    """A share of the items set aside, the same ones for the same seed."""

    fraction: Annotated[float, Field(gt=0, le=0.9, description="share of the items that is set aside")] = 0.2
    by: Annotated[
        Literal["class", "group", "random"],
        Field(
            description="class: each label keeps its share; group: items of one group (a speaker, a patient) stay "
            "together, the source must name the groups; random: neither"
        ),
    ] = "class"


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


class SktimeData(Splits):
    """A labelled set that sktime carries or has on disk, such as JapaneseVowels."""

    source: Literal["sktime"]
    name: Annotated[Text, Field(description="the set's name in sktime", examples=["JapaneseVowels"])]


class NpzData(Splits):
    """A NumPy archive of your own; docs/data.md describes its arrays. Pickled objects are refused."""

    source: Literal["npz"]
    path: Annotated[
        Text,
        Field(description="the archive, relative to the folder of the YAML file", examples=["sequences.npz"]),
    ]


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


DataSource = Annotated[SktimeData | NpzData | PythonData, Field(discriminator="source")]
