package workspace_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/workspace"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

func benchmark(b *testing.B, files, size int) {
	base := b.TempDir()
	repo := filepath.Join(base, "repo")
	t := &testing.T{}
	if err := os.Mkdir(repo, 0o755); err != nil {
		b.Fatal(err)
	}
	for i := range files {
		dir := filepath.Join(repo, fmt.Sprint("d", i/100))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), make([]byte, size), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	sh(t, repo, "git init -q .; git add .; git commit -qm x; sleep 0.1; git update-index -q --refresh")
	b.Run("take", func(b *testing.B) {
		for b.Loop() {
			s, err := workspace.Take(b.Context(), repo, filepath.Join(base, "store"), workspace.Options{})
			if err != nil {
				b.Fatal(err)
			}
			s.Close()
		}
	})
	s, err := workspace.Take(b.Context(), repo, filepath.Join(base, "store"), workspace.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.Run("fill", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Fill(b.Context(), filepath.Join(base, "ws"), program.Checkout{}); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			os.RemoveAll(filepath.Join(base, "ws"))
			b.StartTimer()
		}
	})
}

func BenchmarkRefill(b *testing.B) {
	base := b.TempDir()
	sh(&testing.T{}, base, "mkdir repo; cd repo; git init -q .; echo a >a; git add .; git commit -qm x")
	s, err := workspace.Take(b.Context(), filepath.Join(base, "repo"), filepath.Join(base, "store"), workspace.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Fill(b.Context(), filepath.Join(base, "ws"), program.Checkout{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !s.Refill(b.Context(), filepath.Join(base, "ws"), program.Checkout{}) {
			b.Fatal("changed")
		}
	}
}

func BenchmarkTrivial(b *testing.B) { benchmark(b, 4, 200) }
func BenchmarkLarge(b *testing.B)   { benchmark(b, 5000, 4000) }
