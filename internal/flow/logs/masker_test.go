package logs_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

func mask(t testing.TB, values ...string) *logs.Mask {
	t.Helper()
	var secrets []secret.Secret
	for _, v := range values {
		secrets = append(secrets, secret.New(v))
	}
	m, faults := logs.NewMask(secrets...)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return m
}

func TestTextIsMasked(t *testing.T) {
	cases := map[string]struct {
		secrets  []string
		in, want string
	}{
		"a secret":                          {[]string{"s3cr3t"}, "it is s3cr3t, see", "it is [MASKED], see"},
		"nothing else":                      {[]string{"s3cr3t"}, "s3cr3 t\x00\xff\r\n", "s3cr3 t\x00\xff\r\n"},
		"no secret at all":                  {nil, "text", "text"},
		"two in a row":                      {[]string{"s3cr3t"}, "s3cr3ts3cr3t", "[MASKED][MASKED]"},
		"the longest of those that begin":   {[]string{"pass", "password"}, "my password!", "my [MASKED]!"},
		"the longest of those that end":     {[]string{"word", "password"}, "my password!", "my [MASKED]!"},
		"one inside another":                {[]string{"sswo", "password"}, "passwor sswo password", "pa[MASKED]r [MASKED] [MASKED]"},
		"overlapping ones as a whole":       {[]string{"abcdef", "efghij"}, "-abcdefghij-", "-[MASKED]-"},
		"overlapping itself":                {[]string{"aaaa"}, "aaaaaaaaab", "[MASKED]b"},
		"an overlap found backwards":        {[]string{"cdef", "abcdefgh"}, "abcdefgx abcdefgh", "ab[MASKED]gx [MASKED]"},
		"a line of a key":                   {[]string{"-----BEGIN-----\nMIIabc\nxyz\n-----END-----\n"}, "head\nMIIabc\nxyz\n", "head\n[MASKED]\nxyz\n"},
		"a whole key":                       {[]string{"-----BEGIN-----\nMIIabc\nxyz\n-----END-----\n"}, "k: -----BEGIN-----\nMIIabc\nxyz\n-----END-----\n.", "k: [MASKED]."},
		"a key through a terminal":          {[]string{"BEGIN\nxyz\nEND1"}, "BEGIN\r\nxyz\r\nEND1\r\n", "[MASKED]\r\n"},
		"a file without its last newline":   {[]string{"s3cr3t\n"}, "'s3cr3t'", "'[MASKED]'"},
		"no ruler of a multi-line secret":   {[]string{"name\n------\n    \nvalue1"}, "------\n    x\nvalue1", "------\n    x\n[MASKED]"},
		"a secret that is not UTF-8":        {[]string{"\xff\xfe\x01\x02\x03"}, "a\xff\xfe\x01\x02\x03b", "a[MASKED]b"},
		"a secret of four Chinese letters":  {[]string{"密码秘密"}, "密码秘密。", "[MASKED]。"},
		"a secret at the end of the stream": {[]string{"s3cr3t"}, "s3cr3t", "[MASKED]"},
		"a beginning at the end":            {[]string{"s3cr3t"}, "s3cr3", "s3cr3"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := mask(t, c.secrets...)
			if got := m.Text(c.in); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			for cut := range len(c.in) {
				stream := m.Masker()
				got := stream.Append(nil, []byte(c.in[:cut]))
				got = stream.Append(got, []byte(c.in[cut:]))
				if got = stream.Close(got); string(got) != c.want {
					t.Errorf("cut at %d: got %q", cut, got)
				}
			}
			stream, got := m.Masker(), []byte(nil)
			for i := range len(c.in) {
				got = stream.Append(got, []byte(c.in[i:i+1]))
			}
			if got = stream.Close(got); string(got) != c.want {
				t.Errorf("byte by byte: got %q", got)
			}
		})
	}
}

// awkward are secrets with everything that encoders treat apart.
var awkward = []string{
	"s3cr3t-Token_1", "pass word", `it's "quoted" & <b>$HOME\n</b>`, "a+b/c=d?e#f%20", "grüße-München", "emoji-😀-key",
	"tab\tand\nline two of it\nand three", "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu\n-----END KEY-----\n",
	`back\slash\\twice`, "~!@#$%^&*()_+{}|:<>?`-=[];',./", "abcd", "\x01\x02ctl\x1b[31m",
}

