package action_test

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// uses is a reader of metadata that is good enough here.
func uses(_ string, text []byte) []string {
	var out []string
	for _, m := range regexp.MustCompile(`uses: (\S+)`).FindAllSubmatch(text, -1) {
		out = append(out, string(m[1]))
	}
	return out
}

var now = time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)

func TestAddTakesWhatAnActionUses(t *testing.T) {
	w := newWorld(t)
	first, _ := w.greet("mirror/acme/greet")
	w.write("mirror/acme/outer/action.yml", "runs:\n  steps:\n  - uses: acme/greet/sub@v1\n  - uses: acme/outer/inner@v1\n  - uses: ./local\n  - uses: docker://x\n",
		"mirror/acme/outer/inner/action.yml", "- uses: acme/missing@v3\n- uses: acme/outer@v1\n- uses: broken\n")
	w.commit("mirror/acme/outer", "one")
	w.git("mirror/acme/outer", "tag", "v1")
	s := &action.Sources{Cache: action.Cache{Dir: w.path("cache")}, Mirror: w.path("mirror")}
	added, err := s.Add(t.Context(), action.Name{Repository: "acme/outer", Ref: "v1"}, action.Adding{Uses: uses, Offline: true, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range added {
		got[a.Name.String()] = map[bool]string{true: "ok", false: fault.CodeOf(a.Err)}[a.Err == nil]
	}
	want := map[string]string{"acme/outer@v1": "ok", "acme/greet/sub@v1": "ok", "acme/outer/inner@v1": "ok", "acme/missing@v3": action.CodeMissing, "broken@": action.CodeName}
	for name, how := range want {
		if got[name] != how {
			t.Errorf("%s: %q, want %q", name, got[name], how)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	list, err := s.Cache.List()
	if err != nil || len(list) != 2 || list[0].Repository != "acme/greet" || list[0].Commit != first || !list[0].Added.Equal(now) || list[0].Source == "" {
		t.Errorf("list: %+v, %v", list, err)
	}
	for _, r := range list {
		if err := s.Cache.Check(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
	alone := &action.Sources{Cache: s.Cache}
	for _, ref := range []string{"v1", first, first[:9]} { // by its commit, too
		if f, err := alone.Find(t.Context(), "Acme/Greet", ref); err != nil || f.Commit != first {
			t.Errorf("%s: %+v, %v", ref, f, err)
		}
	}
}

func TestAddReplacesWhatHasMoved(t *testing.T) {
	w := newWorld(t)
	w.greet("greet")
	s := &action.Sources{Cache: action.Cache{Dir: w.path("cache")}}
	n := action.Name{Repository: "acme/greet", Ref: "main"}
	one, err := s.Add(t.Context(), n, action.Adding{From: w.path("greet"), Now: now})
	if err != nil || one[0].Before != "" {
		t.Fatalf("%+v, %v", one, err)
	}
	same, err := s.Add(t.Context(), n, action.Adding{From: w.path("greet"), Now: now})
	if err != nil || same[0].Before != one[0].Record.Digest || same[0].Record.Digest != one[0].Record.Digest {
		t.Errorf("the same again: %+v, %v", same, err)
	}
	w.write("greet/dist/index.js", "three\n")
	three := w.commit("greet", "three")
	moved, err := s.Add(t.Context(), n, action.Adding{From: w.path("greet"), Now: now})
	if err != nil || moved[0].Record.Commit != three || moved[0].Record.Digest == one[0].Record.Digest {
		t.Errorf("moved: %+v, %v", moved, err)
	}
	if list, _ := os.ReadDir(w.path("cache/acme/greet")); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
}

func TestAddFromAnAddress(t *testing.T) {
	w := newWorld(t)
	first, second := w.greet("served/acme/greet")
	w.git("served/acme/greet", "config", "uploadpack.allowAnySHA1InWant", "true")
	backend, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(backend)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + w.path("served"), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=x", "HOME=" + os.Getenv("HOME")},
	})
	t.Cleanup(server.Close)
	// git-http-backend serves git directories: a clone's is below it.
	w.git("served/acme", "clone", "-q", "--bare", "greet", "bare.git")
	w.git("served/acme/bare.git", "config", "uploadpack.allowAnySHA1InWant", "true")
	// git speaks http to this server only because it is named here; a scheme of commands it never speaks.
	for ref, want := range map[string]string{"v1": first, "main": second, first: first, "refs/heads/releases/v1": first} {
		for _, base := range []string{server.URL + "/acme/bare.git", "file://" + w.path("served/acme/greet")} {
			s := &action.Sources{Cache: action.Cache{Dir: filepath.Join(t.TempDir(), "cache")}}
			added, err := s.Add(t.Context(), action.Name{Repository: "acme/greet", Ref: ref}, action.Adding{From: base, Now: now})
			if err != nil || added[0].Record.Commit != want {
				t.Errorf("%s from %s: %+v, %v; want %s", ref, base, added, err, want)
			}
		}
	}
	s := &action.Sources{Cache: action.Cache{Dir: w.path("cache")}}
	for from, code := range map[string]string{
		server.URL + "/acme/none.git":                           action.CodeRemote,
		strings.Replace(server.URL, "//", "//me:pw@", 1) + "/x": action.CodeRemote,
		"file://" + w.path("nowhere"):                           action.CodeRemote,
		"ext::sh://-c touch " + w.path("canary"):                action.CodeRemote,
		w.path("nowhere"):                                       action.CodeMissing,
	} {
		_, err := s.Add(t.Context(), action.Name{Repository: "acme/greet", Ref: "v1"}, action.Adding{From: from, Now: now})
		if fault.CodeOf(err) != code {
			t.Errorf("%s: %v, want %s", from, err, code)
		}
		if err != nil && strings.Contains(err.Error(), ":pw@") {
			t.Errorf("the message tells the password: %v", err)
		}
	}
	if _, err := s.Add(t.Context(), action.Name{Repository: "acme/greet", Ref: "v9"}, action.Adding{From: server.URL + "/acme/bare.git", Now: now}); fault.CodeOf(err) != action.CodeMissing {
		t.Errorf("no such ref: %v", err)
	}
	if _, err := os.Stat(w.path("canary")); err == nil {
		t.Error("a program was started")
	}
	mirrored := &action.Sources{Cache: action.Cache{Dir: w.path("cache2")}, Mirror: "file://" + w.path("served")}
	out, err := mirrored.Resolve(t.Context(), program.Resolve{Repository: "acme/greet", Ref: "v1"}, w.job("job"))
	if err != nil || out.Values[1] != first {
		t.Errorf("mirror by address: %q, %v", out.Values, err)
	}
	if _, err := mirrored.Find(t.Context(), "acme/none", "v1"); fault.CodeOf(err) != action.CodeMissing {
		t.Errorf("nowhere: %v", err)
	}
}

func TestAddFromFolders(t *testing.T) {
	w := newWorld(t)
	w.write("plain/action.yml", "name: plain\n", "several/acme/greet/v1/action.yml", "name: v1\n", "empty/x", "")
	s := &action.Sources{Cache: action.Cache{Dir: w.path("cache")}}
	n := action.Name{Repository: "acme/greet", Ref: "v1"}
	for from, want := range map[string]string{"plain": "name: plain\n", "several": "name: v1\n"} {
		if _, err := s.Add(t.Context(), n, action.Adding{From: w.path(from), Now: now}); err != nil || w.read("cache/acme/greet/v1/files/action.yml") != want {
			t.Errorf("%s: %v", from, err)
		}
	}
	if _, err := s.Add(t.Context(), n, action.Adding{From: w.path("empty"), Now: now}); fault.CodeOf(err) != action.CodeNoAction {
		t.Errorf("no action: %v", err)
	}
	w.greet("clone")
	_, err := s.Add(t.Context(), action.Name{Repository: "acme/greet", Ref: "v2"}, action.Adding{From: w.path("clone"), Now: now})
	if fault.CodeOf(err) != action.CodeMissing || !strings.Contains(err.Error(), `did you mean "v1"`) {
		t.Errorf("no such ref: %v", err)
	}
}

func TestRemove(t *testing.T) {
	w := newWorld(t)
	w.greet("greet")
	c := action.Cache{Dir: w.path("cache")}
	s := &action.Sources{Cache: c}
	for _, ref := range []string{"v1", "main", "releases/v1"} {
		if _, err := s.Add(t.Context(), action.Name{Repository: "Acme/Greet", Ref: ref}, action.Adding{From: w.path("greet"), Now: now}); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		repository, ref string
		gone, left      int
	}{{"acme/greet", "releases/v1", 1, 2}, {"acme/greet", "v1", 1, 1}, {"acme/greet", "none", 0, 1}, {"acme/other", "", 0, 1}, {"acme/greet", "", 1, 0}} {
		gone, err := c.Remove(x.repository, x.ref)
		list, err2 := c.List()
		if err != nil || err2 != nil || len(gone) != x.gone || len(list) != x.left {
			t.Errorf("%s@%s: %v, %v, %d left", x.repository, x.ref, gone, err, len(list))
		}
	}
	if _, err := os.Stat(w.path("cache/acme")); err == nil {
		t.Error("empty folders are left")
	}
	for _, bad := range []string{"../..", "acme/..", "/etc"} {
		if _, err := c.Remove(bad, ""); fault.CodeOf(err) != action.CodeName {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := c.Remove("acme/greet", "../../.."); fault.CodeOf(err) != action.CodeName {
		t.Errorf("a ref that leaves: %v", err)
	}
}

func TestDamagedRecordIsTold(t *testing.T) {
	w := newWorld(t)
	w.write("cache/acme/greet/v1/record.json", "{", "cache/acme/greet/v1/files/action.yml", "x")
	s := &action.Sources{Cache: action.Cache{Dir: w.path("cache")}}
	if _, err := s.Find(t.Context(), "acme/greet", "v1"); fault.CodeOf(err) != action.CodeCache {
		t.Errorf("got %v", err)
	}
	if gone, err := s.Cache.Remove("acme/greet", "v1"); err != nil {
		t.Errorf("it cannot be removed: %v %v", gone, err)
	}
}
