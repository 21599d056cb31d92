package toolkit

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// fields is a message in the JSON of protocol buffers (protobuf.dev, "ProtoJSON Format"): names in snake case or in
// camel case, wrapped values bare, numbers of 64 bits as text or not.
type fields map[string]json.RawMessage

func read(message []byte) (fields, error) {
	var f fields
	if err := json.Unmarshal(message, &f); err != nil {
		return nil, refuse(400, "malformed", "the message is no JSON object: %v", err)
	}
	out := make(fields, len(f))
	for name, v := range f {
		if string(v) != "null" {
			out[plain(name)] = v
		}
	}
	return out, nil
}

// plain makes both spellings of a name one.
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// text is a string, "" where it is left out. A wrapped one may also come as an object with a value.
func (f fields) text(name string) (string, error) {
	raw, ok := f[plain(name)]
	if !ok {
		return "", nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var wrapped struct{ Value *string }
	if json.Unmarshal(raw, &wrapped) == nil && wrapped.Value != nil {
		return *wrapped.Value, nil
	}
	return "", invalid("%s is no text", name)
}

// number is 0 where it is left out.
func (f fields) number(name string) (int64, error) {
	raw, ok := f[plain(name)]
	if !ok {
		return 0, nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, invalid("%s is no whole number", name)
	}
	return n, nil
}

func (f fields) texts(name string) ([]string, error) {
	raw, ok := f[plain(name)]
	if !ok {
		return nil, nil
	}
	var out []string
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, invalid("%s is no list of texts", name)
	}
	return out, nil
}

// moment is nil where it is left out.
func (f fields) moment(name string) (*time.Time, error) {
	text, err := f.text(name)
	if err != nil || text == "" {
		return nil, err
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, invalid("%s is no time: %q", name, text)
	}
	return &t, nil
}
