package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// BenchmarkIdleApplications keeps 200 applications of 20 objects true with nothing to do: percent of one core and resident
// MB on average and at most, over the time in which each application is compared once.
func BenchmarkIdleApplications(b *testing.B) {
	const apps, each = 200, 20
	kube := kubetest.Start(b, kubetest.B)
	dir := b.TempDir()
	for i := range apps {
		var text strings.Builder
		for j := range each {
			fmt.Fprintf(&text, "---\n"+plainConfigMap, fmt.Sprintf("c%d-%d", i, j), strings.Repeat("x", 200))
		}
		benchFile(b, dir, fmt.Sprintf("src/a%d/all.yaml", i), text.String())
		benchFile(b, dir, fmt.Sprintf("apps/a%d.yaml", i), fmt.Sprintf(
			"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a%d}\nspec: {source: {path: src/a%d}, syncPolicy: {automated: {prune: true, selfHeal: true}}}\n", i, i))
	}
	benchCommit(b, dir)
	pid, _ := benchDeliver(b, kube, dir, "apps")
	benchUntil(b, 15*time.Minute, "all are synced", func() bool {
		out, err := benchSluice(kube, dir, "app", "list", "-o", "json").Output()
		return err == nil && bytes.Count(out, []byte(`"phase": "Succeeded"`)) == apps+1 && !bytes.Contains(out, []byte(`"status": "OutOfSync"`))
	})
	time.Sleep(90 * time.Second) // what the syncs stirred up
	b.ResetTimer()
	for range b.N {
		began, used := time.Now(), cpuTime(b, pid)
		sum, most, looks := 0, 0, 0
		for ; time.Since(began) < 4*time.Minute; time.Sleep(2 * time.Second) {
			mb := residentMB(b, pid)
			sum, most, looks = sum+mb, max(most, mb), looks+1
		}
		b.ReportMetric(100*(cpuTime(b, pid)-used).Seconds()/time.Since(began).Seconds(), "%core")
		b.ReportMetric(float64(sum)/float64(looks), "MB")
		b.ReportMetric(float64(most), "MB-most")
	}
}

// BenchmarkCommitToApplied is the time from a commit of one ConfigMap in a watched repository until the cluster has it.
func BenchmarkCommitToApplied(b *testing.B) {
	kube := kubetest.Start(b, kubetest.A)
	dir := b.TempDir()
	write := func(n int) { benchFile(b, dir, "k8s/a.yaml", fmt.Sprintf(plainConfigMap, "a", strconv.Itoa(n))) }
	holds := func(n int) func() bool {
		return func() bool { return kube.Object(b, cmKind, "a").Text("data", "key") == strconv.Itoa(n) }
	}
	write(0)
	benchCommit(b, dir)
	benchDeliver(b, kube, dir, "k8s")
	benchUntil(b, time.Minute, "the first commit is applied", holds(0))
	time.Sleep(2 * time.Second)
	n := 0
	for b.Loop() {
		n++
		write(n)
		benchCommit(b, dir)
		benchUntil(b, time.Minute, "the commit is applied", holds(n))
	}
}

// BenchmarkFullDiff compares 10,000 objects, one in a hundred of which differs.
func BenchmarkFullDiff(b *testing.B) {
	in := application.Comparing{
		App:      application.Application{Object: manifest.Object{"metadata": map[string]any{"name": "a", "namespace": "argocd"}}},
		Tracking: application.Tracking{App: "a"},
		Live:     application.Live{Objects: map[manifest.Key]manifest.Object{}},
		Scope:    func(manifest.Kind) (bool, bool) { return true, true },
	}
	in.App.Spec.Destination.Namespace = "default"
	for i := range 10_000 {
		o := benchDeployment(i)
		in.Desired.Objects = append(in.Desired.Objects, o)
		live := o.Copy()
		live.Set("default", "metadata", "namespace")
		live.Set(strconv.Itoa(i), "metadata", "uid")
		live.Set("1", "metadata", "resourceVersion")
		in.Tracking.Mark(live, "default")
		live.Set(map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": "25%", "maxUnavailable": "25%"}}, "spec", "strategy")
		live.Set(map[string]any{"replicas": int64(1), "readyReplicas": int64(1)}, "status")
		if i%100 == 0 {
			live.Set(int64(7), "spec", "replicas")
		}
		in.Live.Objects[live.Key()] = live
	}
	for b.Loop() {
		out := application.Compare(in)
		differs := 0
		for _, p := range out.Pairs {
			if p.Status == application.OutOfSync {
				differs++
			}
		}
		if differs != 100 {
			b.Fatalf("%d differ", differs)
		}
	}
}

func benchDeployment(i int) manifest.Object {
	called := fmt.Sprintf("d%d", i)
	return manifest.Object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": called, "labels": map[string]any{"app": called}},
		"spec": map[string]any{
			"replicas": int64(3), "selector": map[string]any{"matchLabels": map[string]any{"app": called}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": called}},
				"spec": map[string]any{"containers": []any{map[string]any{
					"name": "c", "image": "registry.example.org/app:1", "ports": []any{map[string]any{"containerPort": int64(80)}},
					"env":       []any{map[string]any{"name": "A", "value": "1"}, map[string]any{"name": "B", "value": "2"}},
					"resources": map[string]any{"limits": map[string]any{"cpu": "500m", "memory": "128Mi"}},
				}}},
			},
		},
	}
}

func benchFile(b *testing.B, dir, name, text string) {
	b.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
}

func benchCommit(b *testing.B, dir string) {
	b.Helper()
	for _, words := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "Change"}} {
		if words[0] == "init" {
			if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
				continue
			}
		}
		cmd := exec.Command("git", words...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), gitEnv(dir)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("git %v: %v\n%s", words, err, out)
		}
	}
}

// benchSluice is this binary as sluice.
func benchSluice(kube *kubetest.Kube, dir string, words ...string) *exec.Cmd {
	cmd := exec.Command("sluice", words...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "KUBECONFIG="+kube.Kubeconfig)
	return cmd
}

func benchDeliver(b *testing.B, kube *kubetest.Kube, dir, folder string, more ...string) (pid int, out *safeBuffer) {
	b.Helper()
	cmd := benchSluice(kube, dir, append([]string{"deliver", folder, "-n", kube.Namespace, "--prune"}, more...)...)
	out = &safeBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	return cmd.Process.Pid, out
}

func benchUntil(b *testing.B, most time.Duration, what string, holds func() bool) {
	b.Helper()
	for end := time.Now().Add(most); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal("not: " + what)
		}
	}
}

// cpuTime is what a process and the children that it waited for used so far.
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	total := 0
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime in hundredths of a second (proc(5))
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		total += n
	}
	return time.Duration(total) * 10 * time.Millisecond
}

func residentMB(b *testing.B, pid int) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return n / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
