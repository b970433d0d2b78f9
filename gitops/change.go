package gitops

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Change is what a commit does to one path.
type Change struct {
	Path    string
	Status  string // A added, M modified, D deleted, T another type
	Mode    string // 100644, 100755, 120000, 160000; "" when deleted
	Blob    string // "" when deleted
	OldMode string // "" when added
	OldBlob string
	Added   int // lines; -1 in a binary file
	Removed int
}

type fileChange struct {
	Path    string  `json:"path"`
	Base64  string  `json:"path_base64,omitempty"`
	Status  string  `json:"status"`
	Mode    *string `json:"mode"`
	Blob    *string `json:"blob"`
	OldMode *string `json:"old_mode"`
	OldBlob *string `json:"old_blob"`
	Added   *int    `json:"insertions,omitempty"`
	Removed *int    `json:"deletions,omitempty"`
}

// MarshalJSON writes the change as it stands on a receipt: null for what there
// is not, a path that is no UTF-8 also in base64. By hand, for a receipt holds
// many.
func (c Change) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 256+len(c.Path)), `{"path":`...)
	b = appendText(b, strings.ToValidUTF8(c.Path, "�"))
	if !utf8.ValidString(c.Path) {
		b = append(append(append(b, `,"path_base64":"`...), base64.StdEncoding.EncodeToString([]byte(c.Path))...), '"')
	}
	b = appendText(append(b, `,"status":`...), c.Status)
	for _, m := range [...]struct{ name, value string }{{"mode", c.Mode}, {"blob", c.Blob}, {"old_mode", c.OldMode}, {"old_blob", c.OldBlob}} {
		b = append(append(append(b, `,"`...), m.name...), `":`...)
		if m.value == "" {
			b = append(b, "null"...)
		} else {
			b = appendText(b, m.value)
		}
	}
	if c.Added >= 0 {
		b = strconv.AppendInt(append(b, `,"insertions":`...), int64(c.Added), 10)
		b = strconv.AppendInt(append(b, `,"deletions":`...), int64(c.Removed), 10)
	}
	return append(b, '}'), nil
}

// appendText is s as a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || strings.IndexByte(`"\<>&`, c) >= 0 {
			quoted, _ := json.Marshal(s) // of valid UTF-8 it never fails
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// UnmarshalJSON reads it back; a mere string is a path, as the origin wrote.
func (c *Change) UnmarshalJSON(b []byte) error {
	var name string
	if json.Unmarshal(b, &name) == nil {
		*c = Change{Path: name, Added: -1}
		return nil
	}
	var f fileChange
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*c = Change{Path: f.Path, Status: f.Status, Mode: value(f.Mode), Blob: value(f.Blob), OldMode: value(f.OldMode), OldBlob: value(f.OldBlob), Added: -1}
	if f.Base64 != "" {
		raw, err := base64.StdEncoding.DecodeString(f.Base64)
		if err != nil {
			return fmt.Errorf("reading path_base64: %w", err)
		}
		c.Path = string(raw)
	}
	if f.Added != nil && f.Removed != nil {
		c.Added, c.Removed = *f.Added, *f.Removed
	}
	return nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// parseRaw reads `--raw -z` of git's diff family, with `--numstat` behind it
// or not. Modes of zeros and null objects become "".
func parseRaw(out []byte) ([]Change, error) {
	text := strings.TrimSuffix(string(out), "\x00")
	list := make([]Change, 0, strings.Count(text, "\x00:")+1)
	var at map[string]int // of the lines that --numstat counts
	for len(text) > 0 {
		var head string
		if head, text, _ = strings.Cut(text, "\x00"); !strings.HasPrefix(head, ":") {
			if at == nil {
				at = places(list)
			}
			if err := numstat(head, list, at); err != nil {
				return nil, err
			}
			continue
		}
		c, ok := rawChange(head[1:])
		if c.Path, text, _ = strings.Cut(text, "\x00"); !ok || c.Path == "" {
			return nil, fmt.Errorf("reading git's answer: expected a change, found %q", head)
		}
		list = append(list, c)
	}
	return list, nil
}

func places(list []Change) map[string]int {
	at := make(map[string]int, len(list))
	for i, c := range list {
		at[c.Path] = i
	}
	return at
}

// rawChange reads OLD_MODE NEW_MODE OLD_BLOB NEW_BLOB STATUS.
func rawChange(s string) (c Change, ok bool) {
	c.OldMode, s, _ = strings.Cut(s, " ")
	c.Mode, s, _ = strings.Cut(s, " ")
	c.OldBlob, s, _ = strings.Cut(s, " ")
	c.Blob, s, ok = strings.Cut(s, " ")
	if !ok || s == "" {
		return c, false
	}
	c.Status = s[:1]
	if c.OldMode == "000000" {
		c.OldMode, c.OldBlob = "", ""
	}
	if c.Mode == "000000" {
		c.Mode, c.Blob = "", ""
	}
	return c, true
}

// numstat reads ADDED\tREMOVED\tPATH; a binary file has - for both.
func numstat(line string, list []Change, at map[string]int) error {
	cols := strings.SplitN(line, "\t", 3)
	if len(cols) != 3 {
		return fmt.Errorf("reading git's answer: expected a change, found %q", line)
	}
	k, ok := at[cols[2]]
	if !ok {
		return nil
	}
	list[k].Added, list[k].Removed = -1, 0
	if cols[0] == "-" {
		return nil
	}
	added, err := strconv.Atoi(cols[0])
	removed, err2 := strconv.Atoi(cols[1])
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("reading git's answer %q: %w", line, err)
	}
	list[k].Added, list[k].Removed = added, removed
	return nil
}

// paths are the changes' own.
func paths(list []Change) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.Path
	}
	return out
}

func byPath(list []Change) map[string]Change {
	m := make(map[string]Change, len(list))
	for _, c := range list {
		m[c.Path] = c
	}
	return m
}

func sortChanges(list []Change) {
	sort.Slice(list, func(i, k int) bool { return list[i].Path < list[k].Path })
}

// indexInfo is the changes for `git update-index -z --index-info`. What goes
// comes first, so that a folder can take a file's place.
func indexInfo(r *repo, list []Change) []byte {
	var b strings.Builder
	for _, c := range list {
		if c.Mode == "" {
			fmt.Fprintf(&b, "0 %s\t%s\x00", r.zero, c.Path)
		}
	}
	for _, c := range list {
		if c.Mode != "" {
			fmt.Fprintf(&b, "%s %s\t%s\x00", c.Mode, c.Blob, c.Path)
		}
	}
	return []byte(b.String())
}
