package run_test

import "testing"

// The worlds of this file follow GitLab's own cases for stages and needs
// (spec/services/ci/pipeline_processing/test_cases), retold.

func TestStages(t *testing.T) {
	tellAll(t, map[string]story{
		"a stage waits for all of the stage before": {
			world: "build a\nbuild b\ntest c\ntest d\ndeploy e",
			walk: `
				= pending | pending a b | created c d e ...
				ok a
				= running | success a | pending b | created c d e ...
				ok b
				= running | success a b | pending c d | created e ...
				ok d c
				- d: pending>running, d: running>success, c: pending>running, c: running>success, e: created>pending
				ok e
				= success | success a b c d e`,
		},
		"a failure skips the rest": {
			world: "build a\ntest b\ntest c on_failure\ntest d always\ndeploy e",
			walk: `
				fail a
				- a: pending>running, pipeline: pending>running, a: running>failed, b: created>skipped (job "a" failed), c: created>pending, d: created>pending
				= running | failed a | skipped b | pending c d | created e ...
				ok c d
				= failed | success c d | failed a | skipped b e`,
		},
		"an allowed failure is passed by": {
			world: "build a allow\ntest b\ntest c on_failure",
			walk: `
				fail a
				= pending | failed a | skipped c | pending b ...
				ok b
				= success | success b | failed a | skipped c`,
		},
		"an exit code decides whether a failure is allowed": {
			world: "build a allow=3,4\nbuild b allow=3,4\ntest c",
			walk: `
				fail a 3
				fail b 4
				= pending | failed a b | pending c ...
				ok c
				= success | success c | failed a b`,
		},
		"another exit code is not": {
			world: "build a allow=3,4\ntest c",
			walk: `
				fail a 5
				= failed | failed a | skipped c`,
		},
		"a failure of the machinery has no exit code": {
			world: "build a allow=0,1\ntest c",
			walk: `
				fail a runner_system_failure
				= failed | failed a | skipped c`,
		},
		"on_failure without anything before it does not run": {
			world: "build a on_failure\ntest b",
			walk:  `= pending | skipped a | pending b ...`,
		},
		"on_failure of a later stage sees the failure of any earlier one": {
			world: "build a\ntest b\ndeploy c on_failure",
			walk: `
				fail a
				= running | failed a | skipped b | pending c ...
				ok c
				= failed | success c | failed a | skipped b`,
		},
		"an optional manual job does not hold the next stage": {
			world: "build a\ntest b manual\ndeploy c",
			walk: `
				ok a
				= running | success a | pending c | manual b ...
				ok c
				= success | success a c | manual b
				!SL1313 play b`,
		},
		"only optional manual jobs make a skipped pipeline": {
			world: "build a manual\nbuild b manual",
			walk:  `= skipped | manual a b`,
		},
		"a blocking manual job holds the next stage": {
			world: "test a gate\ndeploy b",
			walk: `
				= manual | manual a | created b
				play a
				= pending | pending a | created b ...
				start a
				= running | running a | created b ...
				ok a
				= running | success a | pending b ...
				ok b
				= success | success a b`,
		},
		"a blocking manual job beside one that runs": {
			world: "test a gate\ntest b\ndeploy c",
			walk: `
				= running | pending b | manual a | created c ...
				ok b
				= manual | success b | manual a | created c
				play a
				fail a
				= failed | success b | failed a | skipped c`,
		},
		"a manual job is skipped like any other": {
			world: "build a\ndeploy b gate",
			walk: `
				fail a
				= failed | failed a | skipped b`,
		},
		"a canceled job stops what comes after it": {
			world: "build a\ntest b\ntest c on_failure\ntest d always\ndeploy e",
			walk: `
				cancel a
				- a: pending>canceled, b: created>skipped (job "a" was canceled), c: created>skipped (job "a" was canceled), d: created>skipped (job "a" was canceled), e: created>skipped (job "a" was canceled), pipeline: pending>canceled
				= canceled | canceled a | skipped b c d e`,
		},
		"a canceled job that may fail does not": {
			world: "build a allow\ntest b\ntest c on_failure\ndeploy d",
			walk: `
				cancel a
				= pending | canceled a | skipped c | pending b | created d ...`,
		},
		"a stage of skipped jobs is passed": {
			world: "build a on_failure\ntest b\ndeploy c",
			walk: `
				ok b
				ok c
				= success | success b c | skipped a`,
		},
	})
}

