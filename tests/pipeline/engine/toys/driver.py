"""Runs the tasks of a JSON file; on purpose without a guard: workers must never run ``__main__`` again."""

import dataclasses
import json
import sys
from pathlib import Path

from seqpress.pipeline.engine.run import InterruptedRun, run
from seqpress.pipeline.engine.store import Store
from seqpress.pipeline.engine.task import Task
from seqpress.pipeline.errors import SeqpressError

spec = json.loads(Path(sys.argv[1]).read_text())
tasks = [Task(**{**task, "libraries": tuple(task["libraries"])}) for task in spec["tasks"]]
print("driver started", flush=True)
try:
    result = run(
        tasks,
        Store(spec["store"]),
        path=[Path(__file__).parent],
        on_event=lambda event: print(type(event).__name__, getattr(event, "task", ""), flush=True),
        **spec.get("settings", {}),
    )
except InterruptedRun as interrupted:
    print(interrupted, flush=True)
    sys.exit(interrupted.exit_code)
except SeqpressError as error:
    print(json.dumps(error.as_json()), file=sys.stderr)
    sys.exit(error.exit_code)
facts = {name: dict(artifact.facts) for name, artifact in result.artifacts.items()}
failures = {name: [dataclasses.asdict(fault) for fault in error.faults] for name, error in result.failures.items()}
loaded = [name for name in ("torch", "numpy", "rich", "multiprocessing") if name in sys.modules]
print(
    json.dumps({"facts": facts, "failures": failures, "hits": result.hits, "wall_s": result.wall_s, "loaded": loaded})
)
