package experiment

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

func (p *pass) state(name string) *TemplateStatus {
	for i := range p.status.TemplateStatuses {
		if p.status.TemplateStatuses[i].Name == name {
			return &p.status.TemplateStatuses[i]
		}
	}
	p.status.TemplateStatuses = append(p.status.TemplateStatuses, TemplateStatus{Name: name})
	return &p.status.TemplateStatuses[len(p.status.TemplateStatuses)-1]
}

// template brings one template's replica set and Service to what is wanted, and assesses it.
func (p *pass) template(t Template) {
	s := p.state(t.Name)
	was := *s
	wanted := int32(0)
	if !p.ending && !completed(was.Status) {
		wanted = or(t.Replicas, 1)
	}
	set := p.w.Sets[t.Name]
	switch refusal := p.w.Refused["template/"+t.Name]; {
	case refusal != "" && !completed(was.Status):
		s.Status, s.Message = Error, refusal
	case set == nil && wanted > 0:
		p.create(t, s)
	case set != nil:
		p.service(t, s, set, wanted)
		p.scale(t, s, set, wanted)
	}
	s.Replicas, s.ReadyReplicas, s.AvailableReplicas = count(set, "replicas"), count(set, "readyReplicas"), count(set, "availableReplicas")
	s.UpdatedReplicas = s.Replicas
	if s.Replicas != was.Replicas || s.ReadyReplicas != was.ReadyReplicas || s.AvailableReplicas != was.AvailableReplicas {
		s.LastTransitionTime = stamp(p.w.Now)
	}
	p.assess(t, s, wanted)
	if s.Status != was.Status {
		message := fmt.Sprintf("Template '%s' transitioned from %s -> %s", t.Name, was.Status, s.Status)
		if s.Message != "" {
			message += ": " + s.Message
		}
		p.tell("Template"+s.Status, s.Status == Failed || s.Status == Error, false, "%s", message)
	}
}

func count(set manifest.Object, field string) int32 { return int32(set.Int(0, "status", field)) }

// assess says how a template stands; one that is over stays as it is.
func (p *pass) assess(t Template, s *TemplateStatus, wanted int32) {
	if completed(s.Status) {
		return
	}
	if s.AvailableReplicas == wanted {
		s.Status = Running
		if p.passed() || p.ending {
			s.Status = Successful
		}
		return
	}
	from := p.w.Now
	if s.LastTransitionTime != nil {
		from = *s.LastTransitionTime
	}
	switch {
	case p.w.Now.After(from.Add(p.w.Spec.deadline())):
		s.Status = Failed
		s.Message = fmt.Sprintf("Template '%s' exceeded its progressDeadlineSeconds (%d)", t.Name, p.w.Spec.deadline()/time.Second)
	case p.ending:
		s.Status = Successful
	default:
		s.Status = Progressing
	}
}

// create makes a template's replica set, without pods yet.
func (p *pass) create(t Template, s *TemplateStatus) {
	template := t.Template.Copy()
	if template == nil {
		template = manifest.Object{}
	}
	template.Drop("metadata", "labels", rollout.HashLabel)
	// The same pod template has another hash here than in the rollout, so that metrics tell their pods apart.
	salted := template.Copy()
	salted.SetAnnotation(rollout.ExperimentName, p.w.Object.Name())
	salted.SetAnnotation(rollout.ExperimentTemplate, t.Name)
	hash, err := rollout.Hash(salted, s.CollisionCount)
	if err != nil {
		s.Status, s.Message = Error, fmt.Sprintf("Failed to create ReplicaSet for template '%s': %v", t.Name, err)
		return
	}
	template.SetLabel(rollout.HashLabel, hash)
	selector, err := manifest.From(t.Selector)
	if err != nil {
		return // a label selector has a JSON form
	}
	selector.Set(hash, "matchLabels", rollout.HashLabel)
	o := manifest.Object{"apiVersion": "apps/v1", "kind": "ReplicaSet"}
	o["metadata"] = map[string]any{
		"name": p.w.Object.Name() + "-" + t.Name, "namespace": p.w.Object.Namespace(),
		"labels": map[string]any{rollout.HashLabel: hash}, "annotations": p.marks(t),
		"ownerReferences": []any{p.owner()},
	}
	if id := p.w.Object.Labels()[rollout.InstanceLabel]; id != "" {
		o.SetLabel(rollout.InstanceLabel, id)
	}
	o["spec"] = map[string]any{
		"replicas": int64(0), "minReadySeconds": int64(t.MinReadySeconds),
		"selector": map[string]any(selector), "template": map[string]any(template),
	}
	p.do(Create{Object: o, For: "template/" + t.Name})
	s.LastTransitionTime = stamp(p.w.Now)
}

// marks are the annotations that tell which template an object was made for.
func (p *pass) marks(t Template) map[string]any {
	return map[string]any{rollout.ExperimentName: p.w.Object.Name(), rollout.ExperimentTemplate: t.Name}
}

