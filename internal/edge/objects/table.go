package objects

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// column is one of a table: what `kubectl get` shows.
type column struct {
	name, kind string
	wide       bool
	value      func(o manifest.Object) any
}

func at(name string, path ...string) column {
	return column{name: name, kind: "string", value: func(o manifest.Object) any {
		v, _ := o.At(path...)
		if v == nil {
			return "<none>"
		}
		return fmt.Sprint(v)
	}}
}

func count(name string, path ...string) column {
	return column{name: name, kind: "integer", value: func(o manifest.Object) any { return o.Int(0, path...) }}
}

func computed(name string, value func(o manifest.Object) any) column {
	return column{name: name, kind: "string", value: value}
}

func (c column) onlyWide() column { c.wide = true; return c }

// columns are those between a kind's name and age, as kubectl shows them for a cluster's own.
var columns = map[string][]column{
	"Namespace": {at("Status", "status", "phase")},
	"Node":      {computed("Status", func(manifest.Object) any { return "Ready" }), at("Version", "status", "nodeInfo", "kubeletVersion")},
	"Pod": {
		computed("Ready", podReady), computed("Status", podStatus), computed("Restarts", podRestarts),
		at("IP", "status", "podIP").onlyWide(), at("Node", "spec", "nodeName").onlyWide(),
	},
	"Service": {
		at("Type", "spec", "type"), at("Cluster-IP", "spec", "clusterIP"),
		computed("External-IP", func(o manifest.Object) any { return first(o.List("status", "loadBalancer", "ingress"), "ip") }), computed("Port(s)", servicePorts),
	},
	"ConfigMap":        {computed("Data", func(o manifest.Object) any { return len(o.Sub("data")) + len(o.Sub("binaryData")) })},
	"Secret":           {at("Type", "type"), computed("Data", func(o manifest.Object) any { return len(o.Sub("data")) })},
	"Event":            {at("Last Seen", "lastTimestamp"), at("Type", "type"), at("Reason", "reason"), computed("Object", involved), at("Message", "message")},
	"apps/Deployment":  {readyOf(), count("Up-to-date", "status", "updatedReplicas"), count("Available", "status", "availableReplicas")},
	"apps/ReplicaSet":  {count("Desired", "spec", "replicas"), count("Current", "status", "replicas"), count("Ready", "status", "readyReplicas")},
	"apps/StatefulSet": {readyOf()},
	"batch/Job": {
		computed("Status", jobStatus),
		computed("Completions", func(o manifest.Object) any {
			return fmt.Sprintf("%d/%d", o.Int(0, "status", "succeeded"), o.Int(1, "spec", "completions"))
		}),
	},
	"batch/CronJob":                  {at("Schedule", "spec", "schedule"), at("Timezone", "spec", "timeZone"), at("Suspend", "spec", "suspend"), computed("Active", func(o manifest.Object) any { return len(o.List("status", "active")) })},
	"discovery.k8s.io/EndpointSlice": {at("AddressType", "addressType")},
	"argoproj.io/Rollout": {
		count("Desired", "spec", "replicas"), count("Current", "status", "replicas"), count("Up-to-date", "status", "updatedReplicas"), count("Available", "status", "availableReplicas"),
	},
	"argoproj.io/Application": {at("Sync Status", "status", "sync", "status"), at("Health Status", "status", "health", "status"), at("Revision", "status", "sync", "revision").onlyWide()},
	"argoproj.io/AnalysisRun": {at("Status", "status", "phase")},
	"argoproj.io/Experiment":  {at("Status", "status", "phase")},
}

func table(k *Served, list []manifest.Object, rev, include string) map[string]any {
	cols := append([]column{{name: "Name", kind: "string", value: func(o manifest.Object) any { return o.Name() }}}, columns[k.Kind.String()]...)
	cols = append(cols, column{name: "Age", kind: "string", value: age})
	definitions := make([]any, len(cols))
	for i, c := range cols {
		d := map[string]any{"name": c.name, "type": c.kind, "format": "", "description": "", "priority": 0}
		if c.wide {
			d["priority"] = 1
		}
		if c.name == "Name" {
			d["format"] = "name"
		}
		definitions[i] = d
	}
	rows := make([]any, len(list))
	for i, o := range list {
		cells := make([]any, len(cols))
		for j, c := range cols {
			cells[j] = c.value(o)
		}
		row := map[string]any{"cells": cells}
		switch include {
		case "None":
		case "Object":
			row["object"] = o
		default:
			row["object"] = map[string]any{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": o["metadata"]}
		}
		rows[i] = row
	}
	return map[string]any{"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": map[string]any{"resourceVersion": rev}, "columnDefinitions": definitions, "rows": rows}
}

func age(o manifest.Object) any {
	t, err := time.Parse(time.RFC3339, o.Text("metadata", "creationTimestamp"))
	if err != nil {
		return "<unknown>"
	}
	return duration.HumanDuration(time.Since(t))
}

func readyOf() column {
	return computed("Ready", func(o manifest.Object) any {
		return fmt.Sprintf("%d/%d", o.Int(0, "status", "readyReplicas"), o.Int(1, "spec", "replicas"))
	})
}

func podReady(o manifest.Object) any {
	ready := 0
	for _, c := range o.List("status", "containerStatuses") {
		if m, ok := c.(map[string]any); ok && m["ready"] == true {
			ready++
		}
	}
	return fmt.Sprintf("%d/%d", ready, len(o.List("spec", "containers")))
}

// podStatus is the pod's phase, or the reason of a container that tells more.
func podStatus(o manifest.Object) any {
	if o.Deleting() {
		return "Terminating"
	}
	for _, list := range []string{"initContainerStatuses", "containerStatuses"} {
		for _, c := range o.List("status", list) {
			m, _ := c.(map[string]any)
			if r := manifest.Object(m).Text("state", "waiting", "reason"); r != "" && r != "ContainerCreating" && r != "PodInitializing" {
				return r
			}
			if r := manifest.Object(m).Text("state", "terminated", "reason"); r != "" && r != "Completed" {
				return r
			}
		}
	}
	if o.Text("status", "phase") == "Succeeded" {
		return "Completed"
	}
	return o.Text("status", "phase")
}

func podRestarts(o manifest.Object) any {
	var n int64
	for _, c := range o.List("status", "containerStatuses") {
		m, _ := c.(map[string]any)
		n += manifest.Object(m).Int(0, "restartCount")
	}
	return fmt.Sprint(n)
}

func first(list []any, field string) any {
	for _, e := range list {
		m, _ := e.(map[string]any)
		if v := manifest.Object(m).Text(field); v != "" {
			return v
		}
	}
	return "<none>"
}

func servicePorts(o manifest.Object) any {
	var out []string
	for _, p := range o.List("spec", "ports") {
		m, _ := p.(map[string]any)
		port := manifest.Object(m)
		text := fmt.Sprint(port.Int(0, "port"))
		if n := port.Int(0, "nodePort"); n > 0 {
			text += fmt.Sprintf(":%d", n)
		}
		out = append(out, text+"/"+port.Text("protocol"))
	}
	return strings.Join(out, ",")
}

func involved(o manifest.Object) any {
	return strings.ToLower(o.Text("involvedObject", "kind")) + "/" + o.Text("involvedObject", "name")
}

func jobStatus(o manifest.Object) any {
	for _, c := range o.List("status", "conditions") {
		m, _ := c.(map[string]any)
		if m["status"] == "True" && (m["type"] == "Complete" || m["type"] == "Failed" || m["type"] == "Suspended") {
			return m["type"]
		}
	}
	return "Running"
}
