#!/usr/bin/env bash
# seqpress in an environment of its own, first on PATH for the steps that follow.
#
# PACKAGE       what to install; this checkout with everything where empty
# REQUIREMENTS  a requirements file of the user's, or empty
# TORCH         cpu or auto: the build of torch that uv picks; index: the package index's own
set -euo pipefail

environment=$RUNNER_TEMP/seqpress
python -m venv --clear "$environment"
python=$environment/bin/python
"$python" -m pip install --quiet --disable-pip-version-check uv

wanted=("${PACKAGE:-${GITHUB_ACTION_PATH}[all]}")
if [[ -n ${REQUIREMENTS:-} ]]; then
  wanted+=(--requirement "$REQUIREMENTS")
fi
if [[ $TORCH != index ]]; then
  wanted+=(--torch-backend "$TORCH") # the default build for Linux brings several GB of CUDA libraries
fi
"$environment/bin/uv" pip install --quiet --python "$python" "${wanted[@]}"

"$environment/bin/compress" --version
echo "$environment/bin" >>"$GITHUB_PATH"
