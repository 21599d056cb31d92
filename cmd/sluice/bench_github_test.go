package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The benchmarks of GitHub workflows: Sluice, its peer nektos/act in host mode (SLUICE_PEER_ACT is its program) and a
// loop that starts the same shells do the same work in turn. What reads many files is compared with actionlint
// (SLUICE_PEER_ACTIONLINT). Without a peer only the loop is compared with.

// compileLimit is what compiling 200 workflow files may take; the benchmark reports how much of it was needed.
const compileLimit = 300 * time.Millisecond

// githubRepository is a committed folder with these files; names are its paths.
func githubRepository(b *testing.B, files map[string]string) string {
	b.Helper()
	dir := b.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"remote", "add", "origin", "git@github.com:owner/project.git"},
		{"add", "-A"},
		{"-c", "user.name=b", "-c", "user.email=b@localhost", "commit", "-q", "-m", "begin"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return dir
}

// act is the peer on a repository of its own, so that neither reads what the other leaves behind: host mode, no
// pulling, nothing fetched, a home of its own, no cache server (which Sluice does not start unasked either).
func act(b *testing.B, files map[string]string) []rival {
	peer := os.Getenv("SLUICE_PEER_ACT")
	if peer == "" {
		return nil
	}
	return []rival{{"act", peerLimit, []string{
		"env", "HOME=" + b.TempDir(), "XDG_CACHE_HOME=", peer, "push", "-C", githubRepository(b, files),
		"-P", "ubuntu-latest=-self-hosted", "--pull=false", "--action-offline-mode", "--no-cache-server",
	}}}
}

