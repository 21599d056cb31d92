package blob_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// BenchmarkShare is the store's part of the figure: 200 MB in 2,000 files saved once and restored in five jobs,
// against five times cp -r of the same files. ratio is our time by that of cp.
func BenchmarkShare(b *testing.B) {
	const files, size, jobs = 2000, 100 << 10, 5
	top := b.TempDir()
	chunk := make([]byte, size)
	make200 := func(dir string) {
		for i := range files {
			chunk[0], chunk[1] = byte(i), byte(i>>8)
			name := filepath.Join(dir, "out", fmt.Sprint("d", i/50), fmt.Sprint("f", i))
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(name, chunk, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	plain := filepath.Join(top, "plain")
	make200(plain)
	b.SetBytes(files * size * jobs)
	var ours, theirs, saving time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		round := filepath.Join(top, fmt.Sprint("round", n))
		work := filepath.Join(round, "work")
		make200(work)
		s := &blob.Store{Dir: filepath.Join(round, "store")}
		for j := range jobs {
			if err := os.MkdirAll(filepath.Join(round, fmt.Sprint("job", j)), 0o755); err != nil {
				b.Fatal(err)
			}
		}
		began := time.Now()
		for j := range jobs {
			if out, err := exec.Command("cp", "-r", plain, filepath.Join(round, fmt.Sprint("cp", j))).CombinedOutput(); err != nil {
				b.Fatal(err, string(out))
			}
		}
		theirs += time.Since(began)
		b.StartTimer()
		began = time.Now()
		saved, err := s.SaveArtifacts(b.Context(), "r", "j", program.SaveArtifacts{Kind: "archive", Select: program.Select{Paths: []string{"out"}}}, work)
		if err != nil || saved.Files != files {
			b.Fatal(saved, err)
		}
		saving += time.Since(began)
		for j := range jobs {
			if got, err := s.RestoreArtifacts(b.Context(), "r", "j", filepath.Join(round, fmt.Sprint("job", j))); err != nil || got != files {
				b.Fatal(got, err)
			}
		}
		ours += time.Since(began)
		b.StopTimer()
		if err := os.RemoveAll(round); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(ours)/float64(theirs), "of-cp")
	b.ReportMetric(float64(saving.Milliseconds())/float64(b.N), "save-ms")
}
