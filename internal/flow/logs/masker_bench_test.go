package logs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// tokens are n secrets of the usual kind, and the last a private key of 26 lines.
func tokens(n int) []secret.Secret {
	var out []secret.Secret
	for i := range n - 1 {
		out = append(out, secret.New(fmt.Sprintf("glpat-%dX%xq%dZz%x", i*7919, i*104729, i*31, i*65537)))
	}
	var key strings.Builder
	key.WriteString("-----BEGIN PRIVATE KEY-----\n")
	for i := range 24 {
		fmt.Fprintf(&key, "%064x\n", i*2654435761)
	}
	key.WriteString("-----END PRIVATE KEY-----\n")
	return append(out, secret.New(key.String()))
}

// plainLog is a log of about n bytes as build tools write them.
func plainLog(n int) []byte {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "2026-11-22T10:%02d:%02dZ [INFO] compiling module %d of 4000: src/main/java/org/example/shop/Basket%d.java (%d ms)\n", i/60%60, i%60, i%4000, i, i%977)
		if i%10 == 0 {
			fmt.Fprintf(&b, "\x1b[32;1m$ go test ./internal/... -run TestCheckout%d\x1b[0;m\n", i)
		}
		if i%50 == 0 {
			fmt.Fprintf(&b, "sha256:%064x  layer %d\n", i*7919, i)
		}
	}
	return []byte(b.String())
}

// BenchmarkMask compares masking with copying the same bytes in the same parts; the ratio of the two MB/s counts.
func BenchmarkMask(b *testing.B) {
	text := plainLog(16 << 20)
	const part = 32 << 10
	dst := make([]byte, 0, 2*part)
	run := func(name string, take func(p []byte)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				for rest := text; len(rest) > 0; {
					n := min(part, len(rest))
					take(rest[:n])
					rest = rest[n:]
				}
			}
		})
	}
	run("copy", func(p []byte) { dst = append(dst[:0], p...) })
	for _, n := range []int{1, 20, 200} {
		mask, _ := logs.NewMask(tokens(n)...)
		stream := mask.Masker()
		run(fmt.Sprintf("secrets=%d", n), func(p []byte) { dst = stream.Append(dst[:0], p) })
	}
	short, _ := logs.NewMask(append(tokens(20), secret.New("k3y!"))...)
	stream := short.Masker()
	run("secrets=20+short", func(p []byte) { dst = stream.Append(dst[:0], p) })
}

func BenchmarkNewMask(b *testing.B) {
	secrets := tokens(20)
	b.ReportAllocs()
	for b.Loop() {
		mask, _ := logs.NewMask(secrets...)
		b.ReportMetric(float64(mask.States()), "states")
	}
}
