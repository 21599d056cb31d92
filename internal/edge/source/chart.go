package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// index is what a chart repository offers.
type index struct {
	Entries map[string][]version `json:"entries"`
	at      time.Time
}

// version is one version of a chart. URLs may be relative to the repository.
type version struct {
	Version string   `json:"version"`
	Digest  string   `json:"digest,omitempty"` // SHA-256 of the archive
	URLs    []string `json:"urls,omitempty"`
}

// ChartWant names a chart of a Helm repository.
type ChartWant struct {
	RepoURL         string
	Project         string
	Chart           string
	Revision        string // a version, or a range of versions; "" is the highest
	Fresh           bool
	PassCredentials bool // send the credentials to other hosts, too
}

// ResolveChart is the highest version of a chart that a revision allows. Where the server is away, what was known last is
// taken, and away says why.
func (c *Cache) ResolveChart(ctx context.Context, w ChartWant) (found string, away, err error) {
	s, err := c.shop(w)
	if err != nil {
		return "", nil, err
	}
	all, away, err := c.offers(ctx, s, w.Fresh)
	if err != nil {
		return "", nil, err
	}
	v, err := s.choose(all, w.Chart, w.Revision)
	return v.Version, away, err
}

// Chart is the files of one version of a chart. What was fetched before needs no server.
func (c *Cache) Chart(ctx context.Context, w ChartWant, exact string) (*Tree, error) {
	s, err := c.shop(w)
	if err != nil {
		return nil, err
	}
	if _, err := semver.NewVersion(exact); err != nil || strings.ContainsAny(w.Chart+exact, "/\\\x00") || strings.HasPrefix(w.Chart, ".") {
		return nil, fault.New(CodeChart, "%q is not a version of the chart %q", exact, w.Chart)
	}
	kept := filepath.Join(s.dir, w.Chart+"-"+exact+".tgz")
	text, err := os.ReadFile(kept)
	if err != nil {
		if text, err = c.fetchChart(ctx, s, w, exact, kept); err != nil {
			return nil, err
		}
	}
	files, err := unpack(w.Chart+"-"+exact, text)
	if err != nil {
		return nil, err
	}
	return Memory(exact, files), nil
}

// shop is a chart repository.
type shop struct {
	given string
	base  *url.URL
	known Repository
	cert  string
	dir   string // where its index and archives are kept
	pass  bool
}

func (c *Cache) shop(w ChartWant) (*shop, error) {
	c.mu.Lock()
	settings := c.settings
	c.mu.Unlock()
	s := &shop{given: w.RepoURL, known: settings.find(w.RepoURL, w.Project), pass: w.PassCredentials}
	if strings.HasPrefix(w.RepoURL, "oci://") || s.known.OCI || !strings.Contains(w.RepoURL, "://") && !filepath.IsAbs(w.RepoURL) {
		return nil, fault.New(CodeUnsupported, "%s is an OCI registry; charts are not taken from registries yet", w.RepoURL).
			WithHint("give the chart's https repository, or put the chart into a git repository")
	}
	a, err := parse(w.RepoURL)
	if err != nil {
		return nil, err
	}
	s.given, s.cert = a.given, settings.Certificates[a.host]
	switch {
	case a.local != "":
		s.base = &url.URL{Scheme: "file", Path: a.local}
	case a.base != "":
		if s.base, err = url.Parse(a.url); err != nil {
			return nil, wrongAddress(a.given)
		}
		if a.user != nil {
			s.known.Username = a.user.Username()
		}
	default:
		return nil, fault.New(CodeAddress, "%s is not a chart repository", a.given).WithHint("a chart comes from an https address; leave chart out for a git repository")
	}
	sum := sha256.Sum256([]byte(Normal(w.RepoURL) + "\x00" + s.known.Project + "\x00" + s.known.Username))
	s.dir = filepath.Join(c.options.Dir, "charts", hex.EncodeToString(sum[:12]))
	return s, nil
}

