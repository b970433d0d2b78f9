package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stigmergy/contracts"
)

// setSection takes one whole document in: the roles' table is read here, the
// others are kept for the packages that know them.
func (s *Settings) setSection(v value) []Fault {
	if v.null {
		return nil
	}
	if v.raw == nil {
		return []Fault{v.fault("a list or a map", v.text, "")}
	}
	if v.key == "roles" {
		roles, faults := readRoles(v)
		if len(faults) > 0 {
			return faults
		}
		s.Roles = roles
	} else {
		raw, err := json.Marshal(v.raw)
		if err != nil {
			return []Fault{v.fault("plain values", err.Error(), "")}
		}
		if v.key == "followup" && v.places != nil { // what was recorded once stays as it was
			if faults := ruleFaults(v, raw); len(faults) > 0 {
				return faults
			}
		}
		s.Raw[v.key] = raw
	}
	s.origins[v.key] = v.origin
	return nil
}

// ruleFaults are those of the rules for follow-ups, each where it stands.
func ruleFaults(v value, raw []byte) (out []Fault) {
	_, faults := contracts.ParseRules(raw)
	for _, f := range append(faults, contracts.UnknownInRules(raw)...) {
		at := v
		if f.Index >= 0 {
			at.key = fmt.Sprintf("%s.%d", v.key, f.Index)
		}
		at.move(at.key)
		if f.Field != "" {
			at.key += "." + f.Field
			at.move(at.key)
		}
		text, said := strings.CutPrefix(f.Err.Error(), "expected ")
		expected, found, _ := strings.Cut(text, ", found ")
		if !said {
			expected, found = "a rule, as {on: gitops.batch, where: {outcome: committed}, do: audit}", text
		}
		if found == "" {
			found = "something else"
		}
		out = append(out, at.fault(expected, found, ""))
	}
	return out
}

// section is a section as JSON with sorted keys, nil where there is none.
func (s *Settings) section(name string) []byte {
	if name != "roles" {
		return s.Raw[name]
	}
	if s.Roles == nil {
		return nil
	}
	out := map[string]any{}
	for name, r := range s.Roles {
		out[name] = map[string][]string{"lanes": list(r.Lanes), "users": list(r.Users), "may": list(r.May)}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil
	}
	return raw
}

func list(s []string) []string { return append([]string{}, s...) }

func (s *Settings) keepSection(old *Settings, name string) {
	delete(s.Raw, name)
	if name == "roles" {
		s.Roles = old.Roles
	} else if raw := old.Raw[name]; raw != nil {
		s.Raw[name] = raw
	}
	s.origins[name] = old.origins[name]
}

// readRoles reads {ROLE: {lanes: […], users: […], may: […]}}.
func readRoles(v value) (contracts.Roles, []Fault) {
	const shape = "NAME: {lanes: [LANE…], users: [USER…], may: [TOPIC…]}"
	var faults []Fault
	table, ok := v.raw.(map[string]any)
	if !ok {
		return nil, []Fault{v.fault("roles, as "+shape, v.text, "")}
	}
	roles := contracts.Roles{}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		at := v
		at.key = "roles." + name
		at.move(at.key)
		fields, ok := table[name].(map[string]any)
		if !ok {
			faults = append(faults, at.fault(shape, "something else", ""))
			continue
		}
		role, bad := readRole(at, fields)
		roles[name], faults = role, append(faults, bad...)
	}
	return roles, faults
}

func readRole(at value, fields map[string]any) (role contracts.Role, faults []Fault) {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		items, ok := texts(fields[key])
		switch {
		case !ok:
			faults = append(faults, at.fault("a list of names under "+key, "something else", ""))
		case key == "lanes":
			role.Lanes = items
		case key == "users":
			role.Users = items
		case key == "may":
			role.May = items
		default:
			faults = append(faults, at.fault("lanes, users or may", quoted(key), ""))
		}
	}
	if _, err := contracts.ParsePatterns(role.May); err != nil {
		faults = append(faults, at.fault("topic patterns under may", err.Error(), ""))
	}
	return role, faults
}

// texts is a list of scalars as text: a user may be written as a number.
func texts(v any) ([]string, bool) {
	items, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(items))
	for _, it := range items {
		switch it := it.(type) {
		case string:
			out = append(out, it)
		case int64, uint64, int:
			out = append(out, fmt.Sprint(it))
		default:
			return nil, false
		}
	}
	return out, true
}

// compact is raw with sorted keys and no space, or nil when it is no JSON.
func compact(raw []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return out
}
