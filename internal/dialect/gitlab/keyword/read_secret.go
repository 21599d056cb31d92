package keyword

import (
	"regexp"
	"slices"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// provider is a secret store: the fields that it must have, and whether there is a short form as text.
type provider struct {
	needs []string
	short bool
}

var providers = map[string]provider{
	"vault":                  {[]string{"engine", "path", "field"}, true},
	"gcp_secret_manager":     {[]string{"name"}, false},
	"azure_key_vault":        {[]string{"name"}, false},
	"aws_secrets_manager":    {[]string{"secret_id"}, true},
	"akeyless":               {},
	"gitlab_secrets_manager": {[]string{"name"}, false},
}

// secrets reads secrets:.
func (r *reader) secrets(n *yamlx.Node) []Secret {
	if !r.mapping(n, "secrets") {
		return nil
	}
	out := make([]Secret, 0, len(n.Pairs))
	for _, pair := range n.Pairs {
		what := "secrets:" + pair.Key.Value
		s := Secret{Name: pair.Key.Value, File: Flag{Value: true}, Place: pair.Key.At()}
		if r.mapping(pair.Value, what) {
			r.secret(&s, pair.Value, what)
		}
		out = append(out, s)
	}
	return out
}

// secret reads one of secrets:.
func (r *reader) secret(out *Secret, n *yamlx.Node, what string) {
	for name, pair := range r.fields(n, scopeOf("secrets:<name>"), what) {
		switch name {
		case "file":
			if f := r.flag(pair.Value, what+":file"); f.Set {
				out.File = f
			}
		case "token":
			out.Token = r.filled(pair.Value, what+":token")
		default:
			if out.Provider != "" {
				r.fail(CodeTogether, pair.Key, "%s has two providers, %s and %s", what, out.Provider, name)
			}
			out.Provider = name
			r.provider(out, pair.Value, what+":"+name)
		}
	}
	if out.Provider == "" {
		r.fail(CodeMissing, n, "%s names no provider", what).WithHint("add vault, gcp_secret_manager, azure_key_vault, aws_secrets_manager or another one")
	}
}

// provider reads the fields of a secret's provider.
func (r *reader) provider(out *Secret, n *yamlx.Node, what string) {
	p := providers[out.Provider]
	if s, ok := n.Str(); ok && p.short {
		out.Fields = []Input{{Name: "", Value: s, Place: n.At()}}
		return
	}
	if !r.mapping(n, what) {
		return
	}
	path := "secrets:<name>:" + out.Provider
	for name, pair := range r.fields(n, scopeOf(path), what) {
		if name == "engine" && r.mapping(pair.Value, what+":engine") {
			for range r.fields(pair.Value, scopeOf(path+":engine"), what+":engine") { //nolint:revive // for its checks
			}
			for _, field := range []string{"name", "path"} {
				if pair.Value.Get(field).IsNull() {
					r.fail(CodeMissing, pair.Value, "%s:engine needs %s", what, field)
				}
			}
		}
		out.Fields = append(out.Fields, Input{Name: name, Value: decode(pair.Value), Place: pair.Value.At()})
	}
	for _, field := range p.needs {
		if n.Get(field).IsNull() {
			r.fail(CodeMissing, n, "%s needs %s", what, field)
		}
	}
}

// idTokens reads id_tokens:.
func (r *reader) idTokens(n *yamlx.Node) []IDToken {
	if !r.mapping(n, "id_tokens") {
		return nil
	}
	out := make([]IDToken, 0, len(n.Pairs))
	for _, pair := range n.Pairs {
		what := "id_tokens:" + pair.Key.Value
		token := IDToken{Name: pair.Key.Value, Place: pair.Key.At()}
		if !r.mapping(pair.Value, what) {
			continue
		}
		for _, p := range r.fields(pair.Value, scopeOf("id_tokens:<name>"), what) {
			token.Audience = r.oneOrMore(p.Value, what+":aud")
		}
		if pair.Value.Get("aud").IsNull() {
			r.fail(CodeMissing, pair.Value, "%s needs aud", what)
		}
		out = append(out, token)
	}
	return out
}

// jobInputs reads the inputs of a job (GitLab documentation, job inputs).
func (r *reader) jobInputs(n *yamlx.Node) []JobInput {
	if !r.mapping(n, "inputs") {
		return nil
	}
	out := make([]JobInput, 0, len(n.Pairs))
	for _, pair := range n.Pairs {
		if r.mapping(pair.Value, "inputs:"+pair.Key.Value) {
			out = append(out, r.jobInput(pair))
		}
	}
	return out
}

// jobInput reads one input of a job and checks its default.
func (r *reader) jobInput(pair yamlx.Pair) JobInput {
	n, what := pair.Value, "inputs:"+pair.Key.Value
	out := JobInput{Name: pair.Key.Value, Type: "string", Place: pair.Key.At()}
	for name, p := range r.fields(n, scopeOf("inputs:<name>"), what) {
		v := p.Value
		switch name {
		case "type":
			if t := r.choice(v, what+":type", []string{"string", "number", "boolean", "array"}); t.Set {
				out.Type = t.Value
			}
		case "default":
			out.Default = decode(v)
		case "description":
			out.Description = r.text(v, what+":description")
		case "regex":
			out.Regex = r.text(v, what+":regex")
			if _, err := regexp.Compile(out.Regex.Value); err != nil {
				r.fail(CodePattern, v, "%s:regex: %v", what, err)
			}
		case "options":
			if !v.IsSequence() {
				r.wrong(v, what+":options", "a list")
				continue
			}
			for _, item := range v.Items {
				out.Options = append(out.Options, decode(item))
			}
		}
	}
	d := n.Get("default")
	if d.IsNull() {
		r.fail(CodeMissing, n, "%s needs default", what)
		return out
	}
	if !hasType(d, out.Type) {
		r.wrong(d, what+":default", "of type "+out.Type)
		return out
	}
	if len(out.Options) > 0 && d.IsScalar() && !slices.Contains(out.Options, out.Default) {
		r.fail(CodeChoice, d, "%s: the default is not one of its options", what)
	}
	if re, err := regexp.Compile(out.Regex.Value); err == nil && out.Regex.Set && d.IsScalar() && !re.MatchString(d.Text()) {
		r.fail(CodeChoice, d, "%s: the default does not match the regex", what)
	}
	return out
}

// hasType reports whether a node is of an input's type.
func hasType(n *yamlx.Node, want string) bool {
	switch want {
	case "number":
		_, ok := n.Float()
		return ok
	case "boolean":
		_, ok := n.Bool()
		return ok
	case "array":
		return n.IsSequence()
	default:
		_, ok := n.Str()
		return ok
	}
}
