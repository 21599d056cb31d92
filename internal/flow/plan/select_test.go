package plan_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

const shop = `
build compile
build assets
build sign manual
test unit/1 key unit
test unit/2 key unit
test lint needs compile
deploy approve needs unit/1 manual
deploy ship needs approve
deploy smoke delayed
deploy report needs smoke
`

func TestChoose(t *testing.T) {
	for name, c := range map[string]struct {
		names    string
		needs    bool
		selected string
		play     string
	}{
		"one job alone":                             {"ship", false, "ship", ""},
		"a key means all its legs":                  {"unit", false, "unit/1 unit/2", ""},
		"one leg by its name":                       {"unit/2", false, "unit/2", ""},
		"a pattern":                                 {"*i*t*", false, "lint unit/1 unit/2", ""},
		"a star goes over slashes":                  {"u*1", false, "unit/1", ""},
		"a question mark is one letter":             {"unit/?", false, "unit/1 unit/2", ""},
		"a manual job that is named is played":      {"sign", false, "sign", "sign"},
		"needs follow the graph":                    {"lint", true, "compile lint", ""},
		"needs play a manual job on the way":        {"ship", true, "approve assets compile ship sign unit/1", "approve"},
		"needs of a staged job: the earlier stages": {"unit/1", true, "assets compile sign unit/1", ""},
		"a delayed job that is named is played":     {"smoke", false, "smoke", "smoke"},
		"needs wait for a delayed job on the way":   {"report", true, "assets compile lint report sign smoke unit/1 unit/2", ""},
		"several names":                             {"lint,assets", false, "assets lint", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := plan.Choose(world(t, shop), strings.Split(c.names, ","), c.needs)
			if err != nil {
				t.Fatal(err)
			}
			if s := strings.Join(slices.Sorted(maps.Keys(got.Selected)), " "); s != c.selected {
				t.Errorf("selected %q, want %q", s, c.selected)
			}
			if s := strings.Join(got.Play, " "); s != c.play {
				t.Errorf("play %q, want %q", s, c.play)
			}
		})
	}
}

func TestChooseNothingIsAll(t *testing.T) {
	if c, err := plan.Choose(world(t, shop), nil, true); c != nil || err != nil {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestChooseTellsEveryNameThatMeansNothing(t *testing.T) {
	p := world(t, shop)
	p.Excluded = []plan.Excluded{{Name: "nightly", Place: fault.Place{File: "ci.yml", Line: 7}, Why: plan.Decision{Rule: "rules[0]"}}}
	_, err := plan.Choose(p, []string{"compil", "nightly", "lint", "x*x", "uint"}, false)
	if err == nil {
		t.Fatal("no fault")
	}
	want := strings.Join([]string{
		`no job "compil" in the pipeline [SL1301] - did you mean "compile"?`,
		`no job "uint" in the pipeline [SL1301] - did you mean "unit"?`,
		"no job \"x*x\" in the pipeline [SL1301] - `sluice run --list` prints the jobs",
		"ci.yml:7: job \"nightly\" is left out of this pipeline (rules[0]) [SL1305] - see `sluice explain nightly`",
	}, "\n")
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}

func TestAPatternOfStarsIsNoTrap(t *testing.T) {
	p := &plan.Plan{Stages: []string{"s"}, Jobs: []*plan.Job{{ID: strings.Repeat("a", 5000), Stage: "s"}}}
	if _, err := plan.Choose(p, []string{strings.Repeat("*a", 2000) + "b"}, false); err == nil {
		t.Error("a pattern without a match was accepted")
	}
}
