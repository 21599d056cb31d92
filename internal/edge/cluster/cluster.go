// Package cluster is a Kubernetes cluster as the delivery half needs it: objects read, written and watched over its API,
// whatever their kind, without a typed client. Reads and writes that may be sent twice are, slower each time; what the
// server does not do is a *manifest.Refusal. State keeps what is watched at hand, Overlay puts a store of our own beside a
// cluster that lacks Argo's definitions, Decode reads the Secrets that Argo CD keeps clusters in. It runs no command that a
// cluster's Secret names and prints no Secret's data.
package cluster

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// API is what Cluster, Overlay and the local store have in common; it fills the ports of engine/deliver and engine/advance.
type API interface {
	Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error)
	List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error)
	Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error)
	Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error)
	Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error)
	Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error
	Watch(ctx context.Context, kind manifest.Kind, namespace, selector string, each func(manifest.Change)) error
	Kinds(ctx context.Context) ([]manifest.Discovered, error)
	Version(ctx context.Context) (string, error)
}

// Options are how a cluster is spoken to; the zero value works.
type Options struct {
	Manager string  // field manager of writes that name none; "" is "sluice"
	Agent   string  // User-Agent; "" is "sluice"
	QPS     float32 // requests a second over time; 0 is 50
	Burst   int     // requests at once above that; 0 is 100
	// Asked is told of each answer, and of each request that got none with code 0; it may be nil.
	Asked   func(server string, q *http.Request, code int)
	Timeout time.Duration // of one request that is no watch; 0 is 60 s, above what the server grants a webhook (30 s)
}

// Cluster is one cluster. It is safe for many goroutines.
type Cluster struct {
	// Server is the API server's address, Namespace what the kubeconfig's context names ("default" where it names none).
	Server    string
	Namespace string

	base    *url.URL
	client  *http.Client
	limit   flowcontrol.RateLimiter
	pace    *pacer
	catalog *catalog
	options Options
}

// Open opens the cluster of a kubeconfig's context. "" as kubeconfig means what kubectl means by it: KUBECONFIG, then
// ~/.kube/config, then the cluster that this process runs in; "" as context the current one. Nothing is asked yet.
func Open(kubeconfig, context string) (*Cluster, error) {
	return OpenWith(kubeconfig, context, Options{})
}

// OpenWith is Open with options.
func OpenWith(kubeconfig, context string, o Options) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context})
	config, err := loader.ClientConfig()
	if err != nil {
		where := kubeconfig
		if where == "" {
			where = strings.Join(rules.Precedence, ", ")
		}
		f := fault.At(CodeConfig, fault.Place{File: kubeconfig}, "no cluster can be read of %s: %v", where, err)
		if clientcmd.IsEmptyConfig(err) {
			f = fault.New(CodeConfig, "no kubeconfig is there (%s) and this process does not run in a cluster", where)
		}
		return nil, f.WithHint("give --kubeconfig FILE, or set KUBECONFIG")
	}
	c, err := Dial(config, o)
	if err != nil {
		return nil, err
	}
	if ns, _, err := loader.Namespace(); err == nil && ns != "" {
		c.Namespace = ns
	}
	return c, nil
}

// Dial makes a cluster of connection settings. Nothing is asked yet.
func Dial(config *rest.Config, o Options) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = or(o.Agent, "sluice")
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fault.New(CodeConfig, "%q is no address of a cluster: %v", config.Host, err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fault.New(CodeConfig, "the settings for %s cannot be used: %v", base.Host, err)
	}
	client.Timeout = 0 // each request has its own
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.Manager = or(o.Manager, "sluice")
	if o.QPS == 0 {
		o.QPS = 50
	}
	if o.Burst == 0 {
		o.Burst = 100
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	c := &Cluster{
		Server: strings.TrimSuffix(base.String(), "/"), Namespace: "default", base: base, client: client,
		limit: flowcontrol.NewTokenBucketRateLimiter(o.QPS, o.Burst), pace: &pacer{}, options: o,
	}
	c.catalog = &catalog{fetch: c.discover}
	return c, nil
}

// Named is the same cluster whose writes carry another field manager where they name none ("argocd-controller",
// "rollouts-controller").
func (c *Cluster) Named(manager string) *Cluster {
	named := *c
	named.options.Manager = manager
	return &named
}

// Counted is the same cluster that tells of its answers (Options.Asked).
func (c *Cluster) Counted(asked func(server string, q *http.Request, code int)) *Cluster {
	counted := *c
	counted.options.Asked = asked
	return &counted
}

// Version is the server's version: "v1.35.4". A server that does not say it within 15 s counts as unreachable.
func (c *Cluster) Version(ctx context.Context) (string, error) {
	ctx, stop := context.WithTimeoutCause(ctx, min(c.options.Timeout, patience), errSlow)
	defer stop()
	data, err := c.do(ctx, call{method: http.MethodGet, path: "/version", twice: true})
	if err != nil {
		return "", err
	}
	o, err := manifest.Parse(data)
	if err != nil {
		return "", unreadable("/version", err)
	}
	return o.Text("gitVersion"), nil
}

// Kinds are the kinds that the cluster serves now, each version of each group.
func (c *Cluster) Kinds(ctx context.Context) ([]manifest.Discovered, error) {
	if err := c.catalog.refresh(ctx); err != nil {
		return nil, err
	}
	return c.catalog.all(), nil
}

// Fault turns an error of this package into one for a person at a command line: exit code 4 where the cluster refuses who
// asks, 5 where it does not answer; any other is given back as it is. server is "" where it is not known.
func Fault(server string, err error) error {
	if server != "" {
		server = " " + server
	}
	switch {
	case err == nil:
		return nil
	case manifest.Is(err, manifest.ReasonUnauthorized):
		return fault.New(CodeDenied, "the cluster%s does not know who asks: %v", server, err).WithHint("the kubeconfig's credentials are missing, wrong or have expired").Exits(4)
	case manifest.Is(err, manifest.ReasonForbidden):
		return fault.New(CodeDenied, "the cluster%s refuses this: %v", server, err).WithHint("the message names the user, the verb and the resource; a Role or ClusterRole must allow it").Exits(4)
	case manifest.Is(err, manifest.ReasonUnreachable):
		return fault.New(CodeUnreachable, "the cluster%s does not answer: %v", server, err).WithHint("is it running, and is the kubeconfig's server address right?").Exits(5)
	}
	return err
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
