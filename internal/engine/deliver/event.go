package deliver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The reasons of events, those of Argo CD (documentation page "Operator Manual, Metrics and events").
const (
	reasonRefreshed = "StatusRefreshed"
	reasonUpdated   = "ResourceUpdated"
	reasonStarted   = "OperationStarted"
	reasonCompleted = "OperationCompleted"
)

// The types of events.
const (
	normal  = "Normal"
	warning = "Warning"
)

// manager is the field manager of everything that this package writes but for what it applies.
const manager = "sluice"

// event tells of an Application beside it in the cluster, and to whoever watches this controller. A cluster that refuses
// the event loses it: nothing depends on events.
func (c *Controller) event(ctx context.Context, o manifest.Object, kind, reason, message string) {
	c.tell(Told{Namespace: o.Namespace(), Name: o.Name(), Type: kind, Reason: reason, Message: message})
	ctx, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	at := c.Clock().UTC()
	_, _ = c.Home.Create(ctx, eventOf(o, kind, reason, message, at), manifest.Writing{Manager: manager})
}

// Event is a Kubernetes event (core/v1) about an object. Messages over 1,024 bytes are cut, which the API would refuse.
func Event(o manifest.Object, kind, reason, message string, at time.Time) manifest.Object {
	return eventOf(o, kind, reason, message, at)
}

func eventOf(o manifest.Object, kind, reason, message string, at time.Time) manifest.Object {
	const most = 1024 // bytes (Kubernetes API reference, Event)
	if len(message) > most {
		message = strings.ToValidUTF8(message[:most-3], "") + "..."
	}
	stamp := at.Format(time.RFC3339)
	k := o.Kind()
	space := o.Namespace()
	if space == "" {
		space = "default"
	}
	return manifest.Object{
		"apiVersion": "v1", "kind": "Event",
		"metadata": map[string]any{"name": fmt.Sprintf("%s.%x", o.Name(), at.UnixNano()), "namespace": space},
		"source":   map[string]any{"component": "argocd-application-controller"},
		"involvedObject": map[string]any{
			"kind": k.Kind, "apiVersion": k.APIVersion(), "name": o.Name(), "namespace": o.Namespace(),
			"uid": o.UID(), "resourceVersion": o.Revision(),
		},
		"firstTimestamp": stamp, "lastTimestamp": stamp, "count": int64(1),
		"message": message, "type": kind, "reason": reason,
	}
}

// Told is one thing that a person may want to see while it happens.
type Told struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Type      string `json:"type"` // Normal, Warning
	Reason    string `json:"reason"`
	Message   string `json:"message"`
}

func (c *Controller) tell(t Told) {
	if c.Tell != nil {
		c.Tell(t)
	}
}
