"""What a person sees while a run goes on: bars in a terminal, a few plain lines elsewhere, fewer in a CI job's log.
All of it on stderr.

``rich`` is imported with the first task that is computed in a terminal, so a cached run does not pay for it.
"""

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from ..engine import events

if TYPE_CHECKING:
    from rich.progress import TaskID

_LINE_EVERY_S = 10.0  # at most one line of progress per task and so many seconds
_LOG_LINES = 1000  # of a kind; some systems end a job whose log is longer than 4 MB
_LOG_COLUMNS = 1000
_SIGN_OF_LIFE_S = 60.0  # some systems end a job that says nothing for some minutes
_REFRESH_PER_S = 4  # a display must not disturb what is being timed


class _Display(Protocol):
    def tell(self, event: events.Event) -> None: ...

    def close(self) -> None: ...


class Live:
    """Shows the events of a run; pass it as ``on_event``.

    Args:
        stream: where to; a terminal gets bars, anything else gets lines.
        clock: seconds, for the distance between lines.
        ci: the log of a CI job: a line a finished task, a sign of life in between, and never more than a log takes.

    Example::

        with Live() as live:
            run(plan, store, on_event=live)
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic, ci: bool = False
    ) -> None:
        self._stream, self._clock, self._ci = stream or sys.stderr, clock, ci
        self._display: _Display | None = None
        self._early: list[events.Event] = []  # until the first task starts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._display:
            self._display.close()

    def __call__(self, event: events.Event) -> None:
        if self._display is None:
            self._early.append(event)
            if isinstance(event, events.RunStarted | events.TaskFinished):
                return
            self._display = self._chosen()
            waiting, self._early = self._early, []
            for earlier in waiting:
                self._display.tell(earlier)
        else:
            self._display.tell(event)

    def _chosen(self) -> _Display:
        if self._ci:
            return _Log(self._stream, self._clock)
        return _Bars(self._stream) if self._stream.isatty() else _Lines(self._stream, self._clock)


class _Count:
    """How many of how many tasks have a result."""

    def __init__(self) -> None:
        self.done, self.total = 0, 0

    def tell(self, event: events.Event) -> None:
        if isinstance(event, events.RunStarted):
            self.total = event.tasks
        elif isinstance(event, events.TaskFinished | events.TaskFailed | events.TaskBlocked):
            self.done += 1

    def __str__(self) -> str:
        return f"{self.done}/{self.total}"


class _Lines:
    """For logs: start, end, and now and then how far it is."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream, self._clock = stream, clock
        self._count, self._spoke_s = _Count(), dict[str, float]()

    def tell(self, event: events.Event) -> None:
        self._count.tell(event)
        line = self._line(event)
        if line:
            print(line, file=self._stream, flush=True)

    def _line(self, event: events.Event) -> str:
        match event:
            case events.RunStarted(tasks, hits, jobs):
                return f"{tasks} tasks: {hits} in the store, {tasks - hits} to do, {jobs} at once"
            case events.TaskStarted(task, title, _, why):
                self._spoke_s[task] = self._clock()
                return f"started   {title}" + (f" ({why})" if why else "")
            case events.Progress(task, title, done, total):
                now = self._clock()
                if now - self._spoke_s.get(task, now) < _LINE_EVERY_S:
                    return ""
                self._spoke_s[task] = now
                return f"          {title}: {done}/{total}{_numbers(event.numbers)}{_left(event)}"
            case events.TaskFinished(_, title, False, compute_s):
                return f"finished  {title} in {compute_s:.1f} s [{self._count}]"
            case _:
                return _remark(event)

    def close(self) -> None:
        """Nothing is left open."""


class _Log(_Lines):
    """For the log of a CI job, where nobody watches and every system cuts off somewhere."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        super().__init__(stream, clock)
        self._every, self._finished, self._bad = 1, 0, 0
        self._last_s = clock()

    def _line(self, event: events.Event) -> str:
        line = self._worth_saying(event)
        self._last_s = self._clock() if line else self._last_s
        return line[:_LOG_COLUMNS]

    def _worth_saying(self, event: events.Event) -> str:
        match event:
            case events.RunStarted(tasks, hits):
                self._every = max(1, -(-(tasks - hits) // _LOG_LINES))
                return super()._line(event)
            case events.TaskStarted():
                return ""
            case events.Progress() if self._clock() - self._last_s < _SIGN_OF_LIFE_S:
                return ""
            case events.Progress(_, title, done, total):
                return f"running   {title}: {done}/{total} [{self._count}]"
            case events.TaskFinished(cached=False):
                self._finished += 1
                return super()._line(event) if self._finished % self._every == 0 else ""
            case events.TaskFinished():
                return ""
            case _:
                self._bad += 1
                more = "          more of these are not shown" if self._bad == _LOG_LINES + 1 else ""
                return _remark(event) if self._bad <= _LOG_LINES else more


class _Bars:
    """For a terminal: one bar a running task, and one for the whole."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
        )
        self._progress = Progress(
            *columns, console=Console(file=stream), refresh_per_second=_REFRESH_PER_S, transient=True
        )
        self._bars: dict[str, TaskID] = {}
        self._count = _Count()
        self._whole: TaskID | None = None
        self._progress.start()

    def tell(self, event: events.Event) -> None:
        self._count.tell(event)
        match event:
            case events.RunStarted():
                self._whole = self._progress.add_task("all tasks", total=event.tasks, note="")
            case events.TaskStarted(task, title):
                self._bars[task] = self._progress.add_task(title, total=None, note="")
            case events.Progress(task) if task in self._bars:
                note = f"{event.done}/{event.total}{_numbers(event.numbers)}{_left(event)}"
                self._progress.update(self._bars[task], completed=event.done, total=event.total, note=note)
            case events.TaskFinished(task, title, cached, compute_s):
                self._remove(task)
                if not cached:
                    self._say(f"✓ {title}  {compute_s:.1f} s")
            case _:
                self._remove(event.task)
                self._say(_remark(event))
        if self._whole is not None:
            self._progress.update(self._whole, completed=self._count.done, note=str(self._count))

    def _remove(self, task: str) -> None:
        if task in self._bars:
            self._progress.remove_task(self._bars.pop(task))

    def _say(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._progress.stop()


def _remark(event: events.Event) -> str:
    match event:
        case events.TaskFailed(_, title, error):
            return f"FAILED    {title}: {error.faults[0].rule}"
        case events.TaskBlocked(_, title, by):
            return f"not run   {title}: needs {by}"
        case events.TaskWaiting(_, title, holder):
            return f"waiting   {title}: {holder} computes it"
        case _:
            return ""


def _numbers(numbers: Mapping[str, float]) -> str:
    return "".join(f"  {name} {value:.4g}" for name, value in numbers.items())


def _left(event: events.Progress) -> str:
    """The time left, were the rest as fast as the part that is done."""
    if not 0 < event.done < event.total:
        return ""
    left_s = event.elapsed_s / event.done * (event.total - event.done)
    return f"  {int(left_s) // 60}:{int(left_s) % 60:02d} left"
