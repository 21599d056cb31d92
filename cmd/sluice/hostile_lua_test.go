package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// S9: scripts in Lua that want more than they get. Each is the health check of an object of its own.

// luaBombs are scripts that would take all time or memory, and the words of the reason that their object is given, "" for
// whatever it is.
var luaBombs = []luaBomb{
	{"Loop", `while true do end`, "context deadline exceeded"},
	{"CaughtLoop", `while true do pcall(function() while true do end end) end`, "context deadline exceeded"},
	{"HandlersLoop", `xpcall(function() error("x") end, function() while true do end end)`, "context deadline exceeded"},
	{"Doubling", `local s = "x" while true do s = s .. s end`, "memory"},
	{"Repeat", `return {status = "Healthy", message = string.rep("x", 2^40)}`, "string.rep would make a text of more than 16 MiB"},
	{"Repeats", `local t = {} for i = 1, 1e6 do t[i] = string.rep("x", 1e6) end return {status = "Healthy"}`, "memory"},
	{"Concat", `local s, t = string.rep("x", 1e6), {} for i = 1, 2000 do t[i] = s end return {status = "Healthy", message = table.concat(t)}`, "memory"},
	{"Hole", `local t = {} t[67108863] = 1 return {status = "Healthy"}`, "memory"},
	{"Tables", `local t = {} while true do t = {t, {}, {}, {}} end`, ""},
	{"Tree", `local t = {} for i = 1, 60 do t = {t, t} end return {status = "Healthy", t = t}`, "so large a table"},
	{"Pattern", `local a = string.rep("a", 30) string.find(a, string.rep("a?", 30) .. a) return {status = "Healthy"}`, "takes longer than"},
	{"Replace", `local s = string.rep("a", 2e6) s:gsub("a", "bb") return {status = "Healthy"}`, ""},
	{"Recursion", `local function f() return 1 + f() end return f()`, "overflow"},
	{"TailCalls", `local function f() return f() end return f()`, "context deadline exceeded"},
	{"Sort", `local t = {} for i = 1, 1000 do t[i] = i end table.sort(t, function() while true do end end)`, "context deadline exceeded"},
	{"Metatable", `local t = setmetatable({}, {}) getmetatable(t).__index = t return {status = t.x}`, ""},
	{"Callback", `local function f() return (string.gsub("a", "a", f)) end return f()`, ""},
	{"Coroutines", `local t = {} while true do t[#t + 1] = coroutine.create(function() end) end`, "attempt to index a non-table object(nil) with key 'create'"},
	{"Values", `return unpack({}, 1, 1e9)`, "overflow"},
	{"Prints", `while true do print(string.rep("x", 1e6)) end`, ""},
}

// luaEscapes are scripts that reach for what is not theirs. None may become Healthy, and the system sees nothing of it.
var luaEscapes = []string{
	`io.open("/etc/passwd")`, `io.popen("id")`, `io.lines("/etc/passwd")`, `os.execute("id")`, `os.getenv("HOME")`, `os.exit(0)`,
	`os.remove("/tmp/x")`, `os.rename("a", "b")`, `os.tmpname()`, `os.setenv("A", "b")`, `os.clock()`,
	`require("io").open("/etc/passwd")`, `require("os").execute("id")`, `require("debug")`, `require("package")`, `require("/etc/passwd")`, `require("..")`,
	`package.loadlib("/lib/x86_64-linux-gnu/libc.so.6", "system")`, `package.path = "/?"; require("etc/passwd")`, `package.loaded.io.open("/etc/passwd")`,
	`package.preload.x = 1`, `module("x")`, `dofile("/etc/passwd")`, `loadfile("/etc/passwd")()`, `loadstring("return 1")()`, `load(function() return nil end)()`,
	`string.dump(function() end)`, `debug.getregistry()`, `debug.getinfo(1)`, `debug.setmetatable("", {})`, `getfenv(0).io.open("x")`, `setfenv(1, {})`, `newproxy(true)`,
	`collectgarbage("count")`, `_printregs()`, `coroutine.wrap(function() end)()`, `channel.make()`,
	`getmetatable("").__index.dump(print)`, `getmetatable(_G).__index.io.open("x")`, `getmetatable(print).__index("io")`, `_G["i" .. "o"].open("/etc/passwd")`, `_G._G._G.io.open("x")`,
	`rawget(_G, "io").open("/etc/passwd")`, `(""):dump()`, `require(setmetatable({}, {__tostring = function() return "io" end}))`,
	`math.random()`, `math.randomseed(1)`, `setmetatable("", {__index = _G}); (""):dofile()`, `pcall(os.execute, "id"); assert(os.execute)`,
	`string.format("%s", io.stdin)`, `for k, v in pairs(_G) do if k == "io" then v.open("/etc/passwd") end end; error("no io")`,
}

// hostileScripts writes scripts as the health checks of kinds K0, K1, …, and a file with an object of each.
func hostileScripts(t *testing.T, scripts []string) (folder, objects string) {
	t.Helper()
	dir := t.TempDir()
	var all strings.Builder
	for n, script := range scripts {
		kind := "K" + strconv.Itoa(n)
		at := filepath.Join(dir, "scripts", "hostile.io", kind)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(at, "health.lua"), []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "---\napiVersion: hostile.io/v1\nkind: %s\nmetadata: {name: x}\n", kind)
	}
	objects = filepath.Join(dir, "objects.yaml")
	if err := os.WriteFile(objects, []byte(all.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "scripts"), objects
}

type luaBomb struct{ name, script, why string }

type hostileHealth struct{ Status, Message string }

