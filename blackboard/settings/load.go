package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fault is one wrong key or value: where it stands, what was expected there
// and what was found.
type Fault struct {
	Key          string `json:"key,omitempty"`
	Source       string `json:"source"` // stigmergy.yaml, an environment variable's name, or flag
	Line, Column int    `json:"-"`
	Expected     string `json:"expected"`
	Found        string `json:"found"`
	Try          string `json:"try,omitempty"`
}

// Where is the fault's place: file:line:column, or the variable or flag.
func (f Fault) Where() string {
	if f.Line == 0 {
		return f.Source
	}
	return fmt.Sprintf("%s:%d:%d", f.Source, f.Line, f.Column)
}

// Error says everything in one line.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Where() + ": ")
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	fmt.Fprintf(&b, "expected %s, found %s", f.Expected, f.Found)
	if f.Try != "" {
		b.WriteString("; " + f.Try)
	}
	return b.String()
}

// value is one setting as somebody wrote it.
type value struct {
	key, source  string
	origin       string
	line, column int
	text         string
	null         bool             // nothing stands behind the key
	raw          any              // a list or a map, where text says what it is
	places       map[string]place // of what raw holds, by its key; nil where nobody wrote it
}

// place is where something stands in the file.
type place struct{ line, column int }

// move lets the value stand where a part of it does, if that is known.
func (v *value) move(key string) {
	if p, ok := v.places[key]; ok {
		v.line, v.column = p.line, p.column
	}
}

func (v value) fault(expected, found, try string) Fault {
	return Fault{Key: v.key, Source: v.source, Line: v.line, Column: v.column, Expected: expected, Found: found, Try: try}
}

// Load makes the settings from the text of stigmergy.yaml (nil: none), the
// environment as os.Environ gives it, and flags by setting name. What is wrong
// is left at the next lower place's value and reported; with a fault the
// caller decides whether that will do.
func Load(yaml []byte, environ []string, flags map[string]string) (*Settings, []Fault) {
	s := &Settings{Raw: map[string][]byte{}, origins: map[string]string{}}
	var faults []Fault
	for _, r := range table() {
		if err := r.set(s, r.def); err != nil {
			faults = append(faults, Fault{Key: r.name, Source: "default", Expected: r.expect, Found: quoted(r.def)})
		}
	}
	values, bad := parseYAML(yaml)
	faults = append(faults, bad...)
	faults = append(faults, s.apply(values)...)
	faults = append(faults, s.apply(fromEnviron(environ))...)
	faults = append(faults, s.apply(fromFlags(flags))...)
	s.SegmentMinBytes = min(s.SegmentMinBytes, s.SegmentMaxBytes)
	return s, faults
}

// Reload is Load for a running daemon: where something is wrong, old's value
// stays; where the file cannot be read as YAML at all, old stays whole.
func Reload(old *Settings, yaml []byte, environ []string, flags map[string]string) (*Settings, []Fault) {
	s, faults := Load(yaml, environ, flags)
	rows := table()
	for _, f := range faults {
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == f.Key })
		switch name, _, _ := strings.Cut(f.Key, "."); {
		case f.Key == "":
			return old, faults
		case i >= 0 && rows[i].set(s, rows[i].get(old)) == nil:
			s.origins[f.Key] = old.origins[f.Key]
		case slices.Contains(sections(), name):
			s.keepSection(old, name)
		}
	}
	return s, faults
}

// maxFaults is how many are told; a file with more is no settings file.
const maxFaults = 100

func (s *Settings) apply(values []value) []Fault {
	var faults []Fault
	rows := table()
	seen := map[string]bool{}
	for _, v := range values {
		if len(faults) >= maxFaults {
			return faults
		}
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == v.key })
		switch {
		case i < 0 && slices.Contains(sections(), v.key) && !seen[v.key]:
			faults = append(faults, s.setSection(v)...)
		case i < 0 && (v.null && isPrefix(v.key)):
			continue
		case i < 0 && !seen[v.key]:
			faults = append(faults, unknown(v, rows))
		case seen[v.key]:
			faults = append(faults, v.fault("each setting once", "it a second time", ""))
		case v.raw != nil || v.null:
			faults = append(faults, v.fault(rows[i].expect, v.text, ""))
		case rows[i].set(s, v.text) != nil:
			faults = append(faults, v.fault(rows[i].expect, quoted(v.text), ""))
		default:
			s.origins[v.key] = v.origin
		}
		seen[v.key] = true
	}
	return faults
}

func isPrefix(key string) bool {
	return slices.ContainsFunc(table(), func(r row) bool { return strings.HasPrefix(r.name, key+".") })
}

func unknown(v value, rows []row) Fault {
	names := sections()
	for _, r := range rows {
		names = append(names, r.name)
	}
	try := ""
	if best := Closest(v.key, names); best != "" {
		try = "did you mean " + best + "?"
	}
	return v.fault("the name of a setting", quoted(v.key), try)
}

// EnvName is the environment variable that sets a setting.
func EnvName(setting string) string {
	return "STIGMERGY_" + strings.ToUpper(strings.ReplaceAll(setting, ".", "_"))
}

// fromEnviron picks the settings out of the environment; the seed's own names
// count less than ours.
func fromEnviron(environ []string) []value {
	byName := map[string]string{}
	for _, e := range environ {
		if name, text, ok := strings.Cut(e, "="); ok {
			byName[name] = text
		}
	}
	var out []value
	seeds := seedNames()
	for _, r := range table() {
		for _, name := range []string{EnvName(r.name), seeds[r.name]} {
			if text, ok := byName[name]; ok && text != "" {
				out = append(out, value{key: r.name, source: name, origin: name, text: text})
				break
			}
		}
	}
	return out
}

func fromFlags(flags map[string]string) []value {
	var out []value
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		out = append(out, value{key: key, source: "flag", origin: "flag", text: flags[key]})
	}
	return out
}

// Strange lists variables of the environment that look like a setting's but
// set nothing, each with the name that was probably meant.
func Strange(environ []string) map[string]string {
	names := []string{}
	for _, r := range table() {
		names = append(names, EnvName(r.name))
	}
	out := map[string]string{}
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		known := name == "STIGMERGY_BOARD" || name == "STIGMERGY_LANE" || slices.Contains(names, name)
		if known || !strings.HasPrefix(name, "STIGMERGY_") {
			continue
		}
		if best := Closest(name, names); best != "" {
			out[name] = best
		}
	}
	return out
}

func quoted(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
