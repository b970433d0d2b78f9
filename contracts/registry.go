package contracts

import (
	"embed"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"stigmergy/contracts/schema"
)

//go:embed schemas/*.schema.json
var schemas embed.FS

const schemaExt = ".schema.json"

// Registry holds the contracts in force: the built-in ones and a board's own. It
// is immutable and safe for use by many goroutines.
type Registry struct {
	builtin *Registry // without any board's contracts
	byName  map[string]*Topic
	sorted  []*Topic
}

// ContractFault tells why one of a board's own contracts was left out.
type ContractFault struct {
	Topic  string // the file's name without .schema.json
	Error  string // what is wrong with it
	Line   int    // where, from 1; 0 if it is no matter of place
	Column int    // from 1, in bytes; 0 if unknown
}

// Builtin is the registry of the contracts that come with the program.
func Builtin() *Registry { return loadBuiltin() }

// loadBuiltin reads the embedded schemas, once. A test reads them all, so that no
// build that has passed its tests can fail here.
var loadBuiltin = sync.OnceValue(readBuiltin)

func readBuiltin() *Registry {
	r := &Registry{byName: map[string]*Topic{}}
	r.builtin = r
	names, err := fs.Glob(schemas, "schemas/*"+schemaExt)
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, file := range names {
		text, err := schemas.ReadFile(file)
		if err != nil {
			panic(err) // it was just listed
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, "schemas/"), schemaExt)
		t, fault := newTopic(name, text, schema.CompileTrusted)
		if fault != nil {
			panic("built-in contract " + name + ": " + fault.Error)
		}
		t.Builtin = true
		r.byName[name] = t
	}
	r.sort()
	return r
}

func (r *Registry) sort() {
	for _, t := range r.byName {
		r.sorted = append(r.sorted, t)
	}
	slices.SortFunc(r.sorted, func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) })
}

// With is the built-in contracts with a board's own beside them, by topic. One for
// a built-in topic is asked as well as the built-in one, so that it can only ask
// for more. A faulty one is left out and reported; the faults are in topic order.
func (r *Registry) With(files map[string][]byte) (*Registry, []ContractFault) {
	out := &Registry{builtin: r.builtin, byName: map[string]*Topic{}}
	for name, t := range r.builtin.byName {
		out.byName[name] = t
	}
	var faults []ContractFault
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t, fault := boardTopic(r.builtin.byName[name], name, files[name])
		if fault != nil {
			faults = append(faults, *fault)
			continue
		}
		out.byName[name] = t
	}
	out.sort()
	return out, faults
}

// boardTopic reads a board's contract, and joins it with the built-in one.
func boardTopic(builtin *Topic, name string, text []byte) (*Topic, *ContractFault) {
	if !ValidTopic([]byte(name)) {
		return nil, &ContractFault{Topic: name, Error: "the file's name is no topic: it is TOPIC" + schemaExt + ", as build.done" + schemaExt}
	}
	text = slices.Clone(text)
	t, fault := newTopic(name, text, schema.Compile)
	if fault == nil && builtin != nil {
		t, fault = builtin.narrowed(t)
	}
	if fault != nil {
		return nil, fault
	}
	t.Board = text
	return t, nil
}

// Topic is the contract of that topic, or nil.
func (r *Registry) Topic(name []byte) *Topic { return r.byName[string(name)] }

// Topics are all of them, by name. The slice must not be changed.
func (r *Registry) Topics() []*Topic { return r.sorted }

// Text is the board's own contracts, by topic: Builtin().With of it is the same
// registry again.
func (r *Registry) Text() map[string][]byte {
	out := map[string][]byte{}
	for _, t := range r.sorted {
		if t.Board != nil {
			out[t.Name] = slices.Clone(t.Board)
		}
	}
	return out
}

// textFault turns a schema's error into a fault.
func textFault(topic string, err error) *ContractFault {
	f := &ContractFault{Topic: topic, Error: err.Error()}
	var at *schema.TextError
	if errors.As(err, &at) {
		f.Error, f.Line, f.Column = at.Msg, at.Line, at.Column
		if at.Pointer != "" {
			f.Error += " (at " + at.Pointer + ")"
		}
	}
	return f
}
