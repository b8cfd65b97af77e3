"""The GitHub action, the workflow and the GitLab job: well formed, safe against what a stranger types, and run.

What a runner would do is done here with the environment that it would give; ``gh`` and ``compress`` are stand-ins that
write down how they were called.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from seqpress.pipeline.cli.app import execute

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
WORKFLOW = ROOT / "docs" / "ci" / "github-workflow.yml"
GITLAB = ROOT / "docs" / "ci" / "gitlab-ci.yml"
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
SCRIPTS = sorted((ROOT / ".ci" / "action").glob("*.sh"))
TOOLS = Path(sysconfig.get_path("scripts"))
STRANGE = "a b'c\"d $(touch hacked) `touch hacked` ; touch hacked # µ"


def parsed(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps() -> list[dict[str, Any]]:
    """Every step of the action and of the workflow."""
    of_jobs = [step for job in parsed(WORKFLOW)["jobs"].values() for step in job["steps"]]
    return [*parsed(ACTION)["runs"]["steps"], *of_jobs]


def shell_texts() -> Iterator[tuple[str, str]]:
    """Every piece of shell, by a name."""
    yield from ((step["name"], step["run"]) for step in steps() if "run" in step)
    job = parsed(GITLAB)["compress"]
    yield from ((f"gitlab {part}", "\n".join(job[part])) for part in ("before_script", "script", "after_script"))
    yield from ((path.name, path.read_text(encoding="utf-8")) for path in SCRIPTS)


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    return found or pytest.skip(f"{name} is not installed")


# -- form ------------------------------------------------------------------------------------------------


def test_the_page_shows_the_files_as_they_are():
    shown = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
    assert shown[:2] == [WORKFLOW.read_text(encoding="utf-8"), GITLAB.read_text(encoding="utf-8")]


def test_the_page_tells_every_input_and_output():
    action = parsed(ACTION)
    for name, one in action["inputs"].items():
        shown = f"`{one['default']}`" if one["default"] else ""
        assert f"| `{name}` | {one['description']} | {shown} |" in PAGE
    for name, one in action["outputs"].items():
        assert f"| `{name}` | {one['description']} |" in PAGE
    used = {name for step in steps() if "OWNER/" in step.get("uses", "") for name in step["with"]}
    assert used <= set(action["inputs"])
    assert len(used) > 2


def test_every_input_is_used():
    text = ACTION.read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(parsed(ACTION)["inputs"])


def test_nothing_is_pasted_into_a_shell():
    """An expression in a script is code that whoever names a branch may write."""
    assert sum(1 for _ in shell_texts()) > 8
    for name, text in shell_texts():
        assert "${{" not in text, name
    for step in parsed(ACTION)["runs"]["steps"]:
        assert ("run" in step) == (step.get("shell") == "bash"), step["name"]


def test_what_is_used_is_pinned_to_a_version():
    used = [step["uses"] for step in steps() if "uses" in step]
    assert len(used) == 7
    assert [one for one in used if not re.fullmatch(r"[\w-]+(/[\w-]+)+@(v\d+(\.\d+)*|[0-9a-f]{40})", one)] == []


def test_the_job_that_runs_strangers_code_may_only_read():
    workflow = parsed(WORKFLOW)
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in workflow["jobs"]["compress"]
    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    assert "startsWith(github.ref, 'refs/tags/')" in workflow["jobs"]["release"]["if"]
    assert "pull_request_target" not in workflow[True], "YAML 1.1 reads the key `on` as true"


def test_only_the_default_branch_saves_and_every_save_has_its_own_key():
    by_name = {step["name"]: step for step in parsed(ACTION)["runs"]["steps"]}
    restore, save = by_name["Restore finished tasks"], by_name["Save finished tasks"]
    assert "github.event.repository.default_branch" in save["if"]
    assert restore["with"]["key"] == save["with"]["key"]
    assert "github.run_id" in save["with"]["key"]
    assert "github.run_attempt" in save["with"]["key"]
    prefixes = restore["with"]["restore-keys"].splitlines()
    assert all(restore["with"]["key"].startswith(prefix) for prefix in prefixes)
    assert restore["with"]["path"] == save["with"]["path"] == ".seqpress"


@pytest.mark.parametrize(("name", "text"), list(shell_texts()), ids=lambda value: value if len(value) < 40 else "")
def test_the_shell_is_sound(name, text, tmp_path):
    script = tmp_path / "step.sh"
    script.write_text(text if text.startswith("#!") else f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
    subprocess.run(["bash", "-n", script], check=True)
    done = subprocess.run([tool("shellcheck"), script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_nobody_finds_a_hole_in_it():
    """zizmor holds both files to GitHub's schema and looks for what an attacker could use."""
    command = [tool("zizmor"), "--offline", "--no-progress", "--format=json", str(ACTION), str(WORKFLOW)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert {one["ident"] for one in found} <= {"unpinned-uses"}, done.stdout


# -- run -------------------------------------------------------------------------------------------------

STAND_IN = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["CALLS"], "a") as file:
    call = {{"pid": os.getpid(), "argv": sys.argv[1:], "store": os.environ.get("SEQPRESS_STORE")}}
    print(json.dumps(call), file=file)
