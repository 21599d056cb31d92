package config

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// remote takes a file from the web (CI/CD YAML syntax reference, include:remote and include:integrity).
func (l *loader) remote(ctx context.Context, e *entry, o *origin, do func(*fetched)) {
	at := e.value.Place
	u, err := url.Parse(e.text)
	if err != nil || !isURL(e.text) || u.Host == "" {
		l.tell(CodeRemote, at, "%q is no URL of http or https", e.text)
		return
	}
	if !isYAML(e.text) {
		l.extension(at, e.text)
		return
	}
	pin := e.node.Get("integrity")
	sum, ok := l.integrity(pin)
	if !ok {
		return
	}
	if u.Scheme == "http" && sum == nil {
		l.tell(CodeInsecure, at, "%s is fetched without encryption, so anyone on the way can change the pipeline", e.text).
			WithHint("use https, or pin the content with integrity").WithSeverity(fault.Warning)
	}
	child := &origin{kind: "remote", name: e.text}
	if !l.enter(e, child, o) {
		return
	}
	content := l.cached(child, func() []byte {
		if l.in.Source == nil {
			l.unavailable(nil, CodeRemote, e, e.text, "remote files are switched off here")
			return nil
		}
		content, err := l.in.Source.Remote(ctx, Remote{URL: e.text, Cache: e.node.Get("cache").Text()})
		if err != nil {
			l.unavailable(err, CodeRemote, e, e.text, "check the address, and whether it is public")
			return nil
		}
		return content
	})
	if content == nil {
		return
	}
	if got := sha256.Sum256(content); sum != nil && !slices.Equal(sum, got[:]) {
		l.tell(CodeIntegrity, pin.Place, "%s is not the file that integrity pins", e.text).
			WithHint("if the change is wanted, write integrity: sha256-%s", base64.StdEncoding.EncodeToString(got[:]))
		return
	}
	do(&fetched{child, content})
}

// integrity reads a pin: "sha256-" and the sum in base64. nil for none.
func (l *loader) integrity(n *yamlx.Node) ([]byte, bool) {
	if n.IsNull() {
		return nil, true
	}
	text, _ := n.Str()
	encoded, ok := strings.CutPrefix(text, "sha256-")
	sum, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(sum) != sha256.Size {
		l.tell(CodeIntegrity, n.Place, "integrity is not the base64 form of a SHA-256 sum").WithHint("write sha256-, then 44 characters of base64")
		return nil, false
	}
	return sum, true
}

// template takes one of GitLab's own files.
func (l *loader) template(ctx context.Context, e *entry, o *origin, do func(*fetched)) {
	name, f := clean(e.text, e.value.Place)
	if f != nil {
		l.faults.Add(f)
		return
	}
	if !strings.HasSuffix(name, ".gitlab-ci.yml") {
		l.tell(CodeTemplate, e.value.Place, "%q is no name of a template", e.text).WithHint("names of templates end with .gitlab-ci.yml")
		return
	}
	child := &origin{kind: "template", name: "template:" + name}
	if !l.enter(e, child, o) {
		return
	}
	content := l.cached(child, func() []byte {
		hint := "give a folder that has GitLab's templates with --templates DIR (lib/gitlab/ci/templates of its source), or include a copy as a local file"
		if l.in.Source == nil {
			l.unavailable(nil, CodeTemplate, e, "the template "+name, hint)
			return nil
		}
		content, err := l.in.Source.Template(ctx, name)
		if err != nil {
			l.unavailable(err, CodeTemplate, e, "the template "+name, hint)
			return nil
		}
		return content
	})
	if content != nil {
		do(&fetched{child, content})
	}
}

// artifact takes a file that a job of the parent pipeline made (Downstream pipelines, dynamic child pipelines).
func (l *loader) artifact(ctx context.Context, e *entry, o *origin, do func(*fetched)) {
	job := e.node.Get("job")
	if job.IsNull() {
		l.tell(CodeInclude, e.place, "an include of an artifact needs the job that makes it").WithHint("add job: NAME")
		return
	}
	if l.in.Parent == nil {
		l.tell(CodeInclude, e.value.Place, "only a child pipeline can include an artifact").WithHint("use it in trigger:include")
		return
	}
	name, f := clean(e.text, e.value.Place)
	if f != nil {
		l.faults.Add(f)
		return
	}
	child := &origin{kind: "artifact", name: "artifact:" + job.Text() + ":" + name, files: o.files, variables: o.variables}
	if !l.enter(e, child, o) {
		return
	}
	content, err := l.in.Parent(ctx, l.expanded(job.Text(), o), name)
	if err != nil {
		l.unavailable(err, CodeMissing, e, "the artifact "+name+" of the job "+job.Text(), "the job has to keep it as an artifact and to succeed")
		return
	}
	do(&fetched{child, content})
}
