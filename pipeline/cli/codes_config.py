"""The codes of the command line and of pipeline.yaml."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """One code.

    Args:
        meaning: what is wrong, one sentence or two.
        remedy: what to do, in the imperative.
    """

    meaning: str
    remedy: str


CONFIG = {
    "usage": Code(
        "The command line names a command or an option that does not exist, or a value is missing.",
        "Look at the help page that the message names.",
    ),
    "usage.unknown-topic": Code(
        "`compress explain` knows neither a path of pipeline.yaml nor an error code of that name.",
        "Run `compress explain` without a topic for the list.",
    ),
    "usage.file-exists": Code(
        "`compress init` would have to overwrite a file.",
        "Name another file, or pass --force.",
    ),
    "usage.missing-answer": Code(
        "`compress init` needs an answer and nobody is there to give it.",
        "Pass the option that the message names.",
    ),
    "config.missing-file": Code(
        "The pipeline file, or a file that it names, does not exist or is a folder.",
        "Correct the path. Relative paths in the YAML start at its own folder.",
    ),
    "config.missing-module": Code(
        "A module of your own is found neither beside the YAML file nor among the installed packages.",
        "Correct the name before the colon, or install the package.",
    ),
    "config.size": Code("The file is larger than 1 MiB.", "Check that it is the file you meant."),
    "config.encoding": Code("The file is not UTF-8 text.", "Save it as UTF-8."),
    "config.character": Code(
        "The file holds a control character, such as NUL, that YAML does not allow.", "Delete that character."
    ),
    "config.empty": Code("The file holds nothing but comments.", "Start from `compress init`."),
    "config.syntax": Code(
        "The file is not YAML. The place is where reading stopped, so the cause may stand a line earlier.",
        "Look for an open bracket or quote, or a colon without a space behind it.",
    ),
    "config.tab": Code("A line is indented with a tab.", "Indent with spaces."),
    "config.documents": Code("The file holds a second YAML document after `---`.", "Keep one document in a file."),
    "config.alias": Code(
        "The file uses an anchor (`&name`) or an alias (`*name`). They are refused: a few lines of them expand to "
        "gigabytes, and a reader has to jump.",
        "Write the value out where it is needed.",
    ),
    "config.tag": Code("The file uses a YAML tag (`!!int`, `!name`).", "Write the value without its tag."),
    "config.merge-key": Code("The file uses the merge key `<<`, which YAML 1.2 no longer has.", "Write the keys out."),
    "config.key": Code("A key is a list or a mapping.", "Use texts as keys."),
    "config.depth": Code("The file nests deeper than 32 levels.", "Flatten it; nothing in pipeline.yaml is that deep."),
    "config.duplicate-key": Code(
        "A mapping has the same key twice. Most readers of YAML would silently take the last one.", "Keep one of them."
    ),
    "config.duplicate-value": Code("A list has the same value twice.", "Keep one of them."),
    "config.unknown-key": Code(
        "A key does not exist at this place: misspelled, wrongly indented, or of another section. Nothing is ignored "
        "silently.",
        "Take the nearest name that the message gives, or look at `compress explain` for the section.",
    ),
    "config.missing-key": Code("A key that has no default is not there.", "Add it; the message gives an example."),
    "config.type": Code(
        "A value is of the wrong kind. YAML 1.2 is read strictly: `no` and `'3'` are texts, `3.0` is no integer.",
        "Write what the message asks for.",
    ),
    "config.order": Code("The steps of a list stand in another order than they are done.", "Put them in that order."),
    "config.conflict": Code("Two options exclude each other.", "Keep the one that is meant."),
    "config.range": Code("A number is too small, too large, infinite or NaN.", "Choose one inside the range."),
    "config.length": Code("A text, list or mapping has too few or too many entries.", "Add or remove entries."),
    "config.choice": Code("A value is none of the allowed ones.", "Choose one of those that the message lists."),
    "config.reads": Code(
        "A network does not read the channels that the task needs of it.", "Leave out its `channels`, or add to them."
    ),
    "config.format": Code("A text does not have the form that is needed here.", "Follow the form in the message."),
    "config.name": Code(
        "A student's name is reserved, or differs from another one only in case. Names become folders and rows of the "
        "report.",
        "Rename the student.",
    ),
    "config.heads": Code(
        "The width of a transformer cannot be split evenly over its heads.",
        "Choose one of the head counts in the message, or another width.",
    ),
    "config.unit": Code(
        "A budget has no unit, or one that is not known. kB is 1000 bytes, KiB 1024; there is no KB.",
        "Write the number with one of the units in the message.",
    ),
    "config.budget-provider": Code(
        "A latency or step budget is set for a provider that is never timed, so it could never be decided.",
        "Add the provider to benchmark.providers, or delete the budget.",
    ),
    "config.budget-unmeasured": Code(
        "A limit is set on something that the same file switches off: the steps of a stream, or the peak memory.",
        "Switch on what the message names, or delete the limit.",
    ),
    "config.causal": Code(
        "A network that sees later frames is to foresee them.",
        "Take bidirectional out, or write causal: true for a transformer.",
    ),
    "config.metric": Code(
        "A budget is set on a metric that the task of this file does not have.",
        "Take one of the metrics that the message lists, or delete the budget.",
    ),
    "config.override": Code(
        "A --set option has no path=value form, or its path, or one of the section quick, leads nowhere.",
        "Write it like `--set distill.losses[0].temperature=4`; set a whole list or section where the path ends.",
    ),
    "config.no-quick": Code(
        "--quick was asked for, and the file does not say what is different then.",
        "Write a section quick: paths of values, and what they are to be.",
    ),
    "config.more": Code("The file has more faults than are shown.", "Mend the ones shown and check again."),
    "config.unknown-student": Code(
        "--only names a student that the file does not have.", "Take one of the names in the message."
    ),
    "cache.confirm": Code(
        "`compress cache clear` must be confirmed and nobody is there to ask.", "Add --yes if you mean it."
    ),
}
