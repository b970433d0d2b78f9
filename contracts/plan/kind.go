package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stigmergy/contracts"
	"stigmergy/contracts/schema"
)

// Kind is a kind of job: what a stage's spec may hold, and the command that its
// shards run. Agents register kinds with blueprint.events, whose data it is.
//
//	{"kind":"deploy.pack","command":["gzip","-{spec.level}","-c","{input}"],
//	 "spec_schema":{"type":"object","properties":{"level":{"type":"integer"}}},"timeout":"30s"}
type Kind struct {
	Kind       string            `json:"kind"`
	Command    []string          `json:"command,omitempty"`     // none: only executors that know the kind run it
	SpecSchema RawJSON           `json:"spec_schema,omitempty"` // none: any spec
	TimeoutMS  int64             `json:"timeout_ms,omitempty"`  // of stages that say none; 0: DefaultTimeout
	Idempotent *bool             `json:"idempotent,omitempty"`  // nil: it is
	Stdin      bool              `json:"stdin,omitempty"`
	Env        map[string]string `json:"env,omitempty"`
}

// Exec is the kind that is built in: its spec is the command.
const Exec = "exec"

// execSchema is what the spec of a stage of kind exec may hold.
const execSchema = `{"type":"object","required":["argv"],"additionalProperties":false,"properties":{` +
	`"argv":{"type":"array","minItems":1,"items":{"type":"string"},"description":"the command: never a shell"},` +
	`"stdin":{"type":"boolean","description":"the inputs are standard input"},` +
	`"env":{"type":"object","additionalProperties":{"type":"string"},"description":"the environment; all else is scrubbed"}}}`

// Builtin are the kinds that every board knows.
func Builtin() []Kind {
	return []Kind{{Kind: Exec, Command: []string{"{spec.argv}"}, SpecSchema: RawJSON(execSchema)}}
}

// maxKind is the length of a kind's name at the most.
const maxKind = 128

// ParseKind reads the data of a blueprint.events line, which has passed its
// contract, and tells everything that is wrong with it. Pointers are into data.
func ParseKind(data []byte) (Kind, []contracts.FieldError) {
	k := Kind{Kind: contracts.GetString(data, "kind")}
	var faults []contracts.FieldError
	add := func(pointer, keyword, expected, got, hint string) {
		faults = append(faults, contracts.FieldError{Pointer: pointer, Keyword: keyword, Expected: expected, Got: got, Hint: hint})
	}
	if !kindName(k.Kind) {
		add("/kind", "pattern", fmt.Sprintf("a name of a-z 0-9 . _ - that begins with a letter, at most %d of them", maxKind), quoted(k.Kind), "such as deploy.pack")
	}
	if k.Kind == Exec {
		add("/kind", "const", "another name than that of a built-in kind", quoted(k.Kind), "give the kind a name of its own")
	}
	contracts.Elements(contracts.Lookup(data, "command").Raw, func(v contracts.Value) bool {
		k.Command = append(k.Command, v.Text())
		return true
	})
	if len(k.Command) > 0 && (k.Command[0] == "" || slices.ContainsFunc(k.Command, hasNUL)) {
		add("/command", "command", "arguments without NUL, the first of them a command", quoted(strings.Join(k.Command, " ")), "")
	}
	if v := contracts.Lookup(data, "spec_schema"); v.Exists() {
		k.SpecSchema = RawJSON(contracts.AppendCompact(nil, v.Raw))
		if _, err := schema.Compile(k.SpecSchema); err != nil {
			add("/spec_schema", "schema", "a JSON Schema", clip(err.Error()), "")
		}
	}
	if v := contracts.Lookup(data, "timeout"); v.Exists() {
		d, ok := kindTimeout(v)
		k.TimeoutMS = d.Milliseconds()
		if !ok {
			add("/timeout", "duration", "a duration from 1ms to "+MaxTimeout.String()+": 15s, or milliseconds", clip(string(v.Raw)), "")
		}
	}
	if b, ok := contracts.Lookup(data, "idempotent").Bool(); ok {
		k.Idempotent = &b
	}
	k.Stdin = contracts.GetBool(data, "stdin")
	contracts.Members(contracts.Lookup(data, "env").Raw, func(name []byte, v contracts.Value) bool {
		if k.Env == nil {
			k.Env = map[string]string{}
		}
		k.Env[string(name)] = v.Text()
		if v.Kind != contracts.String || !envName(string(name)) || hasNUL(v.Text()) {
			add(pointer("/env", string(name)), "env", "NAME: \"text\"", clip(string(v.Raw)), "")
		}
		return true
	})
	return k, faults
}

func kindTimeout(v contracts.Value) (time.Duration, bool) {
	var d time.Duration
	switch v.Kind {
	case contracts.String:
		got, err := parseDuration(v.Text())
		if err != nil {
			return 0, false
		}
		d = got
	default:
		ms, err := strconv.ParseFloat(string(v.Raw), 64)
		if err != nil || !(ms >= 1 && ms <= float64(MaxTimeout.Milliseconds())) {
			return 0, false
		}
		d = time.Duration(ms) * time.Millisecond
	}
	return d, d >= time.Millisecond && d <= MaxTimeout
}

// kindName tells whether a kind may be called so.
func kindName(s string) bool {
	if s == "" || len(s) > maxKind || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
	})
}

// envName tells whether a variable may be called so.
func envName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
	})
}

func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }
