package analysis

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Values are the contents of the secrets that a run's arguments name. They are never part of an error or a status: what
// repeats one is masked.
type Values map[SecretKey]string

// Secrets are the keys of Secrets that a run's arguments are read from.
func Secrets(run Run) []SecretKey {
	var out []SecretKey
	for _, arg := range run.Spec.Args {
		if arg.ValueFrom != nil && arg.ValueFrom.SecretKeyRef != nil {
			out = append(out, *arg.ValueFrom.SecretKeyRef)
		}
	}
	return out
}

// Substitute puts arguments into every {{ args.NAME }} of a metric, in whatever field it stands
// (https://argo-rollouts.readthedocs.io/en/stable/features/analysis/, "Analysis Template Arguments"). Every argument must
// have a value, used or not; a placeholder that names none is refused.
func Substitute(m Metric, args []Argument) (Metric, error) {
	known := map[string]string{}
	for _, arg := range args {
		if arg.Value == nil {
			return Metric{}, refuse(CodeArgument, "argument %q was not supplied", arg.Name)
		}
		known["args."+arg.Name] = *arg.Value
	}
	data, err := json.Marshal(m)
	if err != nil {
		return Metric{}, err
	}
	text, err := replace(string(data), known, quoted)
	if err != nil {
		return Metric{}, err
	}
	var out Metric
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return Metric{}, refuse(CodeArgument, "metric %q is no metric once its arguments are put in: %v", m.Name, err)
	}
	return out, nil
}

// Fill puts values into every {{ NAME }} of a text; an unknown name is refused.
func Fill(text string, values map[string]string) (string, error) {
	return replace(text, values, func(s string) string { return s })
}

func replace(text string, values map[string]string, quote func(string) string) (string, error) {
	var (
		out   strings.Builder
		wrong error
	)
	for {
		before, rest, found := strings.Cut(text, "{{")
		out.WriteString(before)
		if !found {
			return out.String(), wrong
		}
		name, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return "", refuse(CodeArgument, "cannot find end tag=\"}}\" after {{%s", head(rest))
		}
		if value, ok := values[strings.TrimSpace(name)]; ok {
			out.WriteString(quote(value))
		} else {
			wrong = refuse(CodeArgument, "failed to resolve {{%s}}", name)
		}
		text = after
	}
}

// head is the beginning of a text for a message.
func head(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// quoted is a text as it stands between the quotes of a JSON string.
func quoted(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("a string that JSON cannot say: %v", err))
	}
	return string(data[1 : len(data)-1])
}

// known gives arguments of Secrets the value that stands for all of them.
func (s Spec) known(value func(SecretKey) (string, error)) ([]Argument, error) {
	out := make([]Argument, len(s.Args))
	for i, arg := range s.Args {
		out[i] = arg
		if arg.ValueFrom == nil || arg.ValueFrom.SecretKeyRef == nil {
			continue
		}
		v, err := value(*arg.ValueFrom.SecretKeyRef)
		if err != nil {
			return nil, err
		}
		out[i].Value = &v
	}
	return out, nil
}

// resolved are the metrics with their arguments put in, secrets apart.
func (s Spec) resolved() ([]Metric, error) {
	args, err := s.known(func(SecretKey) (string, error) { return "temp-for-secret", nil })
	if err != nil {
		return nil, err
	}
	out := make([]Metric, len(s.Metrics))
	for i, m := range s.Metrics {
		if out[i], err = Substitute(m, args); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// secretArgs are the arguments with the secrets' contents, and those contents, longest ones included, for masking.
func (s Spec) secretArgs(values Values) (args []Argument, secrets []string, err error) {
	args, err = s.known(func(k SecretKey) (string, error) {
		v, ok := values[k]
		if !ok {
			return "", refuse(CodeArgument, "key '%s' does not exist in secret '%s'", k.Key, k.Name)
		}
		if v != "" {
			secrets = append(secrets, v)
		}
		return v, nil
	})
	return args, secrets, err
}

func mask(text string, secrets []string) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "*****")
	}
	return text
}
