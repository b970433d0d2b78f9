package settings

import (
	"encoding/json"
	"fmt"
	"slices"
)

// folded are the sections that the fold's answers depend on.
func folded() []string { return []string{"followup", "roles"} }

// Canonical is what the fold depends on, as JSON with sorted keys and no
// space: equal settings give equal bytes, so that a journal can name them by
// their hash.
func (s *Settings) Canonical() []byte {
	out := map[string]json.RawMessage{}
	for _, r := range table() {
		if r.fold {
			text, _ := json.Marshal(r.get(s)) // a string: cannot fail
			out[r.name] = text
		}
	}
	for _, name := range folded() {
		if raw := s.section(name); raw != nil {
			out[name] = compact(raw)
		}
	}
	text, _ := json.Marshal(out) // strings and JSON of our own making
	return text
}

// FromCanonical reads Canonical's text back. What the fold does not depend on
// is at its default; a setting that the text lacks (an older version wrote it)
// too. A name or value that this version does not know is an error: the fold
// would answer otherwise than it did.
func FromCanonical(text []byte) (*Settings, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, fmt.Errorf("reading recorded settings: %w", err)
	}
	s := Default()
	rows := table()
	for key, raw := range in {
		v := value{key: key, source: "recorded settings", origin: "journal", text: "a document"}
		var err error
		if slices.Contains(folded(), key) {
			err = json.Unmarshal(raw, &v.raw)
		} else if i := slices.IndexFunc(rows, func(r row) bool { return r.name == key && r.fold }); i < 0 {
			return nil, fmt.Errorf("reading recorded settings: this version knows no setting %q", key)
		} else {
			err = json.Unmarshal(raw, &v.text)
		}
		if err != nil {
			return nil, fmt.Errorf("reading recorded settings: %s: %w", key, err)
		}
		if faults := s.apply([]value{v}); len(faults) > 0 {
			return nil, fmt.Errorf("reading recorded settings: %w", faults[0])
		}
	}
	return s, nil
}
