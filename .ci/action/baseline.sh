#!/usr/bin/env bash
# Says where the last release lies, as the output `path`; nothing where there is none yet.
#
# BASELINE  a path or URL, which `compress run` fetches itself, or latest-release
# ASSET     the file name of the release's asset
#
# A release that cannot be asked for is an error: a gate that is silently left out would pass anything.
set -euo pipefail

if [[ $BASELINE != latest-release ]]; then
  echo "path=$BASELINE" >>"$GITHUB_OUTPUT"
  exit 0
fi

folder=$(mktemp -d "$RUNNER_TEMP/baseline-XXXXXX")
if ! gh release view --repo "$GITHUB_REPOSITORY" --json assets --jq '.assets[].name' >"$folder.names" 2>"$folder.error"; then
  if grep -qi "release not found" "$folder.error"; then
    echo "::notice title=No release to compare with::This repository has no release yet, so nothing is compared."
    exit 0
  fi
  cat "$folder.error" >&2
  exit 1
fi
if ! grep -qxF -- "$ASSET" "$folder.names"; then
  echo "::warning title=No release to compare with::The latest release has no such asset, so nothing is compared."
  exit 0
fi
gh release download --repo "$GITHUB_REPOSITORY" --pattern "$ASSET" --dir "$folder"
echo "path=$folder/$ASSET" >>"$GITHUB_OUTPUT"
