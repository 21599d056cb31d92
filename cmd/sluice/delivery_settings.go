package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-delivery/sluice/internal/dialect/argo"
	"github.com/sluice-delivery/sluice/internal/dialect/argo/lua"
	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/render"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The ConfigMaps that hold Argo CD's settings.
const (
	settingsName   = "argocd-cm"
	parametersName = "argocd-cmd-params-cm"
)

var (
	configMaps = manifest.Kind{Version: "v1", Kind: "ConfigMap"}
	secrets    = manifest.Kind{Version: "v1", Kind: "Secret"}
)

// rulebook is what Argo CD's settings say now; it may change while a controller runs.
type rulebook struct {
	mu       sync.Mutex
	settings argo.Settings
	checker  *lua.Checker
	revision string // of argocd-cm
}

func (r *rulebook) now() (argo.Settings, *lua.Checker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settings, r.checker
}

// configMap is the data of a ConfigMap of Argo CD's namespace, nil where there is none or it may not be read.
func (p *deliveryParts) configMap(ctx context.Context, name string) (data map[string]string, revision string, err error) {
	o, err := p.home.Get(ctx, configMaps, p.namespace, name)
	if manifest.NotFound(err) || manifest.Is(err, manifest.ReasonForbidden) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	data = map[string]string{}
	for k, v := range o.Sub("data") {
		if text, ok := v.(string); ok {
			data[k] = text
		}
	}
	return data, o.UID() + o.Revision(), nil
}

func (p *deliveryParts) configured(ctx context.Context) error {
	_, err := p.configure(ctx)
	return err
}

// configure takes over argocd-cm as it is now. changed says that it is not what it was. What is wrong in it is told, and the
// rest is taken.
func (p *deliveryParts) configure(ctx context.Context) (changed bool, err error) {
	var data map[string]string
	revision := ""
	if p.settings {
		var err error
		if data, revision, err = p.configMap(ctx, settingsName); err != nil {
			return false, err
		}
	}
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	if p.book.checker != nil && p.book.revision == revision {
		return false, nil
	}
	settings, wrong := argo.ReadSettings(settingsName, data)
	scripts, bad := newScripts(p.scripts, data)
	for _, f := range append(wrong, bad...) {
		if p.warn != nil {
			p.warn("", f)
		}
	}
	p.book.settings, p.book.checker, p.book.revision = settings, lua.NewChecker(scripts, p.run, time.Now), revision
	p.places.closed(settings.NoInCluster)
	return true, nil
}

// rules are the settings in the engine's words.
func (p *deliveryParts) rules() deliver.Rules {
	s, _ := p.book.now()
	r := deliver.Rules{
		Settings: s.Comparison, Method: s.Method, Label: s.Label, Installation: orText(s.Installation, p.installation),
		ServerSideDiff: p.params.serverSideDiff, Impersonate: s.Impersonate, Lenient: s.Lenient,
	}
	if s.Interval != nil {
		if r.Interval = *s.Interval; r.Interval == 0 {
			r.Interval = -1
		}
		r.Jitter = deliver.DefaultJitter
	}
	if s.Jitter != nil {
		if r.Interval == 0 {
			r.Interval = deliver.DefaultInterval
		}
		r.Jitter = *s.Jitter
	}
	for _, g := range s.Globals {
		selector, err := metav1.LabelSelectorAsSelector(&g.Selector)
		if err != nil {
			if p.warn != nil {
				p.warn("", fault.New(argo.CodeInvalid, "globalProjects: the selector of %s: %v", g.Project, err))
			}
			continue
		}
		r.Globals = append(r.Globals, deliver.Global{Project: g.Project, Takes: func(have map[string]string) bool { return selector.Matches(labels.Set(have)) }})
	}
	return r
}

// rendering rules are those of the settings.
func (p *deliveryParts) renderRules() render.Rules {
	s, _ := p.book.now()
	return render.Rules{Off: s.Off, Unbound: s.Unbound}
}

// gathering is how long changes of settings are gathered before they are taken over.
const gathering = 200 * time.Millisecond

