package expr

import (
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// format fills {0}, {1} … with its arguments. Arguments that are not named are not evaluated.
func format(ev *evaluator, n *Call) (Value, error) {
	v, err := ev.eval(n.Args[0])
	if err != nil {
		return Null(), err
	}
	parts, bad := splitFormat(v.Text())
	if bad != "" {
		return Null(), fault.At(CodeFormat, Start(n.Args[0]), "the template of format is not valid: %s", bad).
			WithHint("{0} stands for the first value; a brace itself is written twice")
	}
	texts := make([]*string, len(n.Args))
	b := builder{ev: ev, node: n}
	for _, p := range parts {
		text := p.text
		if p.arg >= 0 {
			if p.arg+1 >= len(n.Args) {
				return Null(), fault.At(CodeFormat, Start(n.Args[0]), "the template of format uses {%d}, but there is no such value", p.arg).
					WithHint("format has %d values; {0} is the first", len(n.Args)-1)
			}
			known := texts[p.arg+1]
			if known == nil {
				v, err := ev.eval(n.Args[p.arg+1])
				if err != nil {
					return Null(), err
				}
				s := v.Text()
				known, texts[p.arg+1] = &s, &s
			}
			text = *known
		}
		if err := b.add(text); err != nil {
			return Null(), err
		}
	}
	return b.done()
}

// piece of a format's template: text, or an argument where arg is not negative.
type piece struct {
	text string
	arg  int
}

// splitFormat cuts a template at its arguments; bad says what is wrong with it.
func splitFormat(s string) (parts []piece, bad string) {
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, piece{text.String(), -1})
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c != '{' && c != '}':
			text.WriteByte(c)
		case i+1 < len(s) && s[i+1] == c:
			text.WriteByte(c)
			i++
		case c == '}':
			return nil, "a } closes nothing"
		default:
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return nil, "a { is not closed"
			}
			arg, wrong := argument(s[i+1 : i+end])
			if wrong != "" {
				return nil, wrong
			}
			flush()
			parts = append(parts, piece{arg: arg})
			i += end
		}
	}
	flush()
	return parts, ""
}

func argument(s string) (int, string) {
	number, spec, has := strings.Cut(s, ":")
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return 0, "{" + s + "} is not the number of a value"
	}
	if has && spec != "" {
		return 0, "{" + s + "} has a format of its own, which GitHub does not know"
	}
	n, err := strconv.ParseUint(number, 10, 8)
	if err != nil {
		return 0, "{" + s + "} is larger than 255"
	}
	return int(n), ""
}