with open(os.environ["CALLS"] + ".answers") as file:
    answers = json.load(file)
code, out, err = answers.get(" ".join(sys.argv[1:3]), [0, "", ""])
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


class Runner:
    """A folder like a runner's, in which stand-ins come first on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls_file = folder / "calls"
        self.answer({})
        (folder / "bin").mkdir()
        (folder / "temp").mkdir()
        for name in ("gh", "compress", "uv"):
            (folder / "bin" / name).write_text(STAND_IN, encoding="utf-8")
            (folder / "bin" / name).chmod(0o755)

    def answer(self, answers: Mapping[str, list[Any]]) -> None:
        """What stand-ins say, by their first two arguments: exit code, stdout, stderr."""
        Path(f"{self.calls_file}.answers").write_text(json.dumps(answers), encoding="utf-8")

    def run(self, script: str, **variables: str) -> tuple[int, str, int]:
        """Exit code, what was said, and the id of the process that the runner would signal."""
        given = {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "CALLS": str(self.calls_file),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_WORKSPACE": str(self.folder),
            "GITHUB_REPOSITORY": "owner/name",
            "GITHUB_OUTPUT": str(self.folder / "outputs"),
        }
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script],
            cwd=self.folder, env=given | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        said, _ = process.communicate(timeout=60)
        assert not list(self.folder.rglob("hacked"))
        return process.returncode, said, process.pid

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.calls_file.read_text(encoding="utf-8").splitlines()]

    @property
    def outputs(self) -> str:
        path = self.folder / "outputs"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def step(name: str) -> str:
    return next(one["run"] for one in steps() if one.get("name") == name)


def test_the_run_step_becomes_the_command(runner):
    """A runner signals the process that it started: that must be compress, not a shell in front of it."""
    variables = {"PIPELINE": STRANGE, "ARGUMENTS": "", "STRICT": "false", "BASELINE": ""}
    code, said, pid = runner.run(step("Run the pipeline"), **variables)
    assert code == 0, said
    (call,) = runner.calls
    assert call == {"pid": pid, "argv": ["run", STRANGE, "--ci"], "store": str(runner.folder / ".seqpress")}


def test_arguments_arrive_as_they_were_typed(runner):
    arguments = f"--set=budgets.size=24 kB\n\n   \n--only\n{STRANGE}\n*\n"
    variables = {"PIPELINE": "p.yaml", "ARGUMENTS": arguments, "STRICT": "true", "BASELINE": f"/tmp/{STRANGE}.tar.gz"}
    code, said, _ = runner.run(step("Run the pipeline"), **variables)
    assert code == 0, said
    *typed, flag, override, strict = runner.calls[0]["argv"]
    assert typed == ["run", "p.yaml", "--ci", "--set=budgets.size=24 kB", "--only", STRANGE, "*"]
    assert (flag, strict) == ("--set", "--strict")
    path, _, value = override.partition("=")
    assert path == "regression.baseline"
    assert yaml.safe_load(value) == f"/tmp/{STRANGE}.tar.gz"


def test_the_exit_code_is_the_commands(runner):
    runner.answer({"run p.yaml": [5, "", "a gate failed"]})
    assert runner.run(step("Run the pipeline"), PIPELINE="p.yaml")[0] == 5


def baseline(runner: Runner, **more: str) -> tuple[int, str]:
    code, said, _ = runner.run(
        step("Find the last release"), **{"BASELINE": "latest-release", "ASSET": "seqpress-run.tar.gz"} | more
    )
    return code, said


def test_a_path_is_taken_as_it_is(runner):
    assert baseline(runner, BASELINE=STRANGE)[0] == 0
    assert runner.outputs == f"path={STRANGE}\n"
    assert not runner.calls_file.exists()


def test_the_asset_of_the_latest_release_is_fetched(runner):
    runner.answer({"release view": [0, "other.zip\nseqpress-run.tar.gz\n", ""]})
    code, said = baseline(runner)
    assert code == 0, said
    path = Path(runner.outputs.removeprefix("path=").rstrip("\n"))
    assert path.name == "seqpress-run.tar.gz"
    assert path.is_relative_to(runner.folder / "temp")
    fetched = runner.calls[1]["argv"]
    assert fetched[:4] == ["release", "download", "--repo", "owner/name"]
    assert fetched[-1] == str(path.parent)


def test_the_first_release_has_nothing_to_compare_with(runner):
    runner.answer({"release view": [1, "", "release not found\n"]})
    code, said = baseline(runner)
    assert code == 0
    assert said.startswith("::notice title=No release to compare with::")
    assert runner.outputs == ""


def test_a_release_of_other_things_is_a_warning(runner):
    runner.answer({"release view": [0, "seqpress-run.tar.gz.old\n", ""]})
    code, said = baseline(runner)
    assert code == 0
    assert said.startswith("::warning title=No release to compare with::")
    assert runner.outputs == ""


def test_a_release_that_cannot_be_asked_for_fails_the_job(runner):
    runner.answer({"release view": [1, "", "HTTP 502: Bad Gateway\n"]})
    code, said = baseline(runner)
    assert code == 1
    assert "502" in said
    assert runner.outputs == ""


def test_the_run_folder_is_packed_and_released(runner):
    folder = runner.folder / "seqpress-run"
    folder.mkdir()
    (folder / "summary.md").write_text("all is well\n", encoding="utf-8")
    variables = {"GITHUB_RUN_ID": "7", "GITHUB_REF_NAME": "v1 " + STRANGE}
    for name in ("Pack the run folder", "Release it"):
        code, said, _ = runner.run(step(name), **variables)
        assert code == 0, said
    listed = subprocess.run(
        ["tar", "-tzf", runner.folder / "seqpress-run.tar.gz"], capture_output=True, text=True, check=True
    )
    assert "seqpress-run/summary.md" in listed.stdout
    assert runner.calls[1]["argv"][:4] == ["release", "create", "v1 " + STRANGE, "seqpress-run.tar.gz"]
    assert (runner.folder / "notes.md").read_text(encoding="utf-8") == "all is well\n"


def test_the_store_is_tidied_with_a_command_that_exists(runner, tiny):
    code, said, _ = runner.run(step("Tidy the store"))
    assert code == 0, said
    copy = runner.folder / ".seqpress"
    shutil.copytree(tiny.store, copy)
    assert execute(runner.calls[0]["argv"]) == 0


def test_the_gitlab_job_leaves_its_files_in_one_place(runner):
    job = parsed(GITLAB)["compress"]
    variables = {"PIPELINE": job["variables"]["PIPELINE"], "SEQPRESS_STORE": "/x"}
    code, said, pid = runner.run("\n".join(job["script"]), **variables)
    assert code == 0, said
    assert runner.calls[0]["pid"] == pid
    assert runner.calls[0]["argv"] == ["run", "pipeline.yaml", "--ci", "--out", "seqpress-runs"]

    done = runner.folder / "seqpress-runs" / "tiny net" / "1"
    done.mkdir(parents=True)
    for name in ("junit.xml", "metrics.txt"):
        (done / name).write_text(name, encoding="utf-8")
    (done.parent / "latest").symlink_to("1")
    assert runner.run("\n".join(job["after_script"]))[0] == 0
    for path in job["artifacts"]["reports"].values():
        assert (runner.folder / path).is_file()
    assert not (runner.folder / "seqpress-run").is_symlink()


def test_the_gitlab_job_says_nothing_where_there_is_no_run(runner):
    code, said, _ = runner.run("\n".join(parsed(GITLAB)["compress"]["after_script"]))
    assert (code, said) == (0, "")
