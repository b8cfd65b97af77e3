#!/usr/bin/env python3
"""Everything a developer types: `python3 do VERB`. Needs Python 3.11 or newer and git, nothing else.

run      set up, then run the main job on pipeline.yaml (more arguments go to `compress run`)
test     set up, then lint, types and tests (more arguments go to pytest, and then it is pytest alone)
setup    make .venv with everything in it
types    the type checker
lint     the linter and the import contracts
docs     write the generated pages of docs/ and the golden reports again
bench    the studies under benchmarks/studies (name one, or all)
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "seqpress-setup"
TORCH = "2.13.0"


def call(*command: object, check: bool = True, quiet: bool = False) -> int:
    """Run a command in the checkout; stop with its exit code where it fails."""
    sink = subprocess.DEVNULL if quiet else None
    code = subprocess.run([str(part) for part in command], cwd=ROOT, stdout=sink, stderr=sink).returncode
    if check and code:
        sys.exit(code)
    return code


def pip(*arguments: object, check: bool = True, quiet: bool = False) -> int:
    return call(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments,
                check=check, quiet=quiet)  # fmt: skip


def install_torch() -> None:
    """A CPU build where there is no GPU: the default build on Linux brings several GB of CUDA libraries."""
    if sys.platform == "darwin" or shutil.which("nvidia-smi"):
        pip(f"torch=={TORCH}")
        return
    if pip(f"torch=={TORCH}+cpu", check=False, quiet=True) == 0:  # where the package index offers one
        return
    pip("uv")  # knows where PyTorch keeps its CPU builds
    if call(BIN / "uv", "pip", "install", "--quiet", "--python", PYTHON, "--torch-backend=cpu", f"torch=={TORCH}",
            check=False):  # fmt: skip
        sys.exit("No CPU build of torch is on offer here. Install one into .venv by hand, then try again.")


def setup() -> None:
    """Make .venv, or bring it up to date where pyproject.toml changed."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + TORCH.encode()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python runs first
        sys.exit(f"seqpress needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    print("setting up .venv (once; a minute or two) …", file=sys.stderr, flush=True)
    venv.create(VENV, with_pip=True)
    if call(PYTHON, "-c", "import torch", check=False, quiet=True):
        install_torch()
    pip("--editable", ".[dev]")
    STAMP.write_text(wanted)


def lint() -> None:
    call(BIN / "ruff", "check", ".", "do")
    call(BIN / "ruff", "format", "--check", "--quiet", ".")
    call(BIN / "lint-imports", "--no-logo")


def types() -> None:
    """mypy needs the package under its name, and the checkout may be called anything."""
    source = VENV / "src"
    source.mkdir(exist_ok=True)
    link = source / "seqpress"
    if not link.exists():
        link.symlink_to(ROOT, target_is_directory=True)
    os.environ["MYPYPATH"] = str(source)
    call(BIN / "mypy")


def main() -> None:
    verb, *rest = sys.argv[1:] or ["help"]
    if verb not in ("run", "test", "setup", "types", "lint", "docs", "bench"):
        sys.exit(__doc__)
    setup()
    if verb == "run":
        sys.exit(call(BIN / "compress", "run", "pipeline.yaml", *rest, check=False))
    if verb == "test" and rest:
        sys.exit(call(PYTHON, "-m", "pytest", *rest, check=False))
    if verb == "test":
        lint()
        types()
        call(PYTHON, "-m", "pytest", "--numprocesses=2", "--dist=loadgroup")
    if verb in ("lint", "types"):
        {"lint": lint, "types": types}[verb]()
    if verb == "docs":
        call(PYTHON, "-m", "seqpress.pipeline.cli.documents", "docs")
        call(PYTHON, "tests/pipeline/report/update_golden.py")
    if verb == "bench":
        for study in sorted((ROOT / "benchmarks" / "studies").glob("*.py")):
            if not rest or study.stem in rest:
                call(PYTHON, study)


if __name__ == "__main__":
    main()
