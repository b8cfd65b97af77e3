"""``compress plan``: the graph of tasks, and what a run would have to compute."""

from typing import TYPE_CHECKING

from .arguments import Json, Overrides, PipelineFile, Quick
from .console import say, say_json
from .options import NoCacheRead, Only, StoreFolder

if TYPE_CHECKING:
    from ..engine.plan import TaskStatus

EXAMPLES = (
    "compress plan pipeline.yaml",
    "compress plan pipeline.yaml --set distill.losses[0].temperature=4",
    "compress plan pipeline.yaml --quick",
    "compress plan pipeline.yaml --json",
)


def plan(
    path: PipelineFile = "pipeline.yaml",
    overrides: Overrides = None,
    quick: Quick = False,
    only: Only = None,
    store: StoreFolder = None,
    no_cache_read: NoCacheRead = False,
    as_json: Json = False,
) -> None:
    """Show what a run would compute, and why.

    Each task is in the store already (hit) or has to be computed (miss). A task that waits has inputs that are not
    computed yet, so its key is not known; if they come out as before, it will be a hit. Nothing is computed.
    """
    from ..config import load
    from ..config.references import check_references
    from ..engine.plan import status
    from ..job import Request, plan as build

    loaded = load(path, overrides or [], quick)
    check_references(loaded)
    request = Request(loaded, store=store, only=only or ())
    found = status(build(request), request.open_store(), pipeline=loaded.config.name, no_cache_read=no_cache_read)
    if as_json:
        say_json({"name": loaded.config.name, "tasks": [_as_json(each) for each in found]})
    else:
        say(_table(found))


def _as_json(status: "TaskStatus") -> dict[str, object]:
    return {"task": status.task, "state": status.state, "why": status.why, "key": status.key}


def _table(found: "list[TaskStatus]") -> str:
    width = max(len(each.task) for each in found)
    lines = [f"{each.state:<5}  {each.task:<{width}}  {each.why}".rstrip() for each in found]
    counted = {state: sum(each.state == state for each in found) for state in ("hit", "miss", "waits")}
    summary = ", ".join(f"{count} {state}" for state, count in counted.items() if count)
    return "\n".join([*lines, f"{len(found)} tasks: {summary}"])
