# shellcheck shell=bash
# What the pipeline's scripts share. Sourced, never run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shop_root prints the folder that environment $1 lives in. It is outside of the work tree, since a deployed shop outlives the job that
# deployed it. SHOP_STATE moves it. Staging is apart for each pipeline; there is one production.
shop_root() {
	local base=${SHOP_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/shop}
	case $base in
	*[\"\\]* | [!/]*)
		echo "SHOP_STATE must be an absolute path without quotes: $base" >&2
		return 1
		;;
	esac
	case $1 in
	staging) printf '%s/staging-%s\n' "$base" "${SHOP_INSTANCE:-local}" ;;
	production) printf '%s/production\n' "$base" ;;
	*)
		echo "environment $1: staging or production" >&2
		return 1
		;;
	esac
}

# processes prints the ids of all processes that run a program of the environment in folder $1.
processes() {
	local exe
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" 2>/dev/null) in
		"$1"/*) exe=${exe%/exe} && printf '%s\n' "${exe#/proc/}" ;;
		esac
	done
}

# listens tells whether something listens at http://host:port.
listens() {
	local at=${1#http://}
	(exec 3<>"/dev/tcp/${at%:*}/${at##*:}") 2>/dev/null
}
