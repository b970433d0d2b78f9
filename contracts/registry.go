package contracts

import (
	"embed"
	"sort"

	"stigmergy/contracts/schema"
)

//go:embed schemas/*.schema.json
var files embed.FS

// Topic is what the registry knows of one topic: its contract and its row in the
// event matrix. It is immutable.
type Topic struct {
	Name      string   // hxo.shard.done
	Title     string   // its purpose, in a few words
	Owner     string   // the lane that alone may carry it; "" if any may
	Lane      string   // the lane where it usually stands; "" if any
	Direction string   // publish, subscribe or internal, as seen from HXO
	Producer  string   // who writes it
	Consumers []string // who reads it
	Frequency string   // "per shard"
	Ordering  string   // what comes before and after it
	Version   string   // 1.9.6n for HXO's
	Index     []string // the data fields that archives index
	Request   bool     // asks the daemon for something: answered, or rejected
	Builtin   bool     // false: only the board's own contract knows it
	Schema    []byte   // the contract's text

	check []*schema.Schema // the built-in's, then the board's
}

// Registry holds the contracts in force. It is immutable and safe for use by many
// goroutines.
type Registry struct {
	byName map[string]*Topic
	sorted []*Topic
}

// ContractFault tells why one of a board's own contracts was left out.
type ContractFault struct {
	Topic  string // the file's name without .schema.json
	Error  string // what is wrong with it
	Line   int    // where, from 1; 0 if it is no matter of place
	Column int    // from 1; 0 if unknown
}

// Builtin is the registry of the contracts that come with the program.
func Builtin() *Registry { return &Registry{byName: map[string]*Topic{}} }

// With is the registry with a board's own contracts beside the built-in ones, by
// topic. A faulty one is left out and reported.
func (r *Registry) With(files map[string][]byte) (*Registry, []ContractFault) { return r, nil }

// Topic is the contract of that topic, or nil.
func (r *Registry) Topic(name []byte) *Topic { return r.byName[string(name)] }

// Topics are all of them, by name. The slice must not be changed.
func (r *Registry) Topics() []*Topic { return r.sorted }

// Text is the board's own contracts' text, by topic.
func (r *Registry) Text() map[string][]byte { return nil }

func (r *Registry) add(t *Topic) {
	r.byName[t.Name] = t
	r.sorted = append(r.sorted, t)
	sort.Slice(r.sorted, func(i, j int) bool { return r.sorted[i].Name < r.sorted[j].Name })
}