// follow takes over settings, credentials and known hosts when they change, until ctx ends.
func (p *deliveryParts) follow(ctx context.Context, c *deliver.Controller) {
	changes := make(chan struct{}, 1)
	ring := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	var group sync.WaitGroup
	defer group.Wait()
	for _, w := range []struct {
		kind     manifest.Kind
		selector string
		of       func(name string) bool
	}{
		{configMaps, "", func(name string) bool {
			return slices.Contains([]string{settingsName, "argocd-ssh-known-hosts-cm", "argocd-tls-certs-cm"}, name)
		}},
		{secrets, source.SecretLabel, func(string) bool { return true }},
	} {
		group.Go(func() {
			_ = p.home.Watch(ctx, w.kind, p.namespace, w.selector, func(ch manifest.Change) {
				if ch.Type != manifest.Bookmark && w.of(ch.Object.Name()) {
					ring()
				}
			}) // where it may not be watched, what was read at the start holds
		})
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(gathering):
		}
		select {
		case <-changes:
		default:
		}
		p.takeOver(ctx, c)
	}
}

func (p *deliveryParts) takeOver(ctx context.Context, c *deliver.Controller) {
	if err := p.credentials(ctx); err != nil && p.warn != nil && ctx.Err() == nil {
		p.warn("", fault.New(codeState, "credentials cannot be read: %v", err))
	}
	changed, err := p.configure(ctx)
	if err != nil && p.warn != nil && ctx.Err() == nil {
		p.warn("", fault.New(codeState, "%s cannot be read: %v", settingsName, err))
	}
	if changed {
		c.Rule(p.rules())
	}
}

// parameters are those of argocd-cmd-params-cm that mean something here; they are read at the start, as Argo CD does.
type parameters struct {
	namespaces     []string
	serverSideDiff bool
	timeout        time.Duration
	selfHeal       struct {
		timeout, backoff, cap time.Duration
		factor                int
	}
	waveDelay time.Duration
}

func (p *deliveryParts) readParameters(ctx context.Context) error {
	if !p.settings {
		return nil
	}
	data, _, err := p.configMap(ctx, parametersName)
	if err != nil {
		return err
	}
	seconds := func(key string) time.Duration {
		text := strings.TrimSpace(data[key])
		if text == "" {
			return 0
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			if p.warn != nil {
				p.warn("", fault.At(argo.CodeType, fault.Place{File: parametersName + " " + key}, "%q is no number of seconds", text))
			}
			return 0
		}
		return time.Duration(n) * time.Second
	}
	for _, ns := range strings.Split(data["application.namespaces"], ",") {
		if ns = strings.TrimSpace(ns); ns != "" {
			p.params.namespaces = append(p.params.namespaces, ns)
		}
	}
	p.params.serverSideDiff = data["controller.diff.server.side"] == "true"
	p.params.timeout = seconds("controller.sync.timeout.seconds")
	p.params.selfHeal.timeout = seconds("controller.self.heal.timeout.seconds")
	p.params.selfHeal.backoff = seconds("controller.self.heal.backoff.timeout.seconds")
	p.params.selfHeal.cap = seconds("controller.self.heal.backoff.cap.seconds")
	p.params.selfHeal.factor, _ = strconv.Atoi(data["controller.self.heal.backoff.factor"])
	p.params.waveDelay = seconds("controller.sync.wave.delay.seconds")
	return nil
}

// applyParameters puts the parameters into a controller that does not run yet.
func (p *deliveryParts) applyParameters(c *deliver.Controller) {
	c.Namespaces = append(c.Namespaces, p.params.namespaces...)
	c.SyncTimeout, c.WaveDelay = p.params.timeout, p.params.waveDelay
	h := p.params.selfHeal
	c.SelfHeal.Timeout, c.SelfHeal.Backoff, c.SelfHeal.Cap, c.SelfHeal.Factor = h.timeout, h.backoff, h.cap, h.factor
}

// closed says whether the cluster that the controller is for is no destination.
func (p *places) closed(is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noHere = is
}

// refusesHere reports whether a server is the controller's own cluster, and that is no destination.
func (p *places) refusesHere(server string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.noHere && server == cluster.InCluster
}