func TestEncodedFormsAreMasked(t *testing.T) {
	encoders := map[string]func(string) string{
		"raw":           func(s string) string { return s },
		"base64":        func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64 raw":    func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
		"base64url":     func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
		"base64url raw": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
		"base64 echo":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s + "\n")) },
		"hex":           func(s string) string { return hex.EncodeToString([]byte(s)) },
		"HEX":           func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
		"query":         url.QueryEscape,
		"path":          url.PathEscape,
		"user":          func(s string) string { return url.UserPassword("", s).String()[1:] },
		"json":          func(s string) string { b, _ := json.Marshal(s); return string(b[1 : len(b)-1]) },
		"json no html": func(s string) string {
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			_ = e.Encode(s)
			return strings.Trim(b.String(), "\"\n")
		},
		"xml":  func(s string) string { var b bytes.Buffer; _ = xml.EscapeText(&b, []byte(s)); return b.String() },
		"html": html.EscapeString,
		"go":   func(s string) string { return strings.Trim(fmt.Sprintf("%q", s), `"`) },
		"sh":   func(s string) string { return strings.ReplaceAll(s, `'`, `'\''`) },
	}
	for name, encode := range encoders {
		for _, s := range awkward {
			if (name == "xml" || name == "go") && strings.ContainsAny(s, "\x01") {
				continue // XML cannot say it, and Go's \x is nobody else's
			}
			got := mask(t, s).Text("<<" + encode(s) + ">>")
			if got != "<<[MASKED]>>" {
				t.Errorf("%s of %q: %s", name, s, got)
			}
		}
	}
}

// TestRealToolsDoNotLeak asks tools that are on most machines; one that is missing is passed over.
func TestRealToolsDoNotLeak(t *testing.T) {
	const python = `import os, html, json, shlex, urllib.parse as u
from xml.sax.saxutils import escape
for i in range(int(os.environ["N"])):
    s = os.environ["S%d" % i]
    for form in repr(s), json.dumps(s), shlex.quote(s), u.quote(s), u.quote_plus(s), u.quote(s, safe=""), html.escape(s), escape(s):
        print(form, i, sep="\x1e", end="\x1f")`
	const traces = `i=0; while [ $i -lt $N ]; do eval 's=$S'$i; (set -x; : "$s") 2>&1; printf '\036%d\037' $i; i=$((i+1)); done`
	const quotes = `for i in $(seq 0 $((N-1))); do n=S$i; s=${!n}
	for tool in 'printf %q "$s"' 'declare -p s' 'echo "${s@Q}"' 'printf %s "$s" | base64' 'printf %s "$s" | base64 -w64' 'printf %s "$s" | xxd -p'; do
		eval "$tool"; printf '\036%d\037' $i; done; done`
	for _, argv := range [][]string{{"python3", "-c", python}, {"sh", "-c", traces}, {"bash", "-c", traces}, {"bash", "-c", quotes}} {
		if _, err := exec.LookPath(argv[0]); err != nil {
			continue
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(cmd.Environ(), fmt.Sprintf("N=%d", len(awkward)), "LC_ALL=C.UTF-8")
		for i, s := range awkward {
			cmd.Env = append(cmd.Env, fmt.Sprintf("S%d=%s", i, strings.Trim(s, "\x01\x02")))
		}
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", argv[0], err)
		}
		for _, record := range strings.Split(strings.TrimSuffix(string(out), "\x1f"), "\x1f") {
			form, number, _ := strings.Cut(record, "\x1e")
			i, err := strconv.Atoi(number)
			if err != nil {
				t.Fatalf("%s: %q", argv[0], record)
			}
			m := mask(t, strings.Trim(awkward[i], "\x01\x02"))
			if got := m.Text(form); strings.TrimSpace(form) != "" && !strings.Contains(got, logs.Masked) {
				t.Errorf("%s shows %q as\n%s", argv[0], awkward[i], got)
			}
		}
	}
}

func TestBase64AtEveryOffset(t *testing.T) {
	const s = "sup3r-secret?~value"
	m := mask(t, s)
	for before := range 7 {
		for after := range 4 {
			for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
				got := m.Text(e.EncodeToString([]byte(strings.Repeat("u", before) + s + strings.Repeat("v", after))))
				left, right, ok := strings.Cut(got, logs.Masked)
				if !ok || len(left) > (before*8+5)/6 || len(right) > 1+(after*8+5)/6+2 {
					t.Errorf("%d before, %d after: %s", before, after, got)
				}
			}
		}
	}
}

