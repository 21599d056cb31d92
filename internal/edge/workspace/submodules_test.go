package workspace_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/workspace"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// nested is a repository with the submodules libs/one, which has one of its own at deep/in, and pair; with changes that
// nothing tracks in each.
const nested = first + `
make() { mkdir ../$1; (cd ../$1; git init -q .; echo $1 >$1; git add .; git commit -qm $1); }
make in; make one; make pair; mkdir side; (cd side; git init -q .; echo s >s)
(cd ../one; git submodule --quiet add "file://$PWD/../in" deep/in; git commit -qm sub)
git submodule --quiet add "file://$PWD/../one" libs/one; git submodule --quiet add "file://$PWD/../pair" pair
git commit -qm subs; git submodule --quiet update --init --recursive
mkdir libs/one/new; echo n >libs/one/new/n; ln -s one libs/one/link; echo changed >>libs/one/deep/in/in; echo n >libs/one/deep/in/n
`

// What a workspace holds of nested, beside what it always holds. Git would clone: the folders are there in any case.
var subFiles = map[string][]string{
	"libs/one":         {"libs/one/.gitmodules", "libs/one/deep", "libs/one/deep/in", "libs/one/link", "libs/one/new", "libs/one/new/n", "libs/one/one"},
	"libs/one/deep/in": {"libs/one/deep/in/in", "libs/one/deep/in/n"},
	"pair":             {"pair/pair"},
}

