package schedule_test

import "testing"

func TestSetsAndSingleGroups(t *testing.T) {
	for name, s := range map[string]story{
		"at most so many of a matrix, and others pass by": `
			agents m=9:*
			push a set=s parallel=2
			push b set=s parallel=2
			push c set=s parallel=2
			push d set=s parallel=2
			push x
			assign
			= a>m b>m x>m
			~ c: at most 2 of its matrix run at a time (max-parallel); d: at most 2 of its matrix run at a time (max-parallel)
			done b
			assign
			= c>m
			remove d
			done a c
			assign
			=`,
		"matrices of two runs are two": `
			agents m=9:*
			push a run=1 set=s parallel=1
			push b run=2 set=s parallel=1
			push c run=1 set=t parallel=1
			assign
			= a>m b>m c>m`,
		"without a limit it is no set": `
			agents m=9:*
			push a set=s
			push b set=s
			assign
			= a>m b>m`,
		"a leg that waits for its group takes its place in the matrix": `
			agents m=9:*
			push x group=g
			push a set=s parallel=1 group=g
			push b set=s parallel=1
			assign
			= x>m
			~ a: waiting for resource group "g", held by x; b: at most 1 of its matrix run at a time (max-parallel)
			done x
			assign
			= a>m
			done a
			assign
			= b>m`,
		"a leg comes to wait for its group": `
			agents m=9:*
			push x group=g
			push a set=s parallel=1
			push b set=s parallel=1 group=g
			assign
			= x>m a>m
			done a
			assign
			=
			~ b: waiting for resource group "g", held by x`,
		"jobs without an agent have their turns too": `
			agents m=9:*
			push a set=s parallel=1 noagent
			push b set=s parallel=1 noagent
			assign
			= a>
			done a
			assign
			= b>`,
		"only the newest waits": `
			agents m=9:*
			push a single=g
			push b single=g
			assign
			= a>m
			~ b: waiting for concurrency group "g", held by a
			^
			push c single=g
			^ b<c
			why b: a newer job waits for concurrency group "g" in its place
			assign
			=
			~ c: waiting for concurrency group "g", held by a
			remove b
			done a
			assign
			= c>m
			^`,
		"who comes cancels who runs": `
			agents m=9:*
			push a single=g
			push b cancel=g
			^ a<b!
			push c cancel=g
			^ b<c
			remove b
			done a
			assign
			= c>m`,
		"groups of other names are left alone": `
			agents m=9:*
			push a cancel=g
			push b cancel=h
			^
			assign
			= a>m b>m`,
		"a leg that comes later is the newer": `
			agents m=9:*
			push x single=g
			push a set=s parallel=1
			push b set=s parallel=1 single=g
			push c single=g
			^
			done a
			^ c<b`,
	} {
		t.Run(name, s.tell)
	}
}
