import io
import subprocess
import sys

import pytest
from seqpress.pipeline.cli.live import Live
from seqpress.pipeline.engine import events
from seqpress.pipeline.errors import Fault, StageFailed

ERROR = StageFailed(Fault("stage.failed", "task 'b'", "stopped with ValueError: why"))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    now = [0.0]

    def read():
        return now[0]

    read.set = lambda seconds: now.__setitem__(0, seconds)
    return read


def story(show, clock):
    show(events.RunStarted(tasks=5, hits=1, jobs=2))
    show(events.TaskFinished("data", "Data", True, 3.0))
    show(events.TaskStarted("a", "Teacher [96]", False, "options.seed 1 → 2"))
    show(events.TaskStarted("b", "Student"))
    for second in range(1, 31):
        clock.set(float(second))
        show(events.Progress("a", "Teacher [96]", second, 40, float(second), {"loss": 1 / second, "accuracy": 0.5}))
    show(events.TaskFinished("a", "Teacher [96]", False, 30.25))
    show(events.TaskFailed("b", "Student", ERROR))
    show(events.TaskBlocked("c", "Export", "b"))
    show(events.TaskWaiting("d", "Other", "process 7 on host"))


def test_plain_lines_where_there_is_no_terminal(clock):
    stream = io.StringIO()
    with Live(stream, clock) as live:
        story(live, clock)
    assert stream.getvalue().splitlines() == [
        "5 tasks: 1 in the store, 4 to do, 2 at once",
        "started   Teacher [96] (options.seed 1 → 2)",
        "started   Student",
        "          Teacher [96]: 10/40  loss 0.1  accuracy 0.5  0:30 left",
        "          Teacher [96]: 20/40  loss 0.05  accuracy 0.5  0:20 left",
        "          Teacher [96]: 30/40  loss 0.03333  accuracy 0.5  0:10 left",
        "finished  Teacher [96] in 30.2 s [2/5]",
        "FAILED    Student: stopped with ValueError: why",
        "not run   Export: needs b",
        "waiting   Other: process 7 on host computes it",
    ]


def test_bars_in_a_terminal_keep_the_outcome_and_never_read_markup(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Live(stream, clock) as live:
        story(live, clock)
        live(events.TaskStarted("e", "Slow"))
        live(events.Progress("e", "Slow", 30, 40, 30.0, {"loss": 0.5}))
    shown = stream.getvalue()
    assert "30/40  loss 0.5  0:10 left" in shown  # the last state is drawn once more at the end
    assert "✓ Teacher [96]  30.2 s" in shown
    assert "FAILED    Student: stopped with ValueError: why" in shown
    assert "not run   Export: needs b" in shown


def test_a_cached_run_shows_nothing_and_loads_nothing():
    code = (
        "import sys; from seqpress.pipeline.cli.live import Live; from seqpress.pipeline.engine import events as e\n"
        "with Live(sys.stderr) as live:\n"
        "    live(e.RunStarted(1, 1, 2)); live(e.TaskFinished('a', 'A', True, 1.0))\n"
        "print([name for name in ('rich', 'torch', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_failing_run_leaves_the_terminal_as_it_was(clock):
    stream = Terminal()
    live = Live(stream, clock)
    live(events.TaskStarted("a", "A"))
    live.__exit__(RuntimeError, RuntimeError(), None)
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h")  # the cursor is back


# -- the log of a CI job ---------------------------------------------------------------------------------


def test_a_ci_log_is_a_line_a_finished_task_even_in_a_terminal(clock):
    stream = Terminal()
    with Live(stream, clock, ci=True) as live:
        story(live, clock)
    assert stream.getvalue().splitlines() == [
        "5 tasks: 1 in the store, 4 to do, 2 at once",
        "finished  Teacher [96] in 30.2 s [2/5]",
        "FAILED    Student: stopped with ValueError: why",
        "not run   Export: needs b",
        "waiting   Other: process 7 on host computes it",
    ]


def test_a_ci_log_gives_a_sign_of_life(clock):
    stream = io.StringIO()
    with Live(stream, clock, ci=True) as live:
        live(events.RunStarted(tasks=1, hits=0, jobs=1))
        live(events.TaskStarted("a", "Teacher"))
        for second in range(1, 181):
            clock.set(float(second))
            live(events.Progress("a", "Teacher", second, 300, float(second), {"loss": 0.5}))
    assert stream.getvalue().splitlines()[1:] == [
        "running   Teacher: 60/300 [0/1]",
        "running   Teacher: 120/300 [0/1]",
        "running   Teacher: 180/300 [0/1]",
    ]


def test_a_ci_log_stays_short(clock):
    stream = io.StringIO()
    long = StageFailed(Fault("stage.failed", "task", "stopped " * 10_000))
    with Live(stream, clock, ci=True) as live:
        live(events.RunStarted(tasks=30_000, hits=0, jobs=2))
        for number in range(10_000):
            live(events.TaskStarted(f"a{number}", f"Student {number}"))
            live(events.TaskFinished(f"a{number}", f"Student {number}", False, 1.0))
            live(events.TaskFailed(f"b{number}", f"Export {number}", long))
            live(events.TaskBlocked(f"c{number}", f"Verify {number}", f"b{number}"))
    assert len(stream.getvalue()) < 2_000_000, "GitLab ends a log at 4 MB"
    lines = stream.getvalue().splitlines()
    assert lines.count("          more of these are not shown") == 1
    assert 300 < sum(line.startswith("finished") for line in lines) <= 1000