func TestNeeds(t *testing.T) {
	tellAll(t, map[string]story{
		"a job starts when its needs are done, whatever its stage does": {
			world: "build a\nbuild b\ntest c needs a\ntest d\ndeploy e needs c",
			walk: `
				ok a
				= running | success a | pending b c | created d e ...
				ok c
				= running | success a c | pending b e | created d ...`,
		},
		"no needs at all start at once": {
			world: "build a\ntest b\ndeploy c needs",
			walk:  `= pending | pending a c | created b ...`,
		},
		"needs within a stage": {
			world: "test a\ntest b needs a\ntest c needs b",
			walk: `
				ok a
				= running | success a | pending b | created c ...
				ok b c
				= success | success a b c`,
		},
		"a failed need skips": {
			world: "build a\ntest b needs a\ndeploy c needs b",
			walk: `
				fail a
				- a: pending>running, pipeline: pending>running, a: running>failed, b: created>skipped (job "a" failed), c: created>skipped (job "b" was skipped), pipeline: running>failed
				= failed | failed a | skipped b c`,
		},
		"an allowed failure satisfies": {
			world: "build a allow\ntest b needs a\ntest c on_failure needs a",
			walk: `
				fail a
				= pending | failed a | skipped c | pending b ...`,
		},
		"a skipped need skips at once, though another one runs": {
			world: "build a\nbuild b manual\ntest c needs a b",
			walk: `
				= pending | skipped c | pending a | manual b ...
				ok a
				= success | success a | skipped c | manual b`,
		},
		"a skipped need does not stop a job that runs always": {
			world: "build a on_failure\nbuild b\ntest c always needs a b",
			walk: `
				= pending | skipped a | pending b | created c ...
				ok b
				= running | success b | skipped a | pending c ...`,
		},
		"an optional manual need does not stop a job that runs always": {
			world: "test a manual\ndeploy b always needs a",
			walk:  `= pending | pending b | manual a ...`,
		},
		"a blocking manual need makes a job wait": {
			world: "test a gate\ndeploy b needs a\ndeploy c always needs a\ndeploy d on_failure needs a",
			walk: `
				= manual | manual a | created b c d
				play a
				fail a
				= running | failed a | skipped b | pending c d ...`,
		},
		"a manual job of the graph is skipped with its needs": {
			world: "build a\ntest b needs a\ndeploy c gate needs b",
			walk: `
				fail a
				= failed | failed a | skipped b c`,
		},
		"a delayed job of the graph is skipped with its needs": {
			world: "build a\ntest b\ndeploy c delayed=5s needs b",
			walk: `
				fail a
				= failed | failed a | skipped b c`,
		},
		"on_failure needs one failed need": {
			world: "build a\nbuild b\ntest c on_failure needs a b",
			walk: `
				fail a
				= running | failed a | pending b | created c ...
				ok b
				= running | success b | failed a | pending c ...`,
		},
		"a stage waits for jobs of the graph in earlier stages": {
			world: "build a\ntest b\npost c needs b\ndeploy d",
			walk: `
				ok a
				= running | success a | pending b | created c d ...
				ok b
				= running | success a b | pending c | created d ...
				ok c
				= running | success a b c | pending d ...`,
		},
		"a skipped job of the graph does not hold a stage": {
			world: "build a\ntest b manual\npost c needs b\ndeploy d",
			walk: `
				ok a
				= running | success a | skipped c | pending d | manual b ...`,
		},
		"a canceled need skips also what runs always": {
			world: "build a\ntest b always needs a",
			walk: `
				cancel a
				= canceled | canceled a | skipped b`,
		},
	})
}

func TestPlayingTakesUpWhatWasSkipped(t *testing.T) {
	tellAll(t, map[string]story{
		"dependents of an optional manual job, down the line": {
			o:     open,
			world: "test a manual\ntest b needs a\ntest c manual needs b\ntest d needs c",
			walk: `
				= skipped | skipped b c d | manual a
				play a
				= pending | pending a | created b c d ...
				ok a
				= running | success a | pending b | created c d ...
				ok b
				= success | success a b | skipped d | manual c`,
		},
		"but not those of another": {
			o:     open,
			world: "first a manual\nsecond b manual\nthird c needs b\nthird d needs a",
			walk: `
				play b
				- b: manual>pending, c: skipped>created, pipeline: skipped>pending
				= pending | skipped d | pending b | manual a | created c ...`,
		},
		"a job behind two gates": {
			o: open,
			world: `build build
				test test
				test one manual
				test two manual
				review review needs test one two
				deploy staging needs one
				deploy production needs two
				post after needs production
				post handle on_failure`,
			walk: `
				ok build
				= running | success build | skipped review staging production after | pending test | manual one two | created handle ...
				ok test
				= success | success build test | skipped review staging production after handle | manual one two
				play one
				= running | success build test | skipped review production after | pending one | manual two | created staging handle ...
				ok one
				= running | success build test one | skipped review production after | pending staging | manual two | created handle ...
				ok staging
				= success | success build test one staging | skipped review production after handle | manual two`,
		},
		"a retried job and those it had made skip": {
			o:     open,
			world: "test a\ntest b needs a\ntest c manual\ntest d needs b c",
			walk: `
				fail a
				= failed | failed a | skipped b d | manual c
				retry a
				= pending | skipped d | pending a#2 | manual c | created b ...
				ok a
				= running | success a#2 | skipped d | pending b | manual c ...`,
		},
		"a retried job of a stage": {
			o:     open,
			world: "build a\nbuild b\ntest c\ndeploy d",
			walk: `
				ok a
				fail b
				= failed | success a | failed b | skipped c d
				retry b
				= running | success a | pending b#2 | created c d ...
				ok b
				= running | success a b#2 | pending c | created d ...
				ok c d
				= success | success a b#2 c d`,
		},
		"the whole pipeline": {
			o:     open,
			world: "build a\nbuild m manual\ntest b\ntest c needs a",
			walk: `
				play m
				fail m
				fail a
				= failed | failed a m | skipped b c
				retry
				= pending | pending a#2 | manual m | created b c ...
				ok a
				= running | success a#2 | pending b c | manual m ...`,
		},
	})
}
