#!/usr/bin/env bash
# Builds the pipeline's own tool, ci/report, into .cache/bin, unless what the cache brought is of these very sources and this Go.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
sum=$({ go version; cat go.mod ci/report/*.go; } | sha256sum)
if [ -x .cache/bin/report ] && [ "$(cat .cache/bin/report.sum 2>/dev/null)" = "$sum" ]; then
	echo "report: from the cache"
	exit
fi
go build -o .cache/bin/report ./ci/report
printf '%s\n' "$sum" >.cache/bin/report.sum
echo "report: built"
