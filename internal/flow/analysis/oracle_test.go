package analysis

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"
)

// testdata/answers.jsonl.gz was made once by asking Argo Rollouts v1.8.3's functions about metrics and values of ours.

func TestMetricsAndConditionsAreJudgedAsArgoDoes(t *testing.T) {
	f, err := os.Open("testdata/answers.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for lines := bufio.NewScanner(r); lines.Scan(); n++ {
		var c struct {
			Metrics          []Metric
			Args             []Argument
			Success, Failure string
			Value            any
			Floats           []string
			Float            string
			Out              struct {
				Phase Phase
				Error string
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Metrics != nil {
			if got := refusal(c.Metrics, c.Args); got != c.Out.Error {
				t.Errorf("%s\nArgo's: %s\nof %s", got, c.Out.Error, lines.Bytes())
			}
			continue
		}
		value := c.Value
		if c.Float != "" {
			value = number64(t, c.Float)
		}
		if c.Floats != nil {
			list := []float64{}
			for _, s := range c.Floats {
				list = append(list, number64(t, s))
			}
			value = list
		}
		phase, err := Assess(Metric{SuccessCondition: c.Success, FailureCondition: c.Failure}, value)
		if phase != c.Out.Phase || (err != nil) != (c.Out.Error != "") {
			t.Errorf("%s, %v; Argo's %s, %s\nof %s", phase, err, c.Out.Phase, c.Out.Error, lines.Bytes())
		}
	}
	if n < 500 {
		t.Fatalf("%d lines", n)
	}
}

func refusal(metrics []Metric, args []Argument) string {
	var whole []Metric
	for _, m := range metrics {
		w, err := Substitute(m, args)
		if err != nil {
			return err.Error()
		}
		whole = append(whole, w)
	}
	if err := Validate(whole); err != nil {
		return err.Error()
	}
	return ""
}

func number64(t *testing.T, s string) float64 {
	t.Helper()
	switch s {
	case "NaN":
		return math.NaN()
	case "Inf":
		return math.Inf(1)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
