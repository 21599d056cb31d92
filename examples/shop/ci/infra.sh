#!/usr/bin/env bash
# Infrastructure of an environment: ci/infra.sh plan|apply|destroy staging|production
#
# With Terraform where it is installed; a plan is a file that `apply` carries out. Without, the same folders are made by hand, which is said.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
verb=$1 root=$(shop_root "$2")
state=$root/terraform.tfstate
export TF_IN_AUTOMATION=1 TF_INPUT=0 TF_CLI_ARGS=-no-color CHECKPOINT_DISABLE=1
if [ -n "${TF_CLI_CONFIG_FILE-}" ] && [ ! -e "$TF_CLI_CONFIG_FILE" ]; then unset TF_CLI_CONFIG_FILE; fi

init() { terraform -chdir=infra init -reconfigure -backend-config="path=$state"; }

with_terraform() {
	case $verb in
	plan)
		terraform -chdir=infra fmt -check -diff
		init
		terraform -chdir=infra validate
		mkdir -p reports
		terraform -chdir=infra plan -var "root=$root" -out "$PWD/reports/infra.plan"
		terraform -chdir=infra show -json "$PWD/reports/infra.plan" | .cache/bin/report plan -o reports/infra.json
		;;
	apply)
		init
		terraform -chdir=infra apply -auto-approve "$PWD/reports/infra.plan"
		;;
	destroy)
		[ -e "$state" ] || return 0
		init
		terraform -chdir=infra destroy -auto-approve -var "root=$root"
		;;
	esac
}

by_hand() {
	local folders=(releases data log run)
	case $verb in
	plan)
		mkdir -p reports
		printf '{"create":%d,"update":0,"delete":0}\n' "${#folders[@]}" | tee reports/infra.json
		for folder in "${folders[@]}"; do printf '%s\n' "$root/$folder"; done | tee reports/infra.plan
		;;
	apply) while IFS= read -r folder; do mkdir -p "$folder"; done <reports/infra.plan ;;
	destroy) for folder in "${folders[@]}"; do rm -rf "${root:?}/$folder"; done ;;
	esac
}

if command -v terraform >/dev/null; then
	with_terraform
else
	echo "terraform is not installed here: a few lines of shell take its place"
	by_hand
fi