func TestWhatCannotBeMaskedIsTold(t *testing.T) {
	large := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyzABCDEF\n", 1000)
	m, faults := logs.NewMask(secret.Named("PIN", "123"), secret.Named("BLANK", "     "), secret.Named("BIG", large), secret.New(""), secret.New("äöü"))
	want := `warning: the secret PIN is too short to be masked and would be shown in the log [SL4001] - a secret needs at least 4 characters, and more than white space
warning: the secret BLANK is too short to be masked and would be shown in the log [SL4001] - a secret needs at least 4 characters, and more than white space
warning: the secret BIG is larger than 32 KiB and masked only as it stands, not in encoded forms [SL4002]
warning: a secret is too short to be masked and would be shown in the log [SL4001] - a secret needs at least 4 characters, and more than white space`
	if got := faults.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if faults.HasErrors() || faults[0].Severity != fault.Warning {
		t.Error("a secret that cannot be masked must not stop the run")
	}
	if got := m.Text("123     äöü 0123456789abcdefghijklmnopqrstuvwxyzABCDEF"); got != "123     äöü [MASKED]" {
		t.Errorf("got %q", got)
	}
	if got := m.Text(large[500:900]); strings.Contains(got, "mnopqrstuvwxyzABCDEF\n0123") {
		t.Errorf("a part of a large secret shows:\n%s", got)
	}
}

// GitHub hides what it is told to hide, however short.
func TestStarsStandForShortSecretsToo(t *testing.T) {
	stars := new(logs.Mask).Showing(logs.Stars)
	m, faults := stars.With(secret.New("7"), secret.New("42"), secret.New("äöü"), secret.New(" "), secret.New("hunter2"))
	if len(faults) != 1 {
		t.Errorf("%v, want a warning of the blank one alone", faults)
	}
	if got := m.Text("7 17 42 4 äöü aHVudGVyMg== NDI= hunter2"); got != "*** 1*** *** 4 *** *** NDI= ***" {
		t.Errorf("got %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := stars
		var secrets []string
		for _, v := range rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom([]rune("abc")), 1, 3, -1), 1, 4).Draw(t, "secrets") {
			secrets = append(secrets, v)
			m, _ = m.With(secret.New(v))
		}
		text := rapid.StringOfN(rapid.SampledFrom([]rune("abcd")), 0, 40, -1).Draw(t, "text")
		parts := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 5).Draw(t, "parts")
		slices.Sort(secrets)
		want := strings.ReplaceAll(naive(text, slices.Compact(secrets)), logs.Masked, logs.Stars)
		if got := feed(t, m, text, parts); got != want {
			t.Fatalf("secrets %q, text %q\ngot  %q\nwant %q", secrets, text, got, want)
		}
	})
}

func TestAMaskDoesNotPrintItsSecrets(t *testing.T) {
	m := mask(t, "hunter2-canary")
	if got := fmt.Sprintf("%v %+v %#v %s %d", m, m, m, m, m); strings.Contains(got, "hunter2") {
		t.Error(got)
	}
}

