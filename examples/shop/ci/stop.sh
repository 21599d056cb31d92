#!/usr/bin/env bash
# Stops the shop of an environment, and makes sure that it is gone: ci/stop.sh staging|production
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
environment=$1 root=$(shop_root "$1")

mapfile -t running < <(processes "$root")
if [ ${#running[@]} -eq 0 ]; then
	echo "$environment: nothing runs"
else
	kill -TERM "${running[@]}" 2>/dev/null || true
	for ((i = 0; i < 240; i++)); do # the shop gives open requests ten seconds
		[ -z "$(processes "$root")" ] && break
		sleep 0.05
	done
	mapfile -t stuck < <(processes "$root")
	if [ ${#stuck[@]} -gt 0 ]; then
		echo "$environment: killing ${stuck[*]}, which did not stop in 12 s" >&2
		kill -KILL "${stuck[@]}" 2>/dev/null || true
		sleep 0.2
	fi
	echo "$environment: stopped ${running[*]}"
fi

if [ -s "$root/run/url" ]; then
	url=$(cat "$root/run/url")
	if listens "$url"; then
		echo "$environment: something still listens at $url" >&2
		exit 1
	fi
	echo "$environment: nothing listens at $url any more"
	rm -f "$root/run/url" "$root/run/address" "$root/run/pid"
fi
