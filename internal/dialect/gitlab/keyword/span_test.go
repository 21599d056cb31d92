package keyword_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
)

const day = 24 * time.Hour

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90":                  90 * time.Second,
		"42 seconds":          42 * time.Second,
		"3 mins 4 sec":        3*time.Minute + 4*time.Second,
		"2 hrs 20 min":        2*time.Hour + 20*time.Minute,
		"2h20min":             2*time.Hour + 20*time.Minute,
		"3h 30m":              3*time.Hour + 30*time.Minute,
		"1 hour 20 minutes":   80 * time.Minute,
		"6 mos 1 day":         181 * day,
		"47 yrs 6 mos and 4d": 47*31557600*time.Second + 184*day,
		"3 weeks and 2 days":  23 * day,
		"1 week":              7 * day,
		"168 hours":           7 * day,
		"one week":            7 * day,
		"one hour":            time.Hour,
		"twenty five minutes": 25 * time.Minute,
		"two hundred seconds": 200 * time.Second,
		"1.5 hours":           90 * time.Minute,
		".5 hours":            30 * time.Minute,
		"day":                 day,
		"minute 30sec":        90 * time.Second,
		"1:30":                90 * time.Second,
		"2:00:00":             2 * time.Hour,
		"1 Hour, 5 Minutes":   65 * time.Minute,
		"  10 seconds ":       10 * time.Second,
		"999999999 years":     1<<63 - 1,
	} {
		got, err := keyword.Duration(text)
		if err != nil || got != want {
			t.Errorf("Duration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestDurationRefuses(t *testing.T) {
	for _, text := range []string{"", " ", "0", "0 minutes", "soon", "5 fortnights", "never", "-", "5 5", "1:2:3:4:5:6:7", "1:x", "$TIME", "5 min!", "a day", "."} {
		if got, err := keyword.Duration(text); err == nil {
			t.Errorf("Duration(%q) = %v, want a mistake", text, got)
		}
	}
}

func TestPropertyDurationAddsItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, m, s := rapid.IntRange(0, 999).Draw(t, "h"), rapid.IntRange(0, 999).Draw(t, "m"), rapid.IntRange(1, 999).Draw(t, "s")
		text := fmt.Sprintf(rapid.SampledFrom([]string{"%dh%dm%ds", "%d hours %d minutes and %d seconds", "%d hrs, %d mins, %d secs"}).Draw(t, "form"), h, m, s)
		got, err := keyword.Duration(text)
		want := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
		if err != nil || got != want {
			t.Fatalf("Duration(%q) = %v, %v; want %v", text, got, err, want)
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, text := range []string{"3h 30m", "one week", "1:30", "47 yrs 6 mos and 4d", "two hundred", "..", "1e9 s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := keyword.Duration(text); err == nil && d <= 0 {
			t.Errorf("Duration(%q) = %v", text, d)
		}
	})
}
