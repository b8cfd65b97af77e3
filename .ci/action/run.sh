#!/usr/bin/env bash
# Becomes `compress run`: the runner signals the first process of a step only, so nothing may stand in front of it.
#
# PIPELINE   the YAML file
# ARGUMENTS  more arguments, one a line
# STRICT     true or false
# BASELINE   the last release, or empty
set -euo pipefail

arguments=()
while IFS= read -r line; do
  if [[ $line =~ [^[:space:]] ]]; then
    arguments+=("$line")
  fi
done <<<"${ARGUMENTS:-}"
if [[ -n ${BASELINE:-} ]]; then
  arguments+=(--set "regression.baseline='${BASELINE//\'/\'\'}'") # a string of YAML, whatever is in it
fi
if [[ ${STRICT:-false} == true ]]; then
  arguments+=(--strict)
fi
export SEQPRESS_STORE="${SEQPRESS_STORE:-$GITHUB_WORKSPACE/.seqpress}"
exec compress run "$PIPELINE" --ci ${arguments[@]+"${arguments[@]}"}