// offers is the repository's index, not older than it is believed.
func (c *Cache) offers(ctx context.Context, s *shop, fresh bool) (all *index, away, err error) {
	c.mu.Lock()
	known := c.charts[s.dir]
	c.mu.Unlock()
	if known != nil && !fresh && c.options.Now().Sub(known.at) < c.options.Fresh {
		return known, nil, nil
	}
	v, err, _ := c.flights.Do("index "+s.dir, func() (any, error) { return c.readIndex(context.WithoutCancel(ctx), s) })
	if err == nil {
		return v.(*index), nil, nil
	}
	if fault.CodeOf(err) != CodeUnreachable {
		return nil, nil, err
	}
	if known == nil {
		data, e := os.ReadFile(filepath.Join(s.dir, "index.json"))
		if known = new(index); e != nil || json.Unmarshal(data, known) != nil {
			return nil, nil, err
		}
	}
	return known, err, nil
}

func (c *Cache) readIndex(ctx context.Context, s *shop) (*index, error) {
	text, err := s.get(ctx, s.base.JoinPath("index.yaml"))
	if err != nil {
		return nil, err
	}
	all := &index{at: c.options.Now()}
	if err := yaml.Unmarshal(text, all); err != nil {
		return nil, fault.New(CodeChart, "%s: the index cannot be read: %v", s.given, err)
	}
	c.mu.Lock()
	c.charts[s.dir] = all
	c.mu.Unlock()
	data, err := json.Marshal(all)
	if err == nil {
		err = os.MkdirAll(s.dir, 0o700)
	}
	if err == nil {
		err = replace(filepath.Join(s.dir, "index.json"), data)
	}
	return all, err
}

// choose is the version of a chart that a revision names, or the highest that it allows.
func (s *shop) choose(all *index, chart, revision string) (version, error) {
	versions := all.Entries[chart]
	if len(versions) == 0 {
		names := make([]string, 0, len(all.Entries))
		for name := range all.Entries {
			names = append(names, name)
		}
		slices.Sort(names)
		f := fault.New(CodeChart, "%s has no chart %q", s.given, chart)
		if near := fault.Nearest(chart, names); near != "" {
			f.WithHint("did you mean %q?", near)
		}
		return version{}, f
	}
	if revision == "" {
		revision = "*"
	}
	names := make([]string, len(versions))
	for i, v := range versions {
		if names[i] = v.Version; v.Version == revision {
			return v, nil
		}
	}
	best, ok := highest(revision, names)
	if exact, err := semver.NewVersion(revision); err == nil {
		ok = false // 1.2 is the version 1.2.0, and no other
		for _, name := range names {
			if v, err := semver.NewVersion(name); err == nil && v.Equal(exact) {
				best, ok = name, true
			}
		}
	}
	if i := slices.Index(names, best); ok && i >= 0 {
		return versions[i], nil
	}
	f := fault.New(CodeChart, "%s has no version of %s that %q allows (of %d)", s.given, chart, revision, len(versions))
	if near := fault.Nearest(revision, names); near != "" {
		return version{}, f.WithHint("did you mean %q?", near)
	}
	return version{}, f.WithHint("pre-releases are only taken by a range that names one, such as >=1.0.0-0")
}

// fetchChart fetches an archive, checks it against the index, and keeps it.
func (c *Cache) fetchChart(ctx context.Context, s *shop, w ChartWant, exact, kept string) ([]byte, error) {
	all, _, err := c.offers(ctx, s, false)
	if err != nil {
		return nil, err
	}
	v, err := s.choose(all, w.Chart, exact)
	if err != nil {
		return nil, err
	}
	if len(v.URLs) == 0 {
		return nil, fault.New(CodeChart, "%s tells no address of %s %s", s.given, w.Chart, exact)
	}
	at, err := url.Parse(v.URLs[0])
	if err != nil {
		return nil, fault.New(CodeChart, "%s tells an address of %s %s that cannot be read", s.given, w.Chart, exact)
	}
	if !at.IsAbs() {
		base := *s.base
		base.Path = strings.TrimSuffix(base.Path, "/") + "/"
		at = base.ResolveReference(at)
	}
	text, err := s.get(ctx, at)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	if v.Digest != "" && !strings.EqualFold(strings.TrimPrefix(v.Digest, "sha256:"), hex.EncodeToString(sum[:])) {
		return nil, fault.New(CodeChart, "%s: %s %s is not what the index says: its SHA-256 is %x", s.given, w.Chart, exact, sum).
			WithHint("somebody replaced the archive, or the index is older than it")
	}
	if err := errors.Join(os.MkdirAll(s.dir, 0o700), replace(kept, text)); err != nil {
		return nil, err
	}
	return text, nil
}
