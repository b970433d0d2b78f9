package oracle

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"
)

// verdict is what can be said about a line without its topic's contract.
type verdict struct {
	blank bool
	must  []string // reasons, one of which the line must have been refused for
	may   []string // further reasons that would be right
}

var topicName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$`)

// judge looks at a line as 2-contracts.md has it, with encoding/json.
func judge(l line, maxLine int64) verdict {
	text := bytes.TrimPrefix(l.text, []byte("\xef\xbb\xbf"))
	text = bytes.TrimSuffix(text, []byte("\r"))
	if l.length <= maxLine && len(bytes.Trim(text, " \t\r\n")) == 0 {
		return verdict{blank: true}
	}
	v := verdict{may: []string{"contract", "forged"}}
	if l.length > maxLine {
		v.must = []string{"too_long"}
		return v
	}
	if !utf8.Valid(text) || loneSurrogate(text) {
		v.must = append(v.must, "bad_utf8")
	}
	if depth(text) > 128 {
		v.must = append(v.must, "too_deep")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		v.must = append(v.must, "not_json")
		return v
	}
	if duplicate(text) {
		v.must = append(v.must, "duplicate_key")
	}
	v.envelope(members)
	return v
}

func (v *verdict) envelope(members map[string]json.RawMessage) {
	var typ, topic, at any
	for name, to := range map[string]*any{"type": &typ, "topic": &topic, "time": &at} {
		if raw, ok := members[name]; ok {
			_ = json.Unmarshal(raw, to) // it is a part of valid JSON
			if *to == nil {
				*to = false // null is there, and no string
			}
		}
	}
	if typ == nil {
		typ = topic
	}
	name, ok := typ.(string)
	if !ok || len(name) > 128 || !topicName.MatchString(name) || topic != nil && topic != typ {
		v.must = append(v.must, "bad_topic")
	}
	if at == nil {
		return
	}
	s, ok := at.(string)
	if _, err := time.Parse(time.RFC3339Nano, s); !ok || err != nil {
		v.may = append(v.may, "bad_time")
	}
}

// allows says whether the line may have been refused for this reason.
func (v verdict) allows(reason string) bool {
	for _, list := range [][]string{v.must, v.may} {
		for _, r := range list {
			if r == reason {
				return true
			}
		}
	}
	return false
}

// depth counts open brackets outside strings.
func depth(b []byte) int {
	n, most := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			n++
			most = max(most, n)
		case '}', ']':
			n--
		}
	}
	return most
}

// duplicate says whether the object has a key twice, as decoded.
func duplicate(b []byte) bool {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return false
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return false
		}
		k, _ := key.(string)
		if seen[k] {
			return true
		}
		seen[k] = true
		var skip json.RawMessage
		if d.Decode(&skip) != nil {
			return false
		}
	}
	return false
}

// loneSurrogate looks for a \uD8xx without its other half.
func loneSurrogate(b []byte) bool {
	unit := func(i int) (uint64, bool) {
		if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(b[i+2:i+6]), 16, 16)
		return n, err == nil
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		n, ok := unit(i)
		switch {
		case !ok:
			i++
		case n >= 0xdc00 && n <= 0xdfff:
			return true
		case n >= 0xd800 && n <= 0xdbff:
			if low, ok := unit(i + 6); !ok || low < 0xdc00 || low > 0xdfff {
				return true
			}
			i += 11
		}
	}
	return false
}
