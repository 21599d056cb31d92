package health

import (
	"fmt"
	"strings"
)

func pod(f *fields) Result {
	policy := f.text("spec", "restartPolicy")
	containers := f.each("status", "containerStatuses")
	defer func() {
		for _, c := range containers {
			f.take(c, "status.containerStatuses")
		}
	}()
	if policy == "Always" {
		if r, ok := stuck(containers); ok {
			return r
		}
	}
	message := f.text("status", "message")
	switch f.text("status", "phase") {
	case "Pending":
		return Result{Progressing, message}
	case "Succeeded":
		return Result{Healthy, message}
	case "Failed":
		if message == "" {
			message = failure(append(f.each("status", "initContainerStatuses"), containers...))
		}
		return Result{Degraded, message}
	case "Running":
		_, anyPolicy := f.Annotations()[RestartAnnotation]
		switch {
		case policy == "Always" || anyPolicy:
			return Result{running(f, containers), message}
		case policy == "OnFailure" || policy == "Never": // it has an end, which is waited for
			return Result{Progressing, message}
		}
	}
	return Result{Unknown, message}
}

// stuck says of containers that cannot start or keep ending why. Only a Pod that is always restarted is judged so: a
// hook's Pod whose image is missing may still come to run.
func stuck(containers []*fields) (Result, bool) {
	var why []string
	for _, c := range containers {
		reason := c.text("state", "waiting", "reason")
		if strings.HasPrefix(reason, "Err") || strings.HasSuffix(reason, "Error") || strings.HasSuffix(reason, "BackOff") {
			why = append(why, c.text("state", "waiting", "message"))
		}
	}
	return Result{Degraded, strings.Join(why, ", ")}, why != nil
}

// failure is what the first container that failed says of it, init containers first.
func failure(containers []*fields) string {
	for _, c := range containers {
		message, reason := c.text("state", "terminated", "message"), c.text("state", "terminated", "reason")
		code := c.count("state", "terminated", "exitCode")
		switch {
		case message != "":
			return message
		case reason == "OOMKilled":
			return reason
		case code != 0:
			return fmt.Sprintf("container %q failed with exit code %d", c.text("name"), code)
		}
	}
	return ""
}

func running(f *fields, containers []*fields) Status {
	for _, c := range f.conditions() {
		if c.Type == "Ready" {
			if c.Status == "True" {
				return Healthy
			}
			break
		}
	}
	for _, c := range containers {
		if c.at([]string{"lastState", "terminated"}) != nil {
			return Degraded
		}
	}
	return Progressing
}
