package terminal_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// TestGolden plays the scenes of testdata. A file's comment says what it is about and, in a line "options: KEY=VALUE…",
// how it is shown: progress, color, size (a terminal's), and anything else is the environment. In a scene of the live
// view the word "look" writes down what is on the screen.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenes: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = playGolden(t, archive) })
			compare(t, file, archive, got)
		})
	}
}

func playGolden(t *testing.T, archive *txtar.Archive) string {
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	p := newPlayer(optionsIn(string(archive.Comment)))
	s := newScene(p.view(t))
	s.files = files
	var got strings.Builder
	for line := range strings.Lines(files["scene"]) {
		if strings.TrimSpace(line) == "look" {
			synctest.Wait()
			fmt.Fprintf(&got, "%s\n%s\n", strings.Repeat("=", 20), p.screen)
			continue
		}
		if err := s.play(line); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	if p.screen != nil {
		if len(p.screen.strange) > 0 {
			t.Errorf("written to the terminal: %s", strings.Join(p.screen.strange, ", "))
		}
		fmt.Fprintf(&got, "%s all there is\n%s", strings.Repeat("=", 20), p.screen.history())
		return got.String()
	}
	if p.out.Len() > 0 {
		got.WriteString("== standard output\n" + p.out.String() + "== standard error\n")
	}
	got.Write(p.err.Bytes())
	return strings.ReplaceAll(got.String(), "\x1b", "␛")
}

func optionsIn(comment string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(comment) {
		if rest, ok := strings.CutPrefix(line, "options:"); ok {
			for _, field := range strings.Fields(rest) {
				k, v, _ := strings.Cut(field, "=")
				out[k] = v
			}
		}
	}
	return out
}

func compare(t *testing.T, file string, archive *txtar.Archive, got string) {
	t.Helper()
	for i := range archive.Files {
		f := &archive.Files[i]
		if f.Name != "want" {
			continue
		}
		if string(f.Data) == got {
			return
		}
		if !*update {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, f.Data)
			return
		}
		f.Data = []byte(got)
		write(t, file, archive)
		return
	}
	archive.Files = append(archive.Files, txtar.File{Name: "want", Data: []byte(got)})
	if *update {
		write(t, file, archive)
		return
	}
	t.Errorf("%s: nothing is wanted", file)
}

func write(t *testing.T, file string, archive *txtar.Archive) {
	t.Helper()
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// player is where a view writes.
type player struct {
	options  map[string]string
	out, err bytes.Buffer
	screen   *vt // nil where it is no terminal
}

func newPlayer(options map[string]string) *player {
	p := &player{options: options}
	if size := options["size"]; size != "" {
		var columns, rows int
		if _, err := fmt.Sscanf(size, "%dx%d", &columns, &rows); err != nil {
			panic(err)
		}
		p.screen = newVT(columns, rows)
	}
	return p
}

func (p *player) view(t *testing.T) terminal.View {
	t.Helper()
	o := terminal.Options{
		Progress: p.options["progress"], Color: p.options["color"], Out: &p.out, Err: &p.err,
		Env:  func(name string) string { return p.options[name] },
		Size: func() (int, int, bool) { return 0, 0, false },
	}
	if p.screen != nil {
		o.Err, o.Size = p.screen, p.screen.size
	}
	v, err := terminal.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
