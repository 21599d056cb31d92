package tool

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// wanted says which versions fit.
type wanted struct {
	asked    string
	fits     *semver.Constraints // nil: all
	unstable bool                // also versions before a release
	first    bool                // the one that comes first on PATH will do
	even     bool                // only lines with long-term support (Node)
	back     uint64              // minor versions before the newest (Go's oldstable)
}

// longTerm are Node's lines with long-term support, by code name (nodejs/Release).
var longTerm = map[string]uint64{
	"argon": 4, "boron": 6, "carbon": 8, "dubnium": 10, "erbium": 12, "fermium": 14, "gallium": 16, "hydrogen": 18, "iron": 20, "jod": 22, "krypton": 24,
}

// newestLongTerm is the newest of them.
const newestLongTerm = 24

// wanted reads a range as the setup action of the tool documents it.
func (k kind) wanted(text string) (wanted, error) {
	text = strings.TrimSpace(text)
	w := wanted{asked: text}
	if text == "" {
		w.first = true
		return w, nil
	}
	low := strings.ToLower(text)
	if low == "latest" || low == "*" || low == "x" {
		return w, nil
	}
	var err error
	switch k.name {
	case "go":
		switch low {
		case "stable":
			return w, nil
		case "oldstable":
			w.back = 1
			return w, nil
		}
		words := strings.Fields(text)
		for i := range words {
			words[i] = goVersion(strings.TrimPrefix(words[i], "go"))
		}
		text = strings.Join(words, " ")
	case "node":
		if done, err := w.node(low); done || err != nil {
			return w, err
		}
	case "Python":
		if text, err = w.python(text); err != nil {
			return w, err
		}
	case "java":
		if text, w.unstable = strings.CutSuffix(text, "-ea"); w.unstable {
			text += ".x"
		}
		if oldJava.MatchString(text) {
			text = javaVersion(text)
		}
		text = build.ReplaceAllString(text, "$1") // 21.0.2+13: builds of one version are not told apart
	}
	w.fits, err = semver.NewConstraint(text)
	if err != nil {
		return w, fault.New(CodeVersion, "%q is no version or range of %s", w.asked, k.title)
	}
	w.fits.IncludePrerelease = w.unstable
	return w, nil
}

var build = lazy.Pattern(`^([0-9.]+)\+[0-9.]+$`)

// node reads Node's names of lines. done says that it was one.
func (w *wanted) node(low string) (done bool, err error) {
	if low == "current" || low == "node" {
		return true, nil
	}
	for _, odd := range []string{"-nightly", "-rc", "-v8-canary"} {
		if strings.HasSuffix(low, odd) {
			return true, fault.New(CodeVersion, "%q is a build of Node.js that is not released, and none is looked for", w.asked)
		}
	}
	name, ok := strings.CutPrefix(low, "lts/")
	switch {
	case !ok:
		return false, nil
	case name == "*":
		w.even = true
		return true, nil
	}
	major, known := longTerm[name]
	if n, err := strconv.Atoi(name); err == nil && n < 0 && n > -10 {
		major, known = uint64(newestLongTerm+2*n), true
	}
	if !known {
		return true, fault.New(CodeVersion, "Node.js has no line %q with long-term support that is known here", w.asked)
	}
	w.fits, err = semver.NewConstraint(fmt.Sprintf("%d.x", major))
	return true, err
}

// python reads what setup-python adds to ranges.
func (w *wanted) python(text string) (string, error) {
	low := strings.ToLower(text)
	for _, other := range []string{"pypy", "graalpy"} {
		if strings.HasPrefix(low, other) {
			return "", fault.New(CodeVersion, "%s is not looked for: only CPython is", w.asked).WithHint("--no-native lets actions/setup-python download it")
		}
	}
	if free := lazy.Pattern(`^[0-9][0-9.x]*t(-dev)?$`); free.MatchString(low) {
		return "", fault.New(CodeVersion, "%s is a free-threaded build, and none is looked for", w.asked).WithHint("--no-native lets actions/setup-python download it")
	}
	if line, ok := strings.CutSuffix(low, "-dev"); ok {
		w.unstable = true
		return "~" + full(line) + "-0", nil
	}
	return pythonVersion(text), nil
}

// ok says whether a version fits.
func (w wanted) ok(v *semver.Version) bool {
	switch {
	case v == nil:
		return false
	case w.even && (v.Major()%2 != 0 || v.Major() < 4):
		return false
	case w.fits == nil:
		return w.first || v.Prerelease() == ""
	}
	plain := *v
	if v.Metadata() != "" {
		plain, _ = plain.SetMetadata("")
	}
	return w.fits.Check(&plain)
}

// best is the newest that fits, of equals the first; nil where none does. Without a range it is the first on PATH.
func (w wanted) best(all []Found) *Found {
	top := uint64(0)
	if w.back > 0 {
		for _, f := range all {
			if f.Version.Prerelease() == "" {
				top = max(top, f.Version.Minor())
			}
		}
	}
	var best *Found
	for i := range all {
		f := &all[i]
		switch {
		case !w.ok(f.Version), w.back > 0 && f.Version.Minor()+w.back != top:
		case best == nil, !w.first && f.Version.GreaterThan(best.Version):
			best = f
		}
	}
	return best
}

// example is a version to install that would fit, as far as the range shows one.
func (w wanted) example() string {
	if m := lazy.Pattern(`[0-9]+(\.[0-9]+)*`).FindString(w.asked); m != "" {
		return m
	}
	return "VERSION"
}
