// Package toolkit serves, for the length of one run, what the official @actions/* packages of npm talk to: the results
// service with artifacts (version 4), the cache service (version 2, and 1 for older clients), the blob storage that both
// upload to and download from, and the issuer of ID tokens (GitHub Docs, "OpenID Connect reference").
//
// It listens on the loopback address alone, or on others that it is told, and only once a job asks for it. Every request
// needs the token of a job that has not ended, or an address that was signed for such a job; a job writes in its own
// name only. Nothing is held in memory whole, and what a job can store is bounded. It answers to no other host name.
package toolkit

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/artifact"
	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Artifacts is where artifacts go; *artifact.Store is one.
type Artifacts interface {
	List(ctx context.Context, run string) ([]artifact.Info, error)
	Open(ctx context.Context, run, name string) (artifact.Info, *os.File, error)
	// Add moves the file, which is in Options.Dir.
	Add(ctx context.Context, n artifact.New, file, digest string, size int64) (artifact.Info, error)
	Delete(ctx context.Context, run, name string) (artifact.Info, error)
}

// Caches is where caches go; *blob.Store is one.
type Caches interface {
	FindFile(ctx context.Context, f blob.Find) (blob.Hit, bool, error)
	HasFile(id blob.CacheID) bool
	// AddFile moves the file, which is in Options.Dir.
	AddFile(ctx context.Context, id blob.CacheID, file string) (blob.Meta, bool, error)
	OpenFile(h blob.Hit) (*os.File, error)
}

// Options say what is served.
type Options struct {
	Dir       string // the state folder: uploads are laid there until they are finished
	Run       string // id of the run
	Artifacts Artifacts
	Caches    Caches
	Listen    []string // addresses besides loopback, such as that of the containers' bridge; with ":port" or without
	Hosts     []string // names besides those addresses that a request may be meant for, such as host.docker.internal
	Server    string   // GITHUB_SERVER_URL: an ID token without audience is for the repository's owner there
	Issuer    string   // of ID tokens; "" is the service's own address, where its keys can be had
	Limits    Limits
}

// Limits bound what one job can store. Zero fields mean the defaults.
type Limits struct {
	Bytes     int64 // of one upload; default 32 GiB
	JobBytes  int64 // of a job's uploads that are not finished, together; default 64 GiB
	Uploads   int   // of a job that are not finished; default 500
	Artifacts int   // of a job; default 500, as GitHub has it
	Blocks    int   // of one upload; default 50,000, as Azure has it
	Grants    int   // addresses signed for a job to download from; default 20,000
}

func (l Limits) orDefault() Limits {
	return Limits{
		Bytes: cmp.Or(l.Bytes, 32<<30), JobBytes: cmp.Or(l.JobBytes, 64<<30), Uploads: cmp.Or(l.Uploads, 500),
		Artifacts: cmp.Or(l.Artifacts, 500), Blocks: cmp.Or(l.Blocks, 50_000), Grants: cmp.Or(l.Grants, 20_000),
	}
}

// Service is the services of one run. It is safe for concurrent use.
type Service struct {
	o      Options
	limits Limits
	ctx    context.Context //nolint:containedctx // the run's: requests end with it
	stop   context.CancelCauseFunc
	issuer issuer
	secret []byte // signs the jobs' tokens

	mu         sync.Mutex
	closed     bool
	dir        string               // of uploads, "" before the first job
	listeners  map[string]*listener // by the address asked for; "" is loopback
	jobs       map[jobKey]*job
	tokens     map[[32]byte]*job // by the digest of their token
	uploads    map[string]*upload
	lastUpload int64 // number given out
	grants     map[string]*grant
	serving    sync.WaitGroup
}

type listener struct {
	server *http.Server
	host   string // address:port
}

type jobKey struct {
	id      string
	attempt int
}