func readHealth(t *testing.T, out []byte) []hostileHealth {
	t.Helper()
	var all []hostileHealth
	for line := range bytes.Lines(out) {
		var h hostileHealth
		if err := json.Unmarshal(line, &h); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, h)
	}
	return all
}

// says reports whether a message holds the words, or that the time was up: a busy machine may get there first.
func says(h hostileHealth, words string) bool {
	return slices.ContainsFunc([]string{words, "context deadline exceeded", "takes longer than"}, func(w string) bool { return strings.Contains(h.Message, w) })
}

func TestLuaBombsAreStopped(t *testing.T) {
	calm := runLua(t, `return {status = "Healthy"}`)
	if calm.health.Status != "Healthy" {
		t.Fatal(calm.health)
	}
	for _, b := range luaBombs {
		t.Run(b.name, func(t *testing.T) {
			got := runLua(t, b.script)
			if b.why != "" && (got.health.Status != "Unknown" || !says(got.health, b.why)) {
				t.Errorf("%.200v, want Unknown for %q", got.health, b.why)
			}
			// All that the command and its children took, less what it takes for a script that does nothing.
			if more := got.memory - calm.memory; more > 64<<20 && !raceEnabled {
				t.Errorf("%d MiB more than for a calm script", more>>20)
			}
			if more := got.cpu - calm.cpu; more > 1.5e9 && !raceEnabled { // of two cores: the script's one and the collector's
				t.Errorf("%.2f s of CPU more than for a calm script", more/1e9)
			}
		})
	}
}

type luaRun struct {
	health hostileHealth
	memory int64   // bytes, of the largest process
	cpu    float64 // nanoseconds, of all processes
}

// runLua runs one script in a process of the command's own.
func runLua(t *testing.T, script string) luaRun {
	t.Helper()
	folder, objects := hostileScripts(t, []string{script})
	figures := filepath.Join(t.TempDir(), "figures")
	cmd := exec.Command("measured", figures, "sluice", "health", "--scripts", folder, "-f", objects)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	text, err := os.ReadFile(figures)
	if err != nil {
		t.Fatal(err)
	}
	var r luaRun
	if _, err := fmt.Sscan(string(text), &r.memory, &r.cpu); err != nil {
		t.Fatal(err)
	}
	r.health = readHealth(t, out)[0]
	return r
}

// TestLuaBombsHarmNoNeighbours has a bomb of each sort in one request with calm scripts between them.
func TestLuaBombsHarmNoNeighbours(t *testing.T) {
	some := slices.DeleteFunc(slices.Clone(luaBombs), func(b luaBomb) bool {
		return !slices.Contains([]string{"Loop", "Doubling", "Pattern", "Recursion", "Values"}, b.name)
	})
	var scripts []string
	for _, b := range some {
		scripts = append(scripts, `return {status = "Healthy", message = obj.kind}`, b.script)
	}
	folder, objects := hostileScripts(t, scripts)
	out, err := exec.Command("sluice", "health", "--scripts", folder, "-f", objects).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := readHealth(t, out)
	if len(all) != len(scripts) {
		t.Fatalf("%d results of %d scripts", len(all), len(scripts))
	}
	for n := 0; n < len(all); n += 2 {
		if want := (hostileHealth{"Healthy", "K" + strconv.Itoa(n)}); all[n] != want {
			t.Errorf("before %s: %v", some[n/2].name, all[n])
		}
	}
	for n, b := range some {
		if got := all[2*n+1]; !says(got, b.why) {
			t.Errorf("%s: %v", b.name, got)
		}
	}
}

// TestLuaReachesNothing runs what would escape under strace: once the child is shut in it makes no call that opens, reaches
// or starts anything, not even one that is refused.
func TestLuaReachesNothing(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("SKIPPED: there is no strace here, so the system calls of the child cannot be seen")
	}
	var scripts []string
	for _, e := range luaEscapes {
		scripts = append(scripts, e+` return {status = "Healthy", message = "escaped"}`)
	}
	folder, objects := hostileScripts(t, scripts)
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(strace, "-f", "-o", trace, "-e", "trace=%file,%network,%process,seccomp", "sluice", "health", "--scripts", folder, "-f", objects)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	all := readHealth(t, out)
	if len(all) != len(luaEscapes) {
		t.Fatalf("%d results of %d scripts", len(all), len(luaEscapes))
	}
	for n, h := range all {
		if h.Status != "Unknown" {
			t.Errorf("%s: %v", luaEscapes[n], h)
		}
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	shut := map[string]bool{} // processes and threads of the child, once it is shut in
	for line := range strings.Lines(string(text)) {
		pid, call, _ := strings.Cut(strings.TrimSpace(line), " ")
		call = strings.TrimSpace(call)
		switch {
		case strings.HasPrefix(call, "seccomp("):
			shut[pid] = true
		case strings.HasPrefix(call, "tgkill(") && strings.Contains(call, "SIGURG"): // Go interrupts a thread of its own
		case !shut[pid], strings.HasPrefix(call, "exit"), strings.HasPrefix(call, "+++"), strings.HasPrefix(call, "---"), strings.HasPrefix(call, "<..."):
		case strings.HasPrefix(call, "clone3(") && strings.Contains(call, "CLONE_THREAD") && strings.Contains(call, "ENOSYS"): // glibc asks this way first
		case strings.HasPrefix(call, "clone(") && strings.Contains(call, "CLONE_THREAD"):
			if i := strings.LastIndex(call, "= "); i >= 0 {
				shut[strings.TrimSpace(call[i+2:])] = true
			}
		default:
			t.Errorf("the child asks for %s", call)
		}
	}
	if len(shut) == 0 {
		t.Errorf("no process was shut in:\n%.2000s", text)
	}
}