func TestSecretsMayBeAddedWhileStreaming(t *testing.T) {
	stream := mask(t, "alpha-secret").Masker()
	out := stream.Append(nil, []byte("beta-token alpha-secr"))
	if string(out) != "beta-token " || stream.Held() != len("alpha-secr") {
		t.Fatalf("%q is out and %d bytes are held", out, stream.Held())
	}
	if faults := stream.Add(secret.New("beta-token"), secret.New("secretly")); len(faults) > 0 {
		t.Fatal(faults)
	}
	out = stream.Append(out, []byte("etly beta-tok"))
	out = stream.Append(out, []byte("en alpha-secret"))
	if got, want := string(stream.Close(out)), "beta-token [MASKED] [MASKED] [MASKED]"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAMaskGrowsWithoutChange(t *testing.T) {
	small := mask(t, "alpha-secret")
	large, _ := small.With(secret.New("beta-secret"))
	if got := small.Text("alpha-secret beta-secret"); got != "[MASKED] beta-secret" {
		t.Errorf("the small mask changed: %q", got)
	}
	if got := large.Text("alpha-secret beta-secret"); got != "[MASKED] [MASKED]" {
		t.Errorf("the large mask lacks one: %q", got)
	}
	if same, _ := large.With(secret.New("alpha-secret")); same != large {
		t.Error("a known secret made another mask")
	}
}

// naive is the definition: every byte of every occurrence of a pattern is masked; occurrences that share a byte
// make one mask.
func naive(text string, patterns []string) string {
	joined := make([]int, len(text)) // 0: shown; 1: masked; 2: masked, and so together with the byte before
	for _, p := range patterns {
		for from := 0; ; {
			i := strings.Index(text[from:], p)
			if i < 0 {
				break
			}
			joined[from+i] = max(joined[from+i], 1)
			for j := from + i + 1; j < from+i+len(p); j++ {
				joined[j] = 2
			}
			from += i + 1
		}
	}
	var b strings.Builder
	for i, j := range joined {
		switch j {
		case 0:
			b.WriteByte(text[i])
		case 1:
			b.WriteString(logs.Masked)
		}
	}
	return b.String()
}

// feed streams a text in parts of the given lengths, over and over, and checks what is held back.
func feed(t interface{ Fatalf(string, ...any) }, m *logs.Mask, text string, parts []int) string {
	stream := m.Masker()
	var out []byte
	for i := 0; len(text) > 0; i++ {
		n := min(parts[i%len(parts)], len(text))
		out = stream.Append(out, []byte(text[:n]))
		text = text[n:]
		if held := stream.Held(); held > max(m.Longest()-1, 0) {
			t.Fatalf("%d bytes are held back; the longest pattern has %d", held, m.Longest())
		}
	}
	return string(stream.Close(out))
}

func TestMaskingKeepsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letter := rapid.SampledFrom([]rune("ab\n ü&'/"))
		values := rapid.SliceOfN(rapid.StringOfN(letter, 4, 9, -1), 1, 8).Draw(t, "secrets")
		var secrets []secret.Secret
		for _, v := range values {
			secrets = append(secrets, secret.New(v))
		}
		// The first ones come together, the others one at a time: in layers of their own.
		together := rapid.IntRange(0, len(secrets)).Draw(t, "together")
		m, _ := logs.NewMask(secrets[:together]...)
		for _, s := range secrets[together:] {
			m, _ = m.With(s)
		}
		if len(m.Patterns()) == 0 {
			t.Skip("nothing but white space")
		}
		part := rapid.OneOf(rapid.SampledFrom(m.Patterns()), rapid.SampledFrom(values), rapid.StringOfN(letter, 0, 6, -1),
			rapid.Map(rapid.SampledFrom(m.Patterns()), func(p string) string { return p[:len(p)-1] }),
			rapid.Map(rapid.SampledFrom(m.Patterns()), func(p string) string { return p[1:] }))
		text := strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "text"), "")
		parts := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 5).Draw(t, "parts")
		if got, want := feed(t, m, text, parts), naive(text, m.Patterns()); got != want {
			t.Fatalf("text %q\ngot  %q\nwant %q", text, got, want)
		}
	})
}

// Ten thousand secrets that come one after the other, as a step's ::add-mask:: does, are compiled in few layers.
func TestManySecretsOneByOne(t *testing.T) {
	m := mask(t)
	for i := range 10_000 {
		m, _ = m.With(secret.New(fmt.Sprintf("secret-%05d", i)))
		if n := m.Layers(); n > 20 {
			t.Fatalf("%d layers after %d secrets", n, i+1)
		}
	}
	if got := m.Text("secret-00000 secret-09999 secret-1000"); got != "[MASKED] [MASKED] secret-1000" {
		t.Errorf("got %q", got)
	}
}

func FuzzMasker(f *testing.F) {
	f.Add("s3cr3t", "pass word", "it is s3cr3t and cGFzcyB3b3Jk", uint8(3))
	f.Add("-----BEGIN-----\nMIIabc\n", "äöüß", "MIIabc %C3%A4%C3%B6%C3%BC%C3%9F", uint8(1))
	f.Add("aaaa", "aaab", "aaaaaaaabaaab", uint8(2))
	for _, s := range awkward {
		f.Add(s, "", s+" "+url.QueryEscape(s)+hex.EncodeToString([]byte(s)), uint8(7))
	}
	f.Fuzz(func(t *testing.T, one, two, text string, part uint8) {
		if len(one)+len(two) > 4<<10 {
			return
		}
		m, _ := logs.NewMask(secret.New(one), secret.New(two))
		if got, want := feed(t, m, text, []int{int(part) + 1}), naive(text, m.Patterns()); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}
