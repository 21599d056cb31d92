package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// What a cluster refuses for now is asked again; what it refuses for good ends.
func TestPersist(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	tries := 0
	err := persist(t.Context(), log, func() error {
		if tries++; tries < 2 {
			return &manifest.Refusal{Code: http.StatusServiceUnavailable, Reason: "ServiceUnavailable", Message: "later"}
		}
		return nil
	})
	if tries != 2 || err != nil {
		t.Errorf("%d tries, %v", tries, err)
	}
	tries = 0
	err = persist(t.Context(), log, func() error {
		tries++
		return &manifest.Refusal{Code: http.StatusForbidden, Reason: manifest.ReasonForbidden, Message: "no"}
	})
	if tries != 1 || !manifest.Is(err, manifest.ReasonForbidden) {
		t.Errorf("%d tries, %v", tries, err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	ended := errors.New("it ended")
	tries = 0
	_ = persist(ctx, log, func() error {
		tries++
		stop(ended)
		return &manifest.Refusal{Code: http.StatusInternalServerError, Reason: "InternalError", Message: "later"}
	})
	if tries != 1 {
		t.Errorf("%d tries after the end", tries)
	}
}