// service makes the Service of a template that is to have one, with the ports of its containers.
func (p *pass) service(t Template, s *TemplateStatus, set manifest.Object, wanted int32) {
	is := p.w.Services[t.Name]
	if t.Service == nil {
		if is != nil {
			p.do(DeleteService{Name: is.Name()})
			s.ServiceName, s.PodTemplateHash = "", ""
		}
		return
	}
	if wanted == 0 {
		return // it goes with the pods
	}
	name := t.Service.Name
	if name == "" {
		name = set.Name()
	}
	if is == nil {
		ports := portsOf(set)
		if len(ports) == 0 {
			return
		}
		selector := map[string]any{}
		for k, v := range set.Labels() {
			selector[k] = v
		}
		p.do(Create{For: "template/" + t.Name, Object: manifest.Object{
			"apiVersion": "v1", "kind": "Service",
			"metadata": map[string]any{
				"name": name, "namespace": p.w.Object.Namespace(), "annotations": p.marks(t), "ownerReferences": []any{p.owner()},
			},
			"spec": map[string]any{"selector": selector, "ports": ports},
		}})
	}
	s.ServiceName, s.PodTemplateHash = name, set.Labels()[rollout.HashLabel]
}

func portsOf(set manifest.Object) []any {
	var out []any
	containers := set.List("spec", "template", "spec", "containers")
	for _, e := range containers {
		m, _ := e.(map[string]any)
		for _, e := range manifest.Object(m).List("ports") {
			m, _ := e.(map[string]any)
			port := manifest.Object(m)
			one := manifest.Object{"port": port.Int(0, "containerPort"), "targetPort": port.Int(0, "containerPort")}
			for _, field := range []string{"name", "protocol"} {
				if v := port.Text(field); v != "" {
					one[field] = v
				}
			}
			out = append(out, map[string]any(one))
		}
	}
	if len(out) > 1 { // several ports of a Service must have names
		for i, e := range out {
			if m := e.(map[string]any); m["name"] == nil {
				m["name"] = fmt.Sprintf("port-%d", i)
			}
		}
	}
	return out
}

// scale gives a replica set its number of pods. One that is to go is kept for the scale-down delay.
func (p *pass) scale(t Template, s *TemplateStatus, set manifest.Object, wanted int32) {
	has := int32(set.Int(1, "spec", "replicas"))
	deadline := set.Annotation(rollout.DeadlineAnnotation)
	patch := manifest.Object{}
	if wanted == 0 && has > 0 && p.w.Spec.delay() > 0 {
		if deadline == "" {
			deadline = p.w.Now.Add(p.w.Spec.delay()).UTC().Format(time.RFC3339)
			patch.SetAnnotation(rollout.DeadlineAnnotation, deadline)
		}
		if at, err := time.Parse(time.RFC3339, deadline); err == nil && at.After(p.w.Now) {
			p.in(at.Sub(p.w.Now))
			wanted = has
		}
	}
	if wanted > 0 && !p.ending && deadline != "" && !completed(s.Status) {
		patch.Set(nil, "metadata", "annotations", rollout.DeadlineAnnotation)
	}
	if has != wanted {
		patch.Set(int64(wanted), "spec", "replicas")
		direction := "up"
		if wanted < has {
			direction = "down"
		}
		p.tell("ScalingReplicaSet", false, false, "Scaled %s ReplicaSet %s from %d to %d", direction, set.Name(), has, wanted)
		s.LastTransitionTime = stamp(p.w.Now)
	}
	if len(patch) > 0 {
		p.do(PatchReplicaSet{Name: set.Name(), Patch: patch})
	}
	if wanted == 0 && t.Service != nil {
		if is := p.w.Services[t.Name]; is != nil {
			p.do(DeleteService{Name: is.Name()})
		}
		s.ServiceName, s.PodTemplateHash = "", ""
	}
}

// invalid says what is wrong with a spec, "" for nothing.
func invalid(name string, s Spec) string {
	seen := map[string]bool{}
	for i, t := range s.Templates {
		switch {
		case t.Selector == nil:
			return fmt.Sprintf("Rollout has missing field '.Spec.Templates[%d].Selector'", i)
		case len(t.Selector.MatchLabels)+len(t.Selector.MatchExpressions) == 0:
			return fmt.Sprintf("This experiment is selecting all pods at index %d. A non-empty selector is required.", i)
		case time.Duration(t.MinReadySeconds)*time.Second > s.deadline():
			return fmt.Sprintf("MinReadySeconds cannot be longer than ProgressDeadlineSeconds. Check template index %d", i)
		case strings.TrimSpace(t.Name) == "":
			return fmt.Sprintf("Experiment %s has empty template name at index %d", name, i)
		case seen[t.Name]:
			return fmt.Sprintf("Experiment %s has repeated template name '%s' in templates", name, t.Name)
		}
		seen[t.Name] = true
	}
	return ""
}

// worst is the worst of the templates' statuses and its message.
func (p *pass) worst() (string, string) {
	worst, message := Successful, ""
	for _, t := range p.w.Spec.Templates {
		s := p.state(t.Name)
		if slices.Index(order, s.Status) > slices.Index(order, worst) {
			worst, message = s.Status, s.Message
		}
	}
	return worst, message
}
