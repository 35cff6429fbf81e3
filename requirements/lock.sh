#!/usr/bin/env bash
# Writes the hash-pinned *.txt anew from *.in, with the uv at $1; further arguments go to it (--upgrade takes new versions).
# The set that holds all the others is resolved first and binds them: one environment can hold any of them together.
set -euo pipefail
uv=$(realpath "$1")
cd "$(dirname "$0")"

compile() { # compile SET ARGUMENTS…
  UV_CUSTOM_COMPILE_COMMAND="make lock" "$uv" pip compile --quiet --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --output-file "$1.txt" "${@:2}"
}
compile dev dev.in "${@:2}"
within() { # within SET INPUTS…: only versions that dev.txt has
  compile "$1" --constraint dev.txt "${@:2}"
}
within kernel kernel.in
within service kernel.in service.in
within pipelines kernel.in pipelines.in
within local {kernel,service,pipelines,local}.in
within airflow {kernel,pipelines,airflow}.in
compile bootstrap bootstrap.in "${@:2}"
compile tools/localstripe tools/localstripe.in "${@:2}"   # an environment of its own, for tests only
compile tools/webhooks tools/webhooks.in "${@:2}"         # another one: what merchants verify with
