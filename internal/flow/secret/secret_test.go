package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

const canary = "hunter2-canary"

type holder struct {
	Public secret.Secret `json:"public" xml:"public"`
	hidden secret.Secret
	list   []secret.Secret
	byName map[string]secret.Secret
}

func TestNothingPrintsASecret(t *testing.T) {
	s := secret.Named("TOKEN", canary)
	h := holder{Public: s, hidden: s, list: []secret.Secret{s}, byName: map[string]secret.Secret{"k": s}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%08.3f", "%!"} {
		for _, v := range []any{s, &s, h, &h, []secret.Secret{s}, map[secret.Secret]secret.Secret{s: s}, any(s), errors.Join(fmt.Errorf("with %v", s))} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	fmt.Fprintln(&out, s, h)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "s", s, "h", h)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "s", s, "h", h)
	if err := json.NewEncoder(&out).Encode([]any{s, h, map[secret.Secret]int{s: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := xml.NewEncoder(&out).Encode(h); err != nil {
		t.Fatal(err)
	}
	_ = gob.NewEncoder(&out).Encode(s)
	y, err := s.MarshalYAML()
	fmt.Fprintln(&out, y, err)
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("%d", []byte(canary))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret shows as %s in\n%s", form, out.String())
		}
	}
	if !strings.Contains(out.String(), `"public":"[secret]"`) {
		t.Errorf("JSON does not hold the place of the secret:\n%s", out.String())
	}
}

func TestRevealAndCompare(t *testing.T) {
	var zero secret.Secret
	s := secret.Named("TOKEN", canary)
	switch {
	case s.Reveal() != canary, s.Name() != "TOKEN", s.IsZero():
		t.Error("a named secret lost its value or name")
	case zero.Reveal() != "", zero.Name() != "", !zero.IsZero(), zero.String() != secret.Hidden:
		t.Error("the zero secret is not the empty one")
	case !s.Equal(secret.New(canary)), s.Equal(secret.New(canary + "x")), s.Equal(zero), !zero.Equal(secret.New("")):
		t.Error("Equal compares something else than the values")
	}
}
