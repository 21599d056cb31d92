package workflow_test

import (
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func FuzzRead(f *testing.F) {
	for _, src := range sources(f, "ci.yml") {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, faults := workflow.Read("ci.yml", src)
		if file == nil {
			t.Fatal("no file")
		}
		placed(t, faults)
		if faults.HasErrors() {
			return
		}
		if len(file.On) == 0 && !told(faults) || len(file.Jobs) == 0 {
			t.Fatal("accepted without events or jobs")
		}
		for _, j := range file.Jobs {
			if j.ID == "" || !j.Uses.Set && (len(j.Steps) == 0 || len(j.RunsOn.Labels) == 0 && !j.RunsOn.Group.Set) {
				t.Fatalf("accepted the job %q without what it needs", j.ID)
			}
			for _, s := range j.Steps {
				if s.Run.Set == s.Uses.Set {
					t.Fatal("accepted a step that is neither or both")
				}
			}
		}
	})
}

func told(faults fault.Faults) bool { return len(faults) > 0 }

func FuzzReadAction(f *testing.F) {
	for _, src := range sources(f, "action.yml") {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		a, faults := workflow.ReadAction("action.yml", src)
		if a == nil {
			t.Fatal("no action")
		}
		placed(t, faults)
		if !faults.HasErrors() && a.Using.Value == "" {
			t.Fatal("accepted without using")
		}
	})
}

func placed(t *testing.T, faults fault.Faults) {
	for _, f := range faults {
		if f.Message == "" || f.Code == "" || f.Place.Line == 0 && f.Code != "SL1002" {
			t.Fatalf("no place: %v", f)
		}
	}
}

func BenchmarkRead200(b *testing.B) {
	files := sources(b, "ci.yml")
	var whole []byte
	for _, src := range files {
		if len(src) > len(whole) {
			whole = src
		}
	}
	b.SetBytes(int64(200 * len(whole)))
	b.ReportAllocs()
	for b.Loop() {
		for range 200 {
			if _, faults := workflow.Read("ci.yml", whole); faults.HasErrors() {
				b.Fatal(faults)
			}
		}
	}
}
