#!/usr/bin/env bash
# Takes an environment away, whatever state it is in: ci/cleanup.sh staging|production
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
root=$(shop_root "$1")
ci/stop.sh "$1"
ci/infra.sh destroy "$1"
rm -rf "$root"
rmdir "$(dirname "$root")" 2>/dev/null || true # the last one takes the folder with it
echo "$1: gone"
