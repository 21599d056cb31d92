package rollout

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The files of testdata were made once by feeding states that we drew to the functions of Argo Rollouts v1.8.3: they are
// what Argo answers, and nothing of its text.

func answers(t *testing.T, file string, each func(line []byte)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader
	if r, err = gzip.NewReader(f); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		each(lines.Bytes())
		n++
	}
	if n < 20 || lines.Err() != nil {
		t.Fatalf("%d lines, %v", n, lines.Err())
	}
}

type counted []any // name, wanted, available, present

func (c counted) set() *set {
	if c == nil {
		return nil
	}
	n := func(i int) int32 { return int32(c[i].(float64)) }
	name := c[0].(string)
	return &set{name: name, hash: name[len("web-"):], replicas: n(1), available: n(2), pods: n(3)}
}

func TestArithmeticIsArgos(t *testing.T) {
	wrong := 0
	answers(t, "testdata/arithmetic.jsonl.gz", func(line []byte) {
		var c struct {
			Spec        Spec
			Status      Status
			New, Stable counted
			Others      []counted
			Counts      []int32
			At          bool
			Steps       string
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		p := pass{r: Rollout{Spec: c.Spec, Status: c.Status}, fresh: c.New.set(), stable: c.Stable.set()}
		for _, o := range c.Others {
			p.others = append(p.others, o.set())
		}
		var canary, stable int32
		if c.Spec.routed() {
			canary, stable = p.r.weighted(c.Status.Canary.Weights)
		} else {
			canary, stable = p.r.basic(p.fresh, p.stable, p.others)
		}
		if canary != c.Counts[0] || stable != c.Counts[1] {
			t.Errorf("counts %d, %d, Argo's %v\n%s", canary, stable, c.Counts, line)
			wrong++
		}
		if got := p.atCounts(c.Status.Canary.Weights); got != c.At {
			t.Errorf("at counts %v, Argo's %v\n%s", got, c.At, line)
			wrong++
		}
		if got := StepHash(c.Spec); got != c.Steps {
			t.Errorf("step hash %s, Argo's %s\n%s", got, c.Steps, line)
			wrong++
		}
		if wrong > 5 {
			t.FailNow()
		}
	})
}

func TestHashesAreArgos(t *testing.T) {
	answers(t, "testdata/hashes.jsonl.gz", func(line []byte) {
		var c struct {
			Spec        Spec
			Status      Status
			Hash, Steps string
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if got, err := Hash(c.Spec.Template, c.Status.CollisionCount); err != nil || got != c.Hash {
			t.Errorf("hash %s (%v), Argo's %s of\n%s", got, err, c.Hash, c.Spec.Template.JSON())
		}
		if got := StepHash(c.Spec); got != c.Steps {
			t.Errorf("step hash %s, Argo's %s of\n%s", got, c.Steps, line)
		}
	})
}

var (
	dumped = regexp.MustCompile(`Invalid value: (v1|v1alpha1|intstr|map|\[\]|"null")`)
	apart  = regexp.MustCompile(`^(\S+ Invalid value: ).*(: [^:]+(: exact, regex, prefix)?)$`)
)

func TestInvalidSpecsAreRefusedInArgosWords(t *testing.T) {
	answers(t, "testdata/invalid.jsonl.gz", func(line []byte) {
		var c struct {
			Rollout manifest.Object
			Invalid string
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		r, err := Decode(c.Rollout)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if errs := Validate(r); len(errs) > 0 {
			got = errs[0].Error()
		}
		if dumped.MatchString(c.Invalid) {
			// Argo shows the value as Go dumps it, with addresses; ours is JSON.
			got, c.Invalid = apart.ReplaceAllString(got, "$1…$2"), apart.ReplaceAllString(c.Invalid, "$1…$2")
		}
		if got != c.Invalid {
			t.Errorf("\n%s\nArgo's:\n%s\nof %s", got, c.Invalid, line)
		}
	})
}
