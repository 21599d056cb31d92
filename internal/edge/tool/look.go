package tool

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// patience bounds the question for a version.
const patience = 10 * time.Second

// candidate is a program that may be the tool. hint is what its folder's name says of the version, nil for nothing.
type candidate struct {
	exe, home, how string
	hint           *semver.Version
}

// here looks on this machine. A program whose folder's name tells its version is run only when it would be the one.
func (x *Finder) here(ctx context.Context, k kind, w wanted) ([]Found, error) {
	var out []Found
	seen := map[string]bool{}
	for _, c := range x.candidates(k) {
		real, err := filepath.EvalSymlinks(c.exe)
		if err != nil || seen[real] && filepath.Base(filepath.Dir(c.exe)) != "shims" {
			continue
		}
		seen[real] = true
		f := Found{Version: c.hint, Exe: c.exe, Home: c.home, How: c.how, guess: c.hint != nil}
		if contains(k.exes, filepath.Base(real)) {
			f.Exe = real
		}
		f.Bin = filepath.Dir(f.Exe)
		if f.Home == "" {
			f.Home = homeOf(real, k)
		}
		if f.guess {
			f.Text = plainText(k, f.Version)
		} else if err := k.identify(ctx, &f); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			continue // it does not run here, or is something else: PyPy, a shim without a version
		}
		out = append(out, f)
		if w.first {
			break
		}
	}
	if k.name == "java" { // a compiler is asked for unless java-package says otherwise
		slices.SortStableFunc(out, func(a, b Found) int { return rank(b) - rank(a) })
	}
	for best := w.best(out); best != nil && best.guess; best = w.best(out) {
		if err := k.identify(ctx, best); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			exe := best.Exe
			out = slices.DeleteFunc(out, func(f Found) bool { return f.Exe == exe })
		}
	}
	return out, nil
}

// identify runs a program and notes what it says of itself.
func (k kind) identify(ctx context.Context, f *Found) error {
	text, prefix, err := k.run(ctx, f.Exe)
	if err != nil {
		return err
	}
	v := k.version(text)
	if v == nil {
		return fmt.Errorf("%s has the version %q, which cannot be read", f.Exe, text)
	}
	f.Version, f.Text, f.guess = v, plainText(k, v), false
	if prefix != "" && !strings.HasPrefix(f.Bin, prefix+string(filepath.Separator)) && isDir(filepath.Join(prefix, k.bin)) {
		// A shim of a version manager stands for the real one.
		f.Home = prefix
		if exe := filepath.Join(prefix, k.bin, filepath.Base(f.Exe)); isProgram(exe) {
			f.Exe, f.Bin = exe, filepath.Dir(exe)
		}
	}
	return nil
}

func rank(f Found) int {
	if isProgram(filepath.Join(f.Home, "bin/javac")) {
		return 1
	}
	return 0
}

// plainText is a version for outputs: as semver writes it, which is what the setup actions give.
func plainText(k kind, v *semver.Version) string {
	if k.name == "java" {
		return v.Original()
	}
	return v.String()
}

// homeOf is the home of a program: the folder above its bin, if it lies in one.
func homeOf(exe string, k kind) string {
	dir := filepath.Dir(exe)
	if filepath.Base(dir) == k.bin {
		return filepath.Dir(dir)
	}
	return dir
}

// candidates lists what may be the tool: the tool cache, PATH, homes in the environment, well-known folders.
func (x *Finder) candidates(k kind) []candidate {
	var out []candidate
	add := func(dir, home, how string, hint *semver.Version) {
		for _, name := range k.exes {
			if exe := filepath.Join(dir, name); isProgram(exe) {
				out = append(out, candidate{exe, home, how, hint})
				return
			}
		}
	}
	for _, dir := range filepath.SplitList(x.get("PATH")) {
		if filepath.IsAbs(dir) {
			add(filepath.Clean(dir), "", "PATH", nil)
		}
	}
	for _, c := range x.cached(k) {
		home := c.home
		if k.name == "java" && isDir(filepath.Join(home, "Contents/Home")) {
			home = filepath.Join(home, "Contents/Home")
		}
		add(filepath.Join(home, k.bin), home, "the tool cache", c.hint)
		if k.name == "node" {
			add(home, home, "the tool cache", c.hint)
		}
	}
	for _, name := range k.homes {
		for _, kv := range x.Env {
			key, value, _ := strings.Cut(kv, "=")
			prefix, open := strings.CutSuffix(name, "*")
			if filepath.IsAbs(value) && (key == name || open && strings.HasPrefix(key, prefix)) {
				add(filepath.Join(value, k.bin), value, key, nil)
			}
		}
	}
	for _, pattern := range k.roots {
		for _, home := range x.glob(pattern) {
			add(filepath.Join(home, k.bin), home, filepath.Dir(home), hintOf(k, home))
		}
	}
	return out
}

