#!/usr/bin/env bash
# Writes the configuration of an environment into release/<environment>/shop.json: ci/configure.sh staging|production
#
# With Ansible where it is installed, else by a few lines of shell from the same template, which is said.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
environment=$1 root=$(shop_root "$1")
release=$PWD/release/$environment
lifetime=0s
# Staging ends by itself when no cleanup job ever comes; see auto_stop_in in .gitlab-ci.yml.
if [ "$environment" = staging ]; then lifetime=30m; fi

if command -v ansible-playbook >/dev/null; then
	export ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=0 ANSIBLE_INVENTORY_UNPARSED_WARNING=0 LC_ALL=C.UTF-8
	# Nothing is written into the home folder, which jobs that run beside this one share.
	temporary=$(mktemp -d)
	trap 'rm -rf "$temporary"' EXIT
	export ANSIBLE_HOME=$temporary ANSIBLE_LOCAL_TEMP=$temporary/local ANSIBLE_REMOTE_TEMP=$temporary/remote
	printf '{"shop_environment":"%s","shop_root":"%s","shop_lifetime":"%s","shop_release":"%s","ansible_python_interpreter":"/usr/bin/python3"}\n' \
		"$environment" "$root" "$lifetime" "$release" >"$temporary/variables.json"
	ansible-playbook -i localhost, --extra-vars "@$temporary/variables.json" configure/playbook.yml
else
	echo "ansible is not installed here: a few lines of shell take its place"
	text=$(cat configure/shop.json.j2)
	text=${text//'{{ shop_environment }}'/"$environment"}
	text=${text//'{{ shop_root }}'/"$root"}
	text=${text//'{{ shop_lifetime }}'/"$lifetime"}
	mkdir -p "$release"
	printf '%s\n' "$text" >"$release/shop.json"
fi
if grep -q '{{' "$release/shop.json"; then
	echo "$release/shop.json: a placeholder was left" >&2
	exit 1
fi
