#!/usr/bin/env bash
# Puts dist/shop with release/<environment>/shop.json in place, starts it and waits until it answers: ci/deploy.sh staging|production
#
# Its address goes to deploy.env, a dotenv report, so that later jobs know it. The service outlives this job: it runs in a session of its
# own, keeps none of the job's streams open, and its program is copied out of the workspace. `ci/stop.sh` ends it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
environment=$1 root=$(shop_root "$1")
version=${SHOP_VERSION:-$(dist/shop version)}
release=$root/releases/$version

ci/stop.sh "$environment"
rm -rf "$release"
mkdir -p "$release" "$root/data" "$root/log" "$root/run"
cp dist/shop "$release/shop"
cp "release/$environment/shop.json" "$release/shop.json"
ln -sfn "$release" "$root/current"

setsid "$release/shop" serve -config "$release/shop.json" -pid-file "$root/run/pid" -address-file "$root/run/address" \
	</dev/null >>"$root/log/shop.log" 2>&1 &
pid=$!
for ((i = 0; i < 200; i++)); do
	[ -s "$root/run/address" ] && break
	kill -0 "$pid" 2>/dev/null || break
	sleep 0.05
done
if [ ! -s "$root/run/address" ]; then
	echo "the shop did not start; it said:" >&2
	tail -n 20 "$root/log/shop.log" >&2
	exit 1
fi
url=http://$(cat "$root/run/address")
printf '%s\n' "$url" >"$root/run/url"
"$release/shop" ready -url "$url" -within 10s
printf 'SHOP_URL=%s\n' "$url" >deploy.env
echo "$environment: version $version at $url (process $(cat "$root/run/pid"))"