// cachedJava is how setup-java names a version with a build: 17.0.8-7.
var cachedJava = lazy.Pattern(`^([0-9.]+)-([0-9][0-9.]*)$`)

// cached lists the tool cache: only entries that are complete, of this architecture.
func (x *Finder) cached(k kind) []candidate {
	if x.Tools == "" {
		return nil
	}
	var out []candidate
	names := []string{k.name}
	if k.name == "java" {
		found, _ := filepath.Glob(filepath.Join(x.Tools, "Java_*"))
		for _, f := range found {
			names = append(names, filepath.Base(f))
		}
	}
	for _, name := range names {
		versions, _ := os.ReadDir(filepath.Join(x.Tools, name))
		for _, d := range versions {
			v := k.version(cachedJava.ReplaceAllString(d.Name(), "$1+$2"))
			home := filepath.Join(x.Tools, name, d.Name(), archOf(runtime.GOARCH))
			if _, err := os.Stat(home + ".complete"); err == nil && v != nil && isDir(home) {
				out = append(out, candidate{home: home, hint: v})
			}
		}
	}
	return out
}

// glob finds the folders that a pattern of a kind's roots names.
func (x *Finder) glob(pattern string) []string {
	switch {
	case strings.HasPrefix(pattern, "~"):
		home := x.get("HOME")
		if home == "" {
			return nil
		}
		pattern = escape(home) + pattern[1:]
	case strings.HasPrefix(pattern, "$"):
		name, rest, _ := strings.Cut(pattern[1:], "/")
		value := x.get(name)
		if !filepath.IsAbs(value) {
			return nil
		}
		pattern = escape(value) + "/" + rest
	default:
		pattern = escape(x.Root) + pattern
	}
	found, _ := filepath.Glob(pattern)
	return found
}

// escape takes the meaning from a path's characters that patterns have.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// hintOf is the version that a home's name shows. Names of Java's homes differ too much: their release file says it.
func hintOf(k kind, home string) *semver.Version {
	name := filepath.Base(home)
	switch k.name {
	case "java":
		text, _ := os.ReadFile(filepath.Join(home, "release"))
		for line := range strings.Lines(string(text)) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "JAVA_VERSION="); ok {
				return k.version(strings.Trim(v, `"`))
			}
		}
		return nil
	case "go":
		if name == "go" || name == "current" || name == "libexec" {
			return nil
		}
		_, after, ok := strings.Cut(name, "go1")
		if !ok {
			return nil
		}
		after, _, _ = strings.Cut(after, ".linux-")
		after, _, _ = strings.Cut(after, ".darwin-")
		return exact(k, "1"+after)
	}
	return exact(k, name)
}

// exact is a version of three numbers at least: others stand for a line of versions.
func exact(k kind, text string) *semver.Version {
	if strings.Count(text, ".") < 2 {
		return nil
	}
	return k.version(text)
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// tag tells programs of one version apart by where they lie.
func tag(path string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(path))
	return fmt.Sprintf("%08x", h.Sum32())
}

// known are answers of programs, by path, time and size: the same program answers the same.
var known sync.Map

type answer struct{ version, prefix string }

// run asks a program for its version. prefix is the home that it names itself, where it does.
func (k kind) run(ctx context.Context, exe string) (version, prefix string, err error) {
	info, err := os.Stat(exe)
	if err != nil {
		return "", "", err
	}
	key := fmt.Sprintf("%s\x00%d\x00%d\x00%s", exe, info.ModTime().UnixNano(), info.Size(), k.name)
	if a, ok := known.Load(key); ok {
		return a.(answer).version, a.(answer).prefix, nil
	}
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	cmd := exec.CommandContext(ctx, exe, k.ask...)
	cmd.Env = append(os.Environ(), k.env...)
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &limited{b: &out}, &limited{b: &out}
	if k.name == "Python" {
		cmd.Stderr = nil
	}
	if err := cmd.Run(); err != nil {
		return "", "", fmt.Errorf("ask %s for its version: %w", exe, err)
	}
	a := k.parse(out.String())
	if a.version == "" {
		return "", "", fmt.Errorf("%s tells no version", exe)
	}
	known.Store(key, a)
	return a.version, a.prefix, nil
}

// parse reads what a program tells of its version.
func (k kind) parse(text string) answer {
	var a answer
	if m := k.answer.FindStringSubmatch(text); m != nil {
		a.version = m[1]
	}
	if k.name == "Python" && a.version != "" {
		line, _, _ := strings.Cut(text, "\n")
		if f := strings.SplitN(line, " ", 4); len(f) == 4 {
			a.prefix = strings.TrimSpace(f[3])
		}
	}
	return a
}

// limited keeps the beginning of what a program writes.
type limited struct{ b *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := 4096 - l.b.Len(); room > 0 {
		l.b.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}
