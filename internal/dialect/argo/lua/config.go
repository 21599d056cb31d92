package lua

import (
	"maps"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// customizations is the key of Argo CD's settings under which scripts are; others follow it after a dot.
const customizations = "resource.customizations"

// OverConfig puts the scripts of Argo CD's settings before all others: data is the ConfigMap argocd-cm's, name what it is
// called in faults. It reads resource.customizations, and resource.customizations.health.<group>_<kind> and
// resource.customizations.actions.<group>_<kind>; health checks of the first may have * in their keys. useOpenLibs is
// told and changes nothing. Page: operator-manual/health, operator-manual/resource_actions.
func (s *Scripts) OverConfig(name string, data map[string]string) (*Scripts, fault.Faults) {
	c := config{name: name, texts: map[string]string{}, merge: map[string]bool{}}
	c.whole(data[customizations])
	for _, key := range slices.Sorted(maps.Keys(data)) {
		rest, ok := strings.CutPrefix(key, customizations+".")
		what, of, split := strings.Cut(rest, ".")
		if !ok || !split {
			continue
		}
		folder := strings.Replace(of, "_", "/", 1)
		if of == "all" {
			folder = "*/*"
		}
		switch what {
		case "health":
			c.health(key, folder, data[key])
		case "actions":
			c.actions(key, folder, data[key])
		case "useOpenLibs":
			c.openLibs(key, data[key])
		}
	}
	out := s.over(c.texts, func(key string) bool { return c.merge[key] })
	top := &out.sources[0]
	top.globs = slices.DeleteFunc(top.globs, func(g string) bool { return !strings.Contains(g, "*") })
	top.match = anywhere
	return out, c.faults.Sorted()
}

// anywhere matches as Argo CD does with keys of its settings, where * also stands for a slash.
func anywhere(glob, folder string) bool {
	return doublestar.MatchUnvalidated(strings.ReplaceAll(glob, "/", "\x00"), strings.ReplaceAll(folder, "/", "\x00"))
}

// config gathers the scripts of settings.
type config struct {
	name   string
	texts  map[string]string
	merge  map[string]bool // kinds whose shipped actions stay
	faults fault.List
}

func (c *config) fault(code, key, format string, args ...any) *fault.Fault {
	f := fault.At(code, fault.Place{File: c.name + " " + key}, format, args...)
	c.faults.Add(f)
	return f
}

// whole reads the key that holds all customizations, by group/kind.
func (c *config) whole(text string) {
	var all map[string]struct {
		Health   string `json:"health.lua"`
		OpenLibs bool   `json:"health.lua.useOpenLibs"`
		Actions  string `json:"actions"`
	}
	if err := yaml.Unmarshal([]byte(text), &all); err != nil {
		c.fault(CodeRead, customizations, "the customizations cannot be read: %v", err)
		return
	}
	for _, folder := range slices.Sorted(maps.Keys(all)) {
		of := all[folder]
		if of.Health != "" {
			c.health(customizations+" "+folder, folder, of.Health)
		}
		if of.OpenLibs {
			c.openLibs(customizations+" "+folder, "true")
		}
		if of.Actions != "" {
			c.actions(customizations+" "+folder, folder, of.Actions)
		}
	}
}

func (c *config) health(key, folder, text string) {
	if strings.TrimSpace(text) != "" && c.reads(key, text) {
		c.texts[folder+"/"+healthFile] = text
	}
}

// reads reports whether a text is Lua, and tells where it is not.
func (c *config) reads(key, text string) bool {
	if len(text) > maxScript {
		c.fault(CodeRead, key, "the script is longer than 256 KiB")
		return false
	}
	_, err := compile(text)
	if err == nil {
		return true
	}
	line, _, message := where(err, text)
	c.fault(CodeSyntax, key, "the script is no Lua: %s, line %d", message, line).WithHint("it is left out; scripts are Lua 5.1")
	return false
}

func (c *config) actions(key, folder, text string) {
	var of struct {
		Discovery   string `json:"discovery.lua"`
		Merge       bool   `json:"mergeBuiltinActions"`
		Definitions []struct {
			Name   string `json:"name"`
			Action string `json:"action.lua"`
		} `json:"definitions"`
	}
	if err := yaml.Unmarshal([]byte(text), &of); err != nil {
		c.fault(CodeRead, key, "the actions cannot be read: %v", err)
		return
	}
	if c.reads(key+" discovery.lua", of.Discovery) {
		c.texts[folder+"/"+discoveryFile] = of.Discovery
		c.merge[folder] = of.Merge
	}
	for _, d := range of.Definitions {
		if c.reads(key+" "+d.Name, d.Action) {
			c.texts[folder+"/actions/"+d.Name+"/"+actionFile] = d.Action
		}
	}
}

func (c *config) openLibs(key, text string) {
	if strings.TrimSpace(text) == "true" {
		c.fault(CodeRead, key, "useOpenLibs opens nothing more here").WithSeverity(fault.Warning).
			WithHint("string, table, math, os.time and os.date are always there; io, debug and the rest of os never")
	}
}
