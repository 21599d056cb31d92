package run_test

import "testing"

func TestLateJobs(t *testing.T) {
	tellAll(t, map[string]story{
		"a child pipeline that nobody waits for": {
			world: "build a\ntest t child\ndeploy b",
			bound: map[string]string{"t": "one x\ntwo y"},
			walk: `
				ok a
				- a: pending>running, pipeline: pending>running, a: running>success, t: created>pending bind
				!SL1315 start t
				bind t
				= running | success a t | pending t/x b | created t/y ...
				ok b
				= success | success a t b | pending t/x | created t/y ...
				fail t/x
				= success | success a t b | failed t/x | skipped t/y`,
		},
		"a child pipeline that is waited for": {
			world: "build t depend\ntest b",
			bound: map[string]string{"t": "one x\ntwo y"},
			walk: `
				bind t
				= running | running t | pending t/x | created t/y b ...
				!SL1311 done t
				ok t/x t/y
				= running | success t t/x t/y | pending b ...
				ok b
				= success | success t t/x t/y b`,
		},
		"its failure": {
			world: "build t depend\ntest b",
			bound: map[string]string{"t": "one x\ntwo y"},
			walk: `
				bind t
				fail t/x
				= failed | failed t t/x | skipped t/y b`,
		},
		"its failure, allowed": {
			world: "build t depend allow\ntest b",
			bound: map[string]string{"t": "one x"},
			walk: `
				bind t
				fail t/x
				= pending | failed t t/x | pending b ...`,
		},
		"an allowed failure in it": {
			world: "build t depend\ntest b",
			bound: map[string]string{"t": "one x allow"},
			walk: `
				bind t
				fail t/x
				= running | success t | failed t/x | pending b ...`,
		},
		"nothing of it runs: depend fails": {
			world: "build t depend",
			bound: map[string]string{"t": "one x on_failure"},
			walk: `
				bind t
				= failed | failed t | skipped t/x`,
		},
		"nothing of it runs: mirror skips": {
			world: "build t mirror",
			bound: map[string]string{"t": "one x on_failure"},
			walk: `
				bind t
				= skipped | skipped t t/x`,
		},
		"it waits for a person": {
			world: "build t depend\ntest b",
			bound: map[string]string{"t": "one x gate\ntwo y"},
			walk: `
				bind t
				= manual | running t | manual t/x | created t/y b
				play t/x
				= running | running t | pending t/x | created t/y b ...
				ok t/x t/y b
				= success | success t t/x t/y b`,
		},
		"it waits for a person, mirrored": {
			world: "build t mirror\ntest b",
			bound: map[string]string{"t": "one x gate"},
			walk: `
				bind t
				= manual | manual t t/x | created b
				!SL1311 play t
				play t/x
				= running | running t | pending t/x | created b ...
				ok t/x
				= running | success t t/x | pending b ...`,
		},
		"it cannot be made": {
			world: "build t child\ntest b",
			bound: map[string]string{"t": "err no such file"},
			walk: `
				bind t
				- t: pending>failed (no such file), b: created>skipped (job "t" failed), pipeline: pending>failed`,
		},
		"it is left out": {
			world: "build t expand\ntest b needs t\ntest c",
			bound: map[string]string{"t": "skip if: false"},
			walk: `
				bind t
				- t: pending>skipped (if: false), b: created>skipped (job "t" was skipped), c: created>pending`,
		},
		"a matrix stands in its job's place": {
			world: "test t expand\ntest b needs t",
			bound: map[string]string{"t": "test x needs\ntest y needs"},
			walk: `
				bind t
				= running | running t | pending t/x t/y | created b ...
				ok t/y
				ok t/x
				= running | success t t/x t/y | pending b ...`,
		},
		"a matrix without legs": {
			world: "test t expand\ntest b needs t",
			bound: map[string]string{"t": ""},
			walk: `
				bind t
				= running | success t | pending b ...`,
		},
		"a child of a child": {
			world: "build t depend\ntest b",
			bound: map[string]string{"t": "one u depend\ntwo v", "t/u": "deep x"},
			walk: `
				bind t
				= running | running t | pending t/u | created t/v b ...
				bind t/u
				= running | running t t/u | pending t/u/x | created t/v b ...
				ok t/u/x
				= running | success t/u t/u/x | running t | pending t/v | created b ...
				ok t/v
				= running | success t t/u t/u/x t/v | pending b ...`,
		},
		"canceling goes down and comes up": {
			world: "build t depend\nbuild s child\ntest b",
			bound: map[string]string{"t": "one u depend", "s": "one x\ntwo y", "t/u": "deep x\ndeeper y"},
			walk: `
				bind t
				bind s
				bind t/u
				start t/u/x
				cancel
				= running | success s | canceled t/u/y s/x s/y b | running t! t/u! t/u/x! ...
				canceled t/u/x
				= canceled | success s | canceled t t/u t/u/x t/u/y s/x s/y b`,
		},
		"canceling the job cancels what it became": {
			world: "build t depend\ntest b",
			bound: map[string]string{"t": "one x\ntwo y"},
			walk: `
				bind t
				start t/x
				cancel t
				= running | canceled t/y | running t! t/x! | created b ...
				done t/x
				= canceled | canceled t t/x t/y | skipped b`,
		},
		"a child's own auto_cancel stops the child, and the job has failed": {
			world: "build t depend\nbuild a\ntest b",
			bound: map[string]string{"t": "cancel on failure\none x\none y\ntwo z"},
			walk: `
				bind t
				start t/y
				fail t/x
				= running | failed t/x | canceled t/z | running t t/y! | pending a | created b ...
				canceled t/y
				= running | failed t t/x | canceled t/y t/z | pending a | created b ...`,
		},
		"a binding that comes too late": {
			world: "build t depend",
			bound: map[string]string{"t": "one x"},
			walk: `
				cancel t
				!SL1315 bind t`,
		},
		"a name that is taken": {
			world: "build t child\nbuild t/x",
			bound: map[string]string{"t": "one x"},
			walk: `
				bind t
				= running | success t | pending t//x t/x ...`,
		},
		"a job that is retried becomes something anew": {
			o:     open,
			world: "build t depend\ntest b",
			bound: map[string]string{"t": "one x"},
			walk: `
				bind t
				fail t/x
				= failed | failed t t/x | skipped b
				retry t
				= pending | pending t#2 | created b ...
				bind t
				ok t/x
				= running | success t#2 t/x | pending b ...`,
		},
		"a child's job that is retried takes the parent up again": {
			o:     open,
			world: "build t depend\ntest b",
			bound: map[string]string{"t": "one x\ntwo y"},
			walk: `
				bind t
				fail t/x
				= failed | failed t t/x | skipped t/y b
				retry t/x
				= running | running t | pending t/x#2 | created t/y b ...
				ok t/x t/y
				= running | success t t/x#2 t/y | pending b ...`,
		},
		"a manual trigger": {
			world: "build t child manual\nbuild a",
			bound: map[string]string{"t": "one x"},
			walk: `
				= pending | pending a | manual t ...
				play t
				- t: manual>pending bind
				bind t
				= running | success t | pending t/x a ...`,
		},
		"a trigger with a resource group": {
			world: "build t depend",
			bound: map[string]string{"t": "one x"},
			walk: `
				wait t
				free t
				- t: waiting>pending bind, pipeline: waiting>pending
				bind t
				ok t/x
				= success | success t t/x`,
		},
	})
}