// below lists what is in the submodules' folders of a workspace, which must be there themselves.
func below(t *testing.T, ws string) []string {
	t.Helper()
	var out []string
	for _, sub := range []string{"libs/one", "pair"} {
		if info, err := os.Lstat(filepath.Join(ws, sub)); err != nil || !info.IsDir() {
			t.Errorf("%s is no folder: %v", sub, err)
		}
		for line := range strings.SplitSeq(tree(t, filepath.Join(ws, sub)), "\n") {
			name, _, _ := strings.Cut(strings.TrimSuffix(line, "/"), " ")
			if name != "." {
				out = append(out, sub+"/"+name)
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestSubmodules(t *testing.T) {
	base := t.TempDir()
	repo := filepath.Join(base, "repo")
	sh(t, base, "mkdir repo; cd repo\n"+nested)
	before := state(t, repo)
	s := take(t, repo, workspace.Options{})
	for name, w := range map[string]struct {
		checkout program.Checkout
		want     []string // submodules with files
	}{
		"by default none":           {program.Checkout{}, nil},
		"none":                      {program.Checkout{Strategy: "clone", Submodules: "none"}, nil},
		"normal":                    {program.Checkout{Submodules: "normal"}, []string{"libs/one", "pair"}},
		"recursive":                 {program.Checkout{Submodules: "recursive"}, []string{"libs/one", "libs/one/deep/in", "pair"}},
		"one by its path":           {program.Checkout{Submodules: "recursive", Paths: "pair"}, []string{"pair"}},
		"by the folder it is in":    {program.Checkout{Submodules: "recursive", Paths: " libs/ "}, []string{"libs/one", "libs/one/deep/in"}},
		"all but one":               {program.Checkout{Submodules: "normal", Paths: ":(exclude)pair"}, []string{"libs/one"}},
		"all but one, in short":     {program.Checkout{Submodules: "normal", Paths: ":!libs/one"}, []string{"pair"}},
		"by a pattern":              {program.Checkout{Submodules: "normal", Paths: "l*e p[!b]ir"}, []string{"libs/one", "pair"}},
		"by a pattern for a folder": {program.Checkout{Submodules: "normal", Paths: ":(glob)*"}, []string{"pair"}},
		"in any case":               {program.Checkout{Submodules: "normal", Paths: ":(icase)PAIR"}, []string{"pair"}},
		"everything":                {program.Checkout{Submodules: "normal", Paths: "."}, []string{"libs/one", "pair"}},
		"both sides":                {program.Checkout{Submodules: "normal", Paths: "libs/one pair :(exclude)libs"}, []string{"pair"}},
		// git's pathspecs do not reach into submodules: a nested one goes with its own.
		"not a nested one": {program.Checkout{Submodules: "recursive", Paths: ":(exclude)libs/one/deep/in"}, []string{"libs/one", "libs/one/deep/in", "pair"}},
		"no file at all":   {program.Checkout{Submodules: "recursive", Strategy: "empty"}, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			ws := filepath.Join(t.TempDir(), "ws")
			if err := s.Fill(t.Context(), ws, w.checkout); err != nil {
				t.Fatal(err)
			}
			if w.checkout.Empty() {
				if got := tree(t, ws); got != "./" {
					t.Errorf("got %s", got)
				}
				return
			}
			var want []string
			for _, sub := range w.want {
				want = append(want, subFiles[sub]...)
			}
			slices.Sort(want)
			if got := below(t, ws); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			for _, always := range []string{"one", "dir/deep/three", "side/s", ".gitmodules"} {
				if _, err := os.Lstat(filepath.Join(ws, always)); err != nil {
					t.Error(err)
				}
			}
			for sub := range subFiles {
				_, err := os.Lstat(filepath.Join(ws, sub, ".git"))
				if got := err == nil; got != slices.Contains(w.want, sub) {
					t.Errorf("%s is a repository: %v", sub, got)
				}
			}
			if !s.Refill(t.Context(), ws, w.checkout) {
				t.Error("an unused workspace is not as new")
			}
			sh(t, ws, "git status >/dev/null; test -z \"$(git status --porcelain --ignore-submodules=dirty | grep -v side)\"; git diff --quiet --ignore-submodules=dirty")
		})
	}
	if after := state(t, repo); before != after {
		t.Errorf("the user's checkout changed:\n%s\nwas\n%s", after, before)
	}
}

// A job that wants its submodules itself gets them, as on GitLab; and a workspace is as new for its own checkout only.
func TestSubmodulesOfAnEmptyFolder(t *testing.T) {
	base := t.TempDir()
	ws := filepath.Join(base, "ws")
	sh(t, base, "mkdir repo; cd repo\n"+nested)
	s := take(t, filepath.Join(base, "repo"), workspace.Options{})
	none, normal := program.Checkout{Submodules: "none"}, program.Checkout{Submodules: "normal"}
	if err := s.Fill(t.Context(), ws, none); err != nil {
		t.Fatal(err)
	}
	if s.Refill(t.Context(), ws, normal) || !s.Refill(t.Context(), ws, none) {
		t.Error("a workspace is as new for another checkout, or not for its own")
	}
	sh(t, ws, "git submodule --quiet update; test -z \"$(ls pair)\"; git submodule --quiet update --init pair; test -s pair/pair; test -z \"$(ls libs/one)\"")
	if s.Refill(t.Context(), ws, none) {
		t.Error("a job's own submodules are left for the next")
	}
	for _, c := range []program.Checkout{normal, {Submodules: "recursive"}, {Submodules: "normal", Paths: "pair"}} {
		if err := os.RemoveAll(ws); err != nil {
			t.Fatal(err)
		}
		if err := s.Fill(t.Context(), ws, c); err != nil {
			t.Fatal(err)
		}
		if !s.Refill(t.Context(), ws, c) || s.Refill(t.Context(), ws, none) {
			t.Errorf("%v: a workspace is not as new, or also for another checkout", c)
		}
		sh(t, ws, "echo x >>pair/pair")
		if s.Refill(t.Context(), ws, c) {
			t.Errorf("%v: a change in a submodule is not seen", c)
		}
	}
}

func TestSubmodulesThatAreNotToBeHad(t *testing.T) {
	base := t.TempDir()
	sh(t, base, "mkdir repo; cd repo\n"+nested+"git submodule --quiet deinit -f pair; cd libs/one; git submodule --quiet deinit -f deep/in")
	s := take(t, filepath.Join(base, "repo"), workspace.Options{})
	for name, w := range map[string]struct {
		checkout program.Checkout
		want     []string
	}{
		"none":      {program.Checkout{}, nil},
		"normal":    {program.Checkout{Submodules: "normal"}, []string{"submodule pair is not"}},
		"recursive": {program.Checkout{Submodules: "recursive"}, []string{"submodule libs/one/deep/in is not", "submodule pair is not"}},
		"excluded":  {program.Checkout{Submodules: "recursive", Paths: ":(exclude)libs :(exclude)pair"}, nil},
		"a slip":    {program.Checkout{Submodules: "normal", Paths: "libs/one libs/pear"}, []string{"libs/pear matches no"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.Remarks(w.checkout)
			ok := len(got) == len(w.want)
			for i := range min(len(got), len(w.want)) {
				ok = ok && strings.Contains(got[i], w.want[i])
			}
			if !ok {
				t.Errorf("got %q, want %q", got, w.want)
			}
		})
	}
	for _, c := range []program.Checkout{
		{Submodules: "all"}, {Paths: ":(exclude) libs"}, {Paths: ":(exclude"}, {Paths: ":(attr:x)a"}, {Paths: "../x"}, {Paths: "/x"},
	} {
		if err := s.Fill(t.Context(), filepath.Join(base, "ws"), c); err == nil {
			t.Errorf("%v was taken", c)
		}
	}
}
