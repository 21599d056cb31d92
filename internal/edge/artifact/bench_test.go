package artifact_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/artifact"
)

// BenchmarkShare keeps 200 MB in 2,000 files as an artifact and brings it back once, against cp -r of the same files
// twice. of-cp is our time by that of cp.
func BenchmarkShare(b *testing.B) {
	const files, size = 2000, 100 << 10
	work := b.TempDir()
	chunk := make([]byte, size)
	for i := range files {
		chunk[0], chunk[1] = byte(i), byte(i>>8)
		name := filepath.Join(work, fmt.Sprint("d", i/50), fmt.Sprint("f", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, chunk, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(2 * files * size)
	var theirs, saving, bringing time.Duration
	for b.Loop() {
		top := b.TempDir()
		began := time.Now()
		for i := range 2 {
			if out, err := exec.Command("cp", "-r", work, filepath.Join(top, fmt.Sprint("cp", i))).CombinedOutput(); err != nil {
				b.Fatal(err, string(out))
			}
		}
		theirs += time.Since(began)
		began = time.Now()
		s := &artifact.Store{Dir: filepath.Join(top, "store")}
		if _, err := s.Save(b.Context(), artifact.New{Run: "r", Job: "j", Name: "n"}, source(work, ".")); err != nil {
			b.Fatal(err)
		}
		saving += time.Since(began)
		began = time.Now()
		if _, _, err := s.Download(b.Context(), artifact.Choice{Run: "r", Name: "n"}, target(top, "to")); err != nil {
			b.Fatal(err)
		}
		bringing += time.Since(began)
		if err := os.RemoveAll(top); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(saving+bringing)/float64(theirs), "of-cp")
	b.ReportMetric(float64(saving.Milliseconds())/float64(b.N), "save-ms")
	b.ReportMetric(float64(bringing.Milliseconds())/float64(b.N), "bring-ms")
}
