package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestActions runs testdata/actions: workflows whose steps use actions, each file a repository with what it is run by and
// what must come of that.
//
//	-- outside/… --  files that stand outside of the repository, in $OUT
//	-- git --        commands of git, a line each, after everything was committed
//	-- run --        arguments of sluice run, one a line; $OUT, $NPM (the official packages) and $DIR are filled in
//	-- want --       what must come of the run, a line each (see expect)
//
// run and want may come again: then the repository is run again. A first line that begins with "npm:" wants the official
// packages, which scripts/deps test installs.
func TestActions(t *testing.T) {
	files, err := filepath.Glob("testdata/actions/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			actScene(t, archive)
		})
	}
}

// scene is a repository with actions around it.
type scene struct {
	t              *testing.T
	dir, out, home string
	npm            string
}

func actScene(t *testing.T, archive *txtar.Archive) {
	s := scene{t: t, dir: t.TempDir(), out: t.TempDir(), home: t.TempDir()}
	if bytes.HasPrefix(archive.Comment, []byte("npm:")) {
		s.npm = officialPackages(t)
	}
	var later []txtar.File
	for _, f := range archive.Files {
		name, outside := strings.CutPrefix(f.Name, "outside/")
		switch {
		case f.Name == "git" || f.Name == "run" || f.Name == "want":
			later = append(later, f)
		case outside:
			s.write(s.out, name, f.Data)
		default:
			s.write(s.dir, name, f.Data)
		}
	}
	if err := commitAll(s.dir, gitEnv(s.home)); err != nil {
		t.Fatal(err)
	}
	var h heard
	for _, f := range later {
		lines := strings.Split(strings.TrimSpace(string(f.Data)), "\n")
		switch f.Name {
		case "git":
			s.git(lines)
		case "run":
			h = s.run(lines)
		case "want":
			for _, line := range lines {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
					s.expect(h, line)
				}
			}
		}
	}
	if t.Failed() {
		for _, e := range h.events {
			if e.Type == "log" {
				t.Logf("%s| %s", e.Job, e.Line)
			}
		}
		t.Logf("standard error:\n%s", h.stderr)
	}
}

// write makes a file; one that begins with #! is a program.
func (s scene) write(root, name string, data []byte) {
	s.t.Helper()
	path, mode := filepath.Join(root, filepath.FromSlash(name)), os.FileMode(0o644)
	if bytes.HasPrefix(data, []byte("#!")) {
		mode = 0o755
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		s.t.Fatal(err)
	}
}

// git runs commands of git: in the repository, or in a folder outside where the line begins with its name and a colon.
func (s scene) git(lines []string) {
	s.t.Helper()
	for _, line := range lines {
		dir := s.dir
		if name, rest, ok := strings.Cut(line, ": "); ok {
			dir, line = filepath.Join(s.out, name), rest
		}
		cmd := exec.Command("git", strings.Fields(line)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), gitEnv(s.home)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("git %s: %v\n%s", line, err, out)
		}
	}
}

func (s scene) fill(text string) string {
	return strings.NewReplacer("$OUT", s.out, "$NPM", s.npm, "$DIR", s.dir).Replace(text)
}

// run is one run of the repository. All runs of a scene have one home.
func (s scene) run(args []string) heard {
	s.t.Helper()
	list := []string{"run", "--format", "json"}
	for _, a := range args {
		if a = strings.TrimSpace(a); a != "" {
			list = append(list, s.fill(a))
		}
	}
	cmd := exec.CommandContext(s.t.Context(), "sluice", list...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), gitEnv(s.home)...)
	cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+filepath.Join(s.home, ".cache"), "RUNNER_TOOL_CACHE=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	h := heard{exit: exitCode(s.t, cmd.Run()), stderr: errs.String()}
	h.events = eventsOf(s.t, out.Bytes())
	return h
}

// expect holds a run to one line:
//
//	exit 1                  the exit code
//	job NAME STATUS         how a job ended
//	NAME| TEXT              a line of the job's log that is this text
//	NAME~ TEXT              a line of it that holds this text
//	NAME! TEXT              no line of it holds this text
//	summary~ TEXT           a summary that holds it
//	stderr~ TEXT            standard error holds it
func (s scene) expect(h heard, line string) {
	s.t.Helper()
	words := strings.Fields(line)
	switch {
	case words[0] == "exit":
		if want := fmt.Sprint(h.exit); want != words[1] {
			s.t.Errorf("%s: it is %s", line, want)
		}
		return
	case words[0] == "job":
		name := strings.Join(words[1:len(words)-1], " ")
		if got := h.last()[name]; got != words[len(words)-1] {
			s.t.Errorf("%s: it is %q", line, got)
		}
		return
	}
	at := strings.IndexAny(line, "|~!")
	if at < 0 {
		s.t.Fatalf("%q says nothing that can be checked", line)
	}
	name, kind, text := line[:at], line[at], s.fill(strings.TrimPrefix(line[at+1:], " "))
	found := false
	for _, l := range s.said(h, name) {
		if kind == '|' && l == text || kind != '|' && strings.Contains(l, text) {
			found = true
		}
	}
	if found == (kind == '!') {
		s.t.Errorf("want %s", line)
	}
}

// said are the lines of a job, of the summaries or of standard error.
func (s scene) said(h heard, name string) []string {
	s.t.Helper()
	switch name {
	case "stderr":
		return []string{h.stderr}
	case "summary":
		var all []string
		files, _ := filepath.Glob(filepath.Join(s.dir, ".sluice/runs/*/*.md"))
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				s.t.Fatal(err)
			}
			all = append(all, string(text))
		}
		return all
	}
	var lines []string
	for _, e := range h.events {
		if e.Type == "log" && e.Job == name && e.Stream != "command" {
			lines = append(lines, e.Line)
		}
	}
	return lines
}

// officialPackages is the folder with the official packages of actions, as scripts/deps installs them.
func officialPackages(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(cache, "sluice", "npm-actions")
	if _, err := os.Stat(filepath.Join(dir, "node_modules/@actions/artifact")); err != nil {
		t.Skipf("NOT TESTED WITH THE OFFICIAL PACKAGES: %v; scripts/deps test installs them", err)
	}
	return dir
}
