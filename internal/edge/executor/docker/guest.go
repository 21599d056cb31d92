package docker

import (
	"context"
	"errors"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// WithServices is an executor of jobs on this machine that gives them what they want of containers: their services,
// whose ports are published here, where the order says that it is GitHub's kind (Lasting), and Docker actions
// (Host.Contain). x is asked for the engine when the first job wants one; it must be closed after the hosts.
func WithServices(shell program.Executor, x *Executor) program.Executor {
	return &withServices{shell, x}
}

type withServices struct {
	shell program.Executor
	x     *Executor
}

// Open opens the job's host and starts its services, then waits until they are healthy.
func (w *withServices) Open(ctx context.Context, o program.Order, out program.Output) (program.Host, error) {
	services := o.Services
	if o.Lasting {
		o.Services = nil
	}
	inner, err := w.shell.Open(ctx, o, out)
	if err != nil {
		return nil, err
	}
	o.Services = services
	g := &guest{Host: inner, x: w.x, order: o}
	if len(services) == 0 || !o.Lasting {
		return g, nil
	}
	if err := g.begin(ctx, out); err != nil {
		return nil, givenUp(ctx, g, err)
	}
	return g, nil
}

// guest is a host on this machine that has containers beside it.
type guest struct {
	program.Host
	x     *Executor
	order program.Order
	site  *site // nil until there is something in the engine
}

// begin starts the services.
func (g *guest) begin(ctx context.Context, out program.Output) error {
	if err := g.arrive(ctx); err != nil {
		return err
	}
	if err := g.site.join(ctx); err != nil {
		return err
	}
	services, err := g.site.company(ctx, out)
	if err != nil {
		return err
	}
	return g.site.healthy(ctx, services, out)
}

// arrive reaches the engine.
func (g *guest) arrive(ctx context.Context) error {
	if g.site != nil {
		return nil
	}
	engine, err := g.x.connect(ctx)
	if err != nil {
		return err
	}
	g.site = newSite(g.x, engine, g.order)
	p := g.Host.Paths()
	g.site.ways = []way{{p.Workspace, p.JobWorkspace}, {p.Private, p.JobPrivate}}
	return nil
}

// Paths are those of the host, with the services and their network.
func (g *guest) Paths() program.Paths {
	p := g.Host.Paths()
	if g.site != nil {
		p.Network, p.Services = g.site.network, g.site.beside
	}
	return p
}

// Contain runs a container beside the job.
func (g *guest) Contain(ctx context.Context, c program.Contain, out program.Output) (int, error) {
	if err := g.arrive(ctx); err != nil {
		return 0, &program.Error{Failure: program.SystemFailure, Err: err}
	}
	return g.site.contain(ctx, c, g.Host.Paths(), out)
}

// Close removes the containers, then what the host made.
func (g *guest) Close(ctx context.Context, keep bool) error {
	var err error
	if g.site != nil {
		err = g.site.clear(ctx)
	}
	return errors.Join(err, g.Host.Close(ctx, keep))
}
