package rollout

// service is a Service that the spec names, with what this decision has changed of it.
type service struct {
	name    string
	hash    string // that its selector picks, "" for none
	picks   bool   // whether the selector has a hash at all
	manager string // the rollout that manages it, "" for none yet
}

// service is a Service by name; nil without a name or where it is not there.
func (p *pass) service(name string) *service {
	if s, known := p.services[name]; known {
		return s
	}
	o, ok := p.w.Services[name]
	if name == "" || !ok {
		return nil
	}
	_, picks := o.At("spec", "selector", HashLabel)
	s := &service{name, o.Text("spec", "selector", HashLabel), picks, o.Annotation(ManagedAnnotation)}
	if p.services == nil {
		p.services = map[string]*service{}
	}
	p.services[name] = s
	return s
}

// point makes a Service pick the pods of a hash.
func (p *pass) point(s *service, hash string) {
	if s.picks && s.hash == hash && s.manager != "" {
		return
	}
	p.do(Select{Service: s.name, Hash: hash})
	p.tell(reasonSwitch, "Switched selector for service '%s' from '%s' to '%s'", s.name, s.hash, hash)
	s.hash, s.picks, s.manager = hash, true, p.r.Object.Name()
}

// follow points a Service at a set once it has an available pod; one that no rollout has managed yet only once all of
// the set's pods are. blind points it at once: nothing is sent to it yet, or the pods' readiness waits for it.
func (p *pass) follow(name string, s *set, blind bool) {
	svc := p.service(name)
	if svc == nil || s == nil || svc.hash == s.hash {
		return
	}
	if !blind && (svc.manager == "" && !s.full() || !s.some()) {
		return
	}
	p.point(svc, s.hash)
}

// canaryServices points the canary's Services at their versions.
func (p *pass) canaryServices() {
	c := p.r.Spec.Strategy.Canary
	if c.PingPong != nil && !p.r.promoted() {
		_, canary := p.r.ServicePair()
		p.follow(canary, p.fresh, true)
	}
	p.follow(c.StableService, p.stable, false)
	if p.aborted() && p.returning() == 0 {
		// Also before the router takes the weight back, so that the bad version gets nothing from now on.
		p.follow(c.CanaryService, p.stable, false)
		return
	}
	if back, _ := p.rollingBack(); back {
		return // the stable set is too small yet for what the canary's Service brings
	}
	p.follow(c.CanaryService, p.fresh, false)
}

// rollingBack reports whether an update with dynamicStableScale is being taken back by asking for the stable version
// again: it is the wanted one, but has not all of its pods. from is the hash that the canary's traffic goes to meanwhile.
func (p *pass) rollingBack() (back bool, from string) {
	w := p.r.Status.Canary.Weights
	if !p.r.promoted() || !p.r.Spec.dynamic() || w == nil {
		return false, ""
	}
	from = w.Canary.PodTemplateHash
	if from != p.fresh.hash && p.fresh.available < p.r.Spec.replicas() {
		return true, from
	}
	return false, ""
}
