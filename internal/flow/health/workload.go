package health

import "fmt"

const deadlineExceeded = "ProgressDeadlineExceeded"

func waiting(format string, args ...any) Result {
	return Result{Progressing, fmt.Sprintf("Waiting for rollout to finish: "+format, args...)}
}

func deployment(f *fields) Result {
	if f.flag("spec", "paused") {
		return Result{Suspended, "Deployment is paused"}
	}
	if !f.observed() {
		return waiting("observed deployment generation less than desired generation")
	}
	for _, c := range f.conditions() {
		if c.Type == "Progressing" {
			if c.Reason == deadlineExceeded {
				return Result{Degraded, fmt.Sprintf("Deployment %q exceeded its progress deadline", f.Name())}
			}
			break
		}
	}
	wanted, set := f.number("spec", "replicas")
	all, updated, available := f.count("status", "replicas"), f.count("status", "updatedReplicas"), f.count("status", "availableReplicas")
	switch {
	case set && updated < wanted:
		return waiting("%d out of %d new replicas have been updated...", updated, wanted)
	case all > updated:
		return waiting("%d old replicas are pending termination...", all-updated)
	case available < updated:
		return waiting("%d of %d updated replicas are available...", available, updated)
	}
	return Result{Status: Healthy}
}

func replicaSet(f *fields) Result {
	if !f.observed() {
		return waiting("observed replica set generation less than desired generation")
	}
	for _, c := range f.conditions() {
		if c.Type == "ReplicaFailure" {
			if c.Status == "True" {
				return Result{Degraded, c.Message}
			}
			break
		}
	}
	wanted, set := f.number("spec", "replicas")
	if available := f.count("status", "availableReplicas"); set && available < wanted {
		return waiting("%d out of %d new replicas are available...", available, wanted)
	}
	return Result{Status: Healthy}
}

func daemonSet(f *fields) Result {
	if !f.observed() {
		return waiting("observed daemon set generation less than desired generation")
	}
	wanted, updated := f.count("status", "desiredNumberScheduled"), f.count("status", "updatedNumberScheduled")
	if f.text("spec", "updateStrategy", "type") == "OnDelete" {
		return Result{Healthy, fmt.Sprintf("daemon set %d out of %d new pods have been updated", updated, wanted)}
	}
	available := f.count("status", "numberAvailable")
	switch {
	case updated < wanted:
		return Result{Progressing, fmt.Sprintf("Waiting for daemon set %q rollout to finish: %d out of %d new pods have been updated...", f.Name(), updated, wanted)}
	case available < wanted:
		return Result{Progressing, fmt.Sprintf("Waiting for daemon set %q rollout to finish: %d of %d updated pods are available...", f.Name(), available, wanted)}
	}
	return Result{Status: Healthy}
}

func statefulSet(f *fields) Result {
	if !f.observed() || f.count("status", "observedGeneration") == 0 {
		return Result{Progressing, "Waiting for statefulset spec update to be observed..."}
	}
	wanted, set := f.number("spec", "replicas")
	ready, updated := f.count("status", "readyReplicas"), f.count("status", "updatedReplicas")
	if set && ready < wanted {
		return Result{Progressing, fmt.Sprintf("Waiting for %d pods to be ready...", wanted-ready)}
	}
	strategy := f.text("spec", "updateStrategy", "type")
	rolling := f.at([]string{"spec", "updateStrategy", "rollingUpdate"}) != nil
	switch {
	case strategy == "RollingUpdate" && rolling:
		partition, parted := f.number("spec", "updateStrategy", "rollingUpdate", "partition")
		if set && parted && updated < wanted-partition {
			return Result{Progressing, fmt.Sprintf("Waiting for partitioned roll out to finish: %d out of %d new pods have been updated...", updated, wanted-partition)}
		}
		return Result{Healthy, fmt.Sprintf("partitioned roll out complete: %d new pods have been updated...", updated)}
	case strategy == "OnDelete":
		return Result{Healthy, fmt.Sprintf("statefulset has %d ready pods", ready)}
	}
	current, update := f.text("status", "currentRevision"), f.text("status", "updateRevision")
	if update != current {
		return Result{Progressing, fmt.Sprintf("waiting for statefulset rolling update to complete %d pods at revision %s...", updated, update)}
	}
	return Result{Healthy, fmt.Sprintf("statefulset rolling update complete %d pods at revision %s...", f.count("status", "currentReplicas"), current)}
}

func job(f *fields) Result {
	var failed, ended, suspended bool
	var why, message string
	for _, c := range f.conditions() {
		switch c.Type {
		case "Failed":
			failed, ended, why = true, true, c.Message
		case "Complete":
			ended, message = true, c.Message
		case "Suspended":
			ended, message = true, c.Message
			suspended = suspended || c.Status == "True"
		}
	}
	switch {
	case !ended:
		return Result{Progressing, message}
	case failed:
		return Result{Degraded, why}
	case suspended:
		return Result{Suspended, why}
	}
	return Result{Healthy, message}
}
