package intake

import (
	"encoding/json"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/event"
)

// payload are the facts of a GitHub event's payload that say what the event is about (GitHub documentation, Webhook
// events and payloads).
type payload struct {
	Ref    string `json:"ref"` // refs/heads/main, refs/tags/v1; of create and delete the short name
	Before string `json:"before"`
	Pull   *struct {
		Number int    `json:"number"`
		Title  string `json:"title"`
		Draft  bool   `json:"draft"`
		Head   struct {
			Ref string `json:"ref"`
		} `json:"head"`
		Base struct {
			Ref string `json:"ref"`
		} `json:"base"`
		Labels []struct {
			Name string `json:"name"`
		} `json:"labels"`
	} `json:"pull_request"`
	Sender struct {
		Login string `json:"login"`
	} `json:"sender"`
}

// heed takes over what the payload says, where the request itself does not say otherwise. A payload of another form
// says nothing here.
func (q *Request) heed() (p payload) {
	if len(q.Payload) == 0 || json.Unmarshal(q.Payload, &p) != nil {
		return payload{}
	}
	if q.Branch == "" && q.Tag == "" {
		if tag, ok := strings.CutPrefix(p.Ref, "refs/tags/"); ok {
			q.Tag = tag
		} else if branch, ok := strings.CutPrefix(p.Ref, "refs/heads/"); ok {
			q.Branch = branch
		}
	}
	if p.Pull == nil {
		return p
	}
	if q.Branch == "" {
		q.Branch = p.Pull.Head.Ref
	}
	if q.Target == "" {
		q.Target = p.Pull.Base.Ref
	}
	return p
}

// fill takes over what the payload tells of the merge request and of who caused it.
func (p payload) fill(o *event.Occasion) {
	if p.Sender.Login != "" {
		o.Actor.Login = p.Sender.Login
	}
	if p.Pull == nil || o.Merge == nil {
		return
	}
	if p.Pull.Number > 0 {
		o.Merge.Number = p.Pull.Number
	}
	if p.Pull.Title != "" {
		o.Merge.Title = p.Pull.Title
	}
	o.Merge.Draft = p.Pull.Draft
	for _, l := range p.Pull.Labels {
		o.Merge.Labels = append(o.Merge.Labels, l.Name)
	}
}