// Start readies the services of a run. Nothing is listened on, and nothing made, before the first job. Close ends them,
// and so does the end of ctx.
func Start(ctx context.Context, o Options) (*Service, error) {
	var errs []error
	for name, missing := range map[string]bool{"Dir": o.Dir == "", "Run": o.Run == "", "Artifacts": o.Artifacts == nil, "Caches": o.Caches == nil} {
		if missing {
			errs = append(errs, fmt.Errorf("%s is needed", name))
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("start the services of Actions: %w", errors.Join(errs...))
	}
	s := &Service{
		o: o, limits: o.Limits.orDefault(), secret: make([]byte, 32), listeners: map[string]*listener{}, jobs: map[jobKey]*job{},
		tokens: map[[32]byte]*job{}, uploads: map[string]*upload{}, grants: map[string]*grant{},
	}
	s.o.Server = cmp.Or(o.Server, "https://github.com")
	_, _ = rand.Read(s.secret) // never fails
	s.ctx, s.stop = context.WithCancelCause(ctx)
	return s, nil
}

// open listens on loopback and on Options.Listen, and makes the folder of uploads.
func (s *Service) open() error {
	if s.dir == "" {
		top := filepath.Join(s.o.Dir, "toolkit")
		if err := os.MkdirAll(top, 0o755); err != nil {
			return fmt.Errorf("make the folder of uploads: %w", err)
		}
		dir, err := os.MkdirTemp(top, blob.FileName(s.o.Run)+".")
		if err != nil {
			return fmt.Errorf("make the folder of uploads: %w", err)
		}
		s.dir = dir
		litter(top, time.Now().Add(-2*lifetime))
	}
	for _, at := range append([]string{""}, s.o.Listen...) {
		if err := s.listen(at); err != nil {
			return err
		}
	}
	return nil
}

// litter removes what runs left that died long ago, longer than any job may take.
func litter(top string, before time.Time) {
	entries, _ := os.ReadDir(top) // what cannot be listed stays
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() && info.ModTime().Before(before) {
			_ = os.RemoveAll(filepath.Join(top, e.Name())) // the next run tries again
		}
	}
}

// listen serves at one more address, unless that is done already.
func (s *Service) listen(at string) error {
	if s.listeners[at] != nil {
		return nil
	}
	host, port := at, 0
	if h, p, err := net.SplitHostPort(at); err == nil {
		n, err := strconv.Atoi(p)
		if err != nil {
			return fault.New(CodeListen, "%q is no address to listen on", at)
		}
		host, port = h, n
	}
	tcp, err := (&net.ListenConfig{}).Listen(s.ctx, "tcp", net.JoinHostPort(cmp.Or(host, "127.0.0.1"), strconv.Itoa(port)))
	if err != nil {
		return fault.New(CodeListen, "the services of Actions cannot be served at %s: %v", cmp.Or(at, "127.0.0.1"), err)
	}
	l := &listener{host: tcp.Addr().String(), server: &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return s.ctx },
	}}
	s.listeners[at] = l
	s.serving.Go(func() { _ = l.server.Serve(tcp) }) // it ends with ErrServerClosed; what else could be told, requests will show
	return nil
}

// base is the address of the services, with a slash at its end.
func (s *Service) base(at string) string { return "http://" + s.listeners[at].host + "/" }

// Close ends all jobs and the services, and removes uploads that were not finished.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	keys := make([]jobKey, 0, len(s.jobs))
	for k := range s.jobs {
		keys = append(keys, k)
	}
	listeners, dir := s.listeners, s.dir
	s.mu.Unlock()
	for _, k := range keys {
		s.End(k.id, k.attempt)
	}
	s.stop(errors.New("the run is over"))
	var errs []error
	for _, l := range listeners {
		quiet, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		if err := l.server.Shutdown(quiet); err != nil {
			errs = append(errs, l.server.Close())
		}
		cancel()
	}
	s.serving.Wait()
	if dir != "" {
		errs = append(errs, os.RemoveAll(dir))
		_ = os.Remove(filepath.Dir(dir)) // where other runs have uploads, it stays
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the services of Actions: %w", err)
	}
	return nil
}
