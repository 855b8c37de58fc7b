#!/bin/sh
# Installs what is missing, builds and runs all tests.
set -eu
cd "$(dirname "$0")/.."

scripts/packages.sh build test
exec make -j"$(nproc 2>/dev/null || echo 2)" test
