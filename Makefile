# `make` prints this list. Every target can be the first command typed on a Debian machine that has Go, git and make.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

GO ?= go
TOOL = $(GO) tool -modfile=$(CURDIR)/tools/go.mod
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REPORTS := $(CURDIR)/bin/tests
MODULES := . examples/shop tools/oracle

FUZZTIME ?= 10s
BENCH ?= .
BENCHTIME ?= 1s
PACKAGES ?= ./...
TEST_TIMEOUT ?= 40m
RACE_TIMEOUT ?= 60m

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-8s\033[0m %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST)) | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi

.PHONY: demo
demo: ## build Sluice and take the example shop from source to a load-tested service on this machine
	@scripts/deps demo
	@$(MAKE) build
	@scripts/demo

.PHONY: build
build: ## build bin/sluice
	$(GO) build -ldflags '-X main.version=$(VERSION)' -o bin/sluice ./cmd/sluice

.PHONY: test
test: ## run all tests (PACKAGES=./internal/... for some); installs what they need
	@scripts/deps test
	@scripts/test "$(REPORTS)" '$(PACKAGES)' -timeout=$(TEST_TIMEOUT)

.PHONY: check
check: ## exactly what CI runs: lint, house, all tests with -race -shuffle=on, and a clean tree
	@scripts/deps test
	@$(MAKE) lint
	@$(MAKE) house
	@scripts/test "$(REPORTS)" ./... -race -shuffle=on -timeout=$(RACE_TIMEOUT)
	@$(MAKE) tidy-tree

.PHONY: lint
lint: ## gofumpt, vet, staticcheck, shellcheck, tidy modules
	@echo "lint: gofumpt"
	@bad=$$($(TOOL) gofumpt -l $$(git ls-files -co --exclude-standard '*.go')); [ -z "$$bad" ] || { echo "not in gofumpt's form (make fmt):"; echo "$$bad"; exit 1; }
	@for module in $(MODULES); do cd "$(CURDIR)/$$module"; \
		echo "lint: vet, staticcheck, tidy in $$module"; \
		$(GO) vet ./...; \
		$(TOOL) staticcheck ./...; \
		$(GO) mod tidy -diff; \
	done
	@if command -v shellcheck >/dev/null; then echo "lint: shellcheck"; shellcheck -x $$(git ls-files scripts .ci 'examples/shop/ci/*.sh' examples/shop/deploy/ship); fi

.PHONY: fmt
fmt: ## rewrite Go files in gofumpt's form
	$(TOOL) gofumpt -l -w $$(git ls-files -co --exclude-standard '*.go')

.PHONY: house
house: ## hold the map of the house: packages, imports, package comments, purity
	$(GO) test -count=1 ./internal

.PHONY: tidy-tree
tidy-tree:
	@left=$$(git status --porcelain); [ -z "$$left" ] || { echo "the work tree is not clean (commit first; tests and generators must leave nothing):"; echo "$$left"; exit 1; }

.PHONY: bench
bench: build ## measure against the peers, as ratios (BENCH=regexp, BENCHTIME=1s)
	@scripts/deps bench
	cache="$${XDG_CACHE_HOME:-$$HOME/.cache}/sluice"; SLUICE_PEER="$$cache/npm/gitlab-ci-local" \
	SLUICE_PEER_ACT="$$cache/peers/act" SLUICE_PEER_ACTIONLINT="$$cache/peers/actionlint" $(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem -timeout 60m $(PACKAGES)

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s each)
	@scripts/fuzz $(FUZZTIME) $(PACKAGES)

.PHONY: clean
clean: ## remove what was built
	rm -rf bin coverage.out .sluice examples/shop/bin examples/shop/reports examples/shop/.sluice
