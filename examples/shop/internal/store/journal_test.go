package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/shop/internal/shop"
	"example.com/shop/internal/store"
)

func open(t *testing.T, path string) (*store.Journal, []shop.Change) {
	t.Helper()
	j, past, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return j, past
}

func write(t *testing.T, path string, changes ...shop.Change) {
	t.Helper()
	j, _ := open(t, path)
	for _, c := range changes {
		if err := j.Append(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestJournalGivesBackWhatItWasGiven(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	write(t, path,
		shop.Change{Opened: "c1"},
		shop.Change{Set: &shop.Set{Cart: "c1", Line: shop.Line{Product: "tea", Quantity: 2}}})
	write(t, path, shop.Change{Order: &shop.Order{ID: "o1", Cart: "c1", Total: 900}})

	j, past := open(t, path)
	defer j.Close()
	if len(past) != 3 || past[0].Opened != "c1" || past[1].Set.Quantity != 2 || past[2].Order.Total != 900 {
		t.Errorf("got %+v", past)
	}
}

func TestJournalDropsALineThatACrashCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	write(t, path, shop.Change{Opened: "c1"}, shop.Change{Opened: "c2"})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-4], 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, path, shop.Change{Opened: "c3"})

	j, past := open(t, path)
	defer j.Close()
	if len(past) != 2 || past[0].Opened != "c1" || past[1].Opened != "c3" {
		t.Errorf("got %+v, want c1 and c3", past)
	}
}

func TestJournalRefusesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte("{\"opened\":\"c1\"}\nnonsense\n{\"opened\":\"c2\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Open(path); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want an error on line 2", err)
	}
}

func TestJournalRefusesAMissingFolder(t *testing.T) {
	if _, _, err := store.Open(filepath.Join(t.TempDir(), "none", "journal")); err == nil {
		t.Error("it opened")
	}
}