// wholeGitHub compares a workflow with a loop that starts the same shells: GitHub's default is bash -e FILE.
func wholeGitHub(b *testing.B, files map[string]string, shells int) {
	script := filepath.Join(b.TempDir(), "script.sh")
	if err := os.WriteFile(script, []byte("echo hi\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	loop := fmt.Sprintf("for i in $(seq %d); do bash -e %s; done", shells, script)
	compare(b, githubRepository(b, files), rounds, append([]rival{
		{"sluice", time.Minute, []string{binary(b), "run", "--progress", "quiet"}},
		{"loop", time.Minute, []string{"bash", "-c", loop}},
	}, act(b, files)...)...)
}

// workflow is a repository with one workflow of these jobs.
func workflowOf(jobs string) map[string]string {
	return map[string]string{".github/workflows/ci.yml": "on: push\njobs:\n" + jobs, ".gitignore": ".sluice/\n"}
}

const oneStep = "    runs-on: ubuntu-latest\n    steps:\n      - run: echo hi\n"

func BenchmarkGitHubOneJob(b *testing.B) { wholeGitHub(b, workflowOf("  job:\n"+oneStep), 1) }

func BenchmarkGitHub100Jobs(b *testing.B) {
	var jobs strings.Builder
	for i := range 100 {
		fmt.Fprintf(&jobs, "  job-%d:\n%s", i, oneStep)
	}
	wholeGitHub(b, workflowOf(jobs.String()), 100)
}

func BenchmarkGitHubChainOf50(b *testing.B) {
	jobs := "  job-0:\n" + oneStep
	for i := 1; i < 50; i++ {
		jobs += fmt.Sprintf("  job-%d:\n    needs: job-%d\n%s", i, i-1, oneStep)
	}
	wholeGitHub(b, workflowOf(jobs), 50)
}

func BenchmarkGitHubMatrix10x10(b *testing.B) {
	ten := "[a, b, c, d, e, f, g, h, i, j]"
	matrix := "    strategy:\n      matrix:\n        x: " + ten + "\n        y: " + ten + "\n"
	wholeGitHub(b, workflowOf("  job:\n"+matrix+oneStep), 100)
}

func BenchmarkGitHub200Steps(b *testing.B) {
	jobs := "  job:\n" + oneStep + strings.Repeat("      - run: echo hi\n", 199)
	wholeGitHub(b, workflowOf(jobs), 200)
}

func BenchmarkGitHubComposite100(b *testing.B) {
	files := workflowOf("  job:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n" +
		strings.Repeat("      - uses: ./hello\n", 100))
	files["hello/action.yml"] = "name: hello\ndescription: says hi\nruns:\n  using: composite\n  steps:\n    - run: echo hi\n      shell: bash\n"
	wholeGitHub(b, files, 100)
}

// delivery is a workflow as repositories have them; %d makes each one another file.
const delivery = `name: Delivery of service %[1]d
run-name: Service %[1]d by @${{ github.actor }}
on:
  push:
    branches: [main, 'release/**', '!release/**-old']
    paths: ['services/%[1]d/**', 'lib/**', '!**/*.md']
  pull_request:
    types: [opened, synchronize, reopened]
    paths: ['services/%[1]d/**']
  workflow_dispatch:
    inputs:
      stage:
        description: Where it goes
        type: choice
        options: [staging, production]
        default: staging
      dry:
        type: boolean
        default: false
permissions:
  contents: read
  id-token: write
concurrency:
  group: service-%[1]d-${{ github.ref }}
  cancel-in-progress: ${{ github.event_name == 'pull_request' }}
env:
  SERVICE: service-%[1]d
  REGISTRY: ghcr.io/${{ github.repository_owner }}
defaults:
  run:
    shell: bash
jobs:
  lint:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - uses: actions/setup-node@v4
        with:
          node-version: 20
          cache: npm
      - run: npm ci
        working-directory: services/%[1]d
      - name: Lint
        run: |
          npm run lint -- --format unix
          npx prettier --check .
  test:
    name: test ${{ matrix.os }} / node ${{ matrix.node }}
    runs-on: ${{ matrix.os }}
    strategy:
      fail-fast: false
      max-parallel: 4
      matrix:
        os: [ubuntu-latest, ubuntu-24.04, ubuntu-22.04]
        node: [18, 20, 22]
        exclude:
          - os: ubuntu-22.04
            node: 18
        include:
          - os: ubuntu-latest
            node: 22
            coverage: true
    services:
      postgres:
        image: postgres:16
        env:
          POSTGRES_PASSWORD: test
        ports: ['5432:5432']
        options: --health-cmd pg_isready --health-interval 10s
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: ${{ matrix.node }}
      - uses: actions/cache@v4
        with:
          path: ~/.npm
          key: ${{ runner.os }}-npm-${{ hashFiles('**/package-lock.json') }}
          restore-keys: |
            ${{ runner.os }}-npm-
      - run: npm ci && npm test
        env:
          DATABASE_URL: postgres://postgres:test@localhost:5432/postgres
          COVERAGE: ${{ matrix.coverage && 'yes' || 'no' }}
      - if: ${{ always() && matrix.coverage }}
        uses: actions/upload-artifact@v4
        with:
          name: coverage-${{ matrix.os }}-${{ matrix.node }}
          path: services/%[1]d/coverage
          retention-days: 5
  build:
    needs: [lint, test]
    if: ${{ !cancelled() && needs.lint.result == 'success' && needs.test.result == 'success' }}
    runs-on: ubuntu-latest
    outputs:
      image: ${{ steps.image.outputs.name }}
      digest: ${{ steps.push.outputs.digest }}
    steps:
      - uses: actions/checkout@v4
      - id: image
        run: echo "name=${REGISTRY}/${SERVICE}:${GITHUB_SHA::12}" >> "$GITHUB_OUTPUT"
      - uses: docker/login-action@v3
        with:
          registry: ghcr.io
          username: ${{ github.actor }}
          password: ${{ secrets.GITHUB_TOKEN }}
      - id: push
        uses: docker/build-push-action@v6
        with:
          context: services/%[1]d
          push: ${{ github.event_name != 'pull_request' }}
          tags: ${{ steps.image.outputs.name }}
          build-args: |
            VERSION=${{ github.ref_name }}
            REVISION=${{ github.sha }}
  deploy:
    needs: build
    if: github.ref == 'refs/heads/main' || startsWith(github.ref, 'refs/heads/release/')
    runs-on: ubuntu-latest
    environment:
      name: ${{ inputs.stage || 'staging' }}
      url: https://${{ inputs.stage || 'staging' }}.example.com/%[1]d
    concurrency: deploy-%[1]d
    steps:
      - uses: actions/checkout@v4
      - name: Deploy ${{ needs.build.outputs.image }}
        env:
          IMAGE: ${{ needs.build.outputs.image }}
          TOKEN: ${{ secrets.DEPLOY_TOKEN }}
        run: |
          if [ "${{ inputs.dry }}" = true ]; then
            echo "::notice title=dry run::would deploy $IMAGE"
            exit 0
          fi
          ./scripts/deploy "$SERVICE" "$IMAGE"
      - if: failure()
        run: ./scripts/rollback "$SERVICE"
`

// many is a repository with 200 workflows that a push to main starts.
func many() map[string]string {
	files := map[string]string{".gitignore": ".sluice/\n"}
	for i := range 200 {
		files[fmt.Sprintf(".github/workflows/service-%d.yml", i)] = fmt.Sprintf(delivery, i)
		files[fmt.Sprintf("services/%d/package.json", i)] = "{}\n"
	}
	return files
}

// BenchmarkGitHubCompile200Files compiles 200 workflows to one plan without running it.
func BenchmarkGitHubCompile200Files(b *testing.B) {
	compare(b, githubRepository(b, many()), rounds, rival{"sluice", time.Minute, []string{binary(b), "run", "--list"}})
	b.ReportMetric(compileLimit.Seconds(), "limit-s")
}

// BenchmarkGitHubLint200Files looks for mistakes in them, without the programs that look at scripts.
func BenchmarkGitHubLint200Files(b *testing.B) {
	programs := []rival{{"sluice", time.Minute, []string{binary(b), "lint", "--shellcheck", "never", "--pyflakes", "never"}}}
	if peer := os.Getenv("SLUICE_PEER_ACTIONLINT"); peer != "" {
		programs = append(programs, rival{"actionlint", peerLimit, []string{peer, "-shellcheck=", "-pyflakes="}})
	}
	compare(b, githubRepository(b, many()), rounds, programs...)
}
