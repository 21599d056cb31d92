package health

import "encoding/json"

func service(f *fields) Result {
	if f.text("spec", "type") == "LoadBalancer" && len(f.each("status", "loadBalancer", "ingress")) == 0 {
		return Result{Status: Progressing}
	}
	return Result{Status: Healthy}
}

func ingress(f *fields) Result {
	if len(f.List("status", "loadBalancer", "ingress")) == 0 {
		return Result{Status: Progressing}
	}
	return Result{Status: Healthy}
}

func claim(f *fields) Result {
	switch f.text("status", "phase") {
	case "Lost":
		return Result{Status: Degraded}
	case "Pending":
		return Result{Status: Progressing}
	case "Bound":
		return Result{Status: Healthy}
	}
	return Result{Status: Unknown}
}

func apiService(f *fields) Result {
	for _, c := range f.conditions() {
		if c.Type == "Available" {
			status := Progressing
			if c.Status == "True" {
				status = Healthy
			}
			return Result{status, c.Reason + ": " + c.Message}
		}
	}
	return Result{Progressing, "Waiting to be processed"}
}

func workflow(f *fields) Result {
	message := f.text("status", "message")
	switch f.text("status", "phase") {
	case "", "Pending", "Running":
		return Result{Progressing, message}
	case "Succeeded":
		return Result{Healthy, message}
	case "Failed", "Error":
		return Result{Degraded, message}
	}
	return Result{Unknown, message}
}

// v1Conditions holds the conditions of a v1 autoscaler, whose type has no field for them, as JSON.
const v1Conditions = "autoscaling.alpha.kubernetes.io/conditions"

// broken are the reasons, by the condition's type, for which an autoscaler cannot do its work.
var broken = map[[2]string]bool{
	{"AbleToScale", "FailedGetScale"}:            true,
	{"AbleToScale", "FailedUpdateScale"}:         true,
	{"ScalingActive", "FailedGetResourceMetric"}: true,
	{"ScalingActive", "InvalidSelector"}:         true,
}

// autoscaler takes the first condition that says something.
func autoscaler(f *fields) Result {
	var conditions []condition
	if f.Kind().Version == "v1" {
		if text := f.Annotation(v1Conditions); text != "" {
			if err := json.Unmarshal([]byte(text), &conditions); err != nil {
				return Result{Unknown, "failed to convert conditions annotation to typed: " + err.Error()}
			}
		}
	} else {
		conditions = f.conditions()
	}
	for _, c := range conditions {
		switch {
		case broken[[2]string{c.Type, c.Reason}]:
			return Result{Degraded, c.Message}
		case (c.Type == "AbleToScale" || c.Type == "ScalingLimited") && c.Status == "True":
			return Result{Healthy, c.Message}
		}
	}
	return Result{Progressing, "Waiting to Autoscale"}
}
