package handlers

import (
	"strings"

	"github.com/tidwall/btree"
)

// store is the ordered key-value store that handlers and kernel keep their
// state in. Changes since begin can be rolled back; changes since the last
// dump are known by key.
//
// A record costs 24 bytes in a node of the tree and one allocation of its key
// and value together.
type store struct {
	tree *btree.BTreeG[record]
	// dirty are the keys put or deleted since the last dump; true: that dump
	// has them. What came and went in between is not worth telling.
	dirty   btree.Map[string, bool]
	undo    []change
	changes uint64 // counts them, so that a range notices one under its feet
	buf     []byte
}

type record struct {
	kv string // key and value, one after the other
	n  int    // length of the key
}

type change struct {
	rec record // as it was; of a new key only the key
	had bool
}

func (r record) key() string   { return r.kv[:r.n] }
func (r record) value() string { return r.kv[r.n:] }

func keyOnly(key string) record { return record{key, len(key)} }

func newStore() *store {
	less := func(a, b record) bool { return a.key() < b.key() }
	return &store{tree: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}
}

func (s *store) get(key string) (string, bool) {
	r, ok := s.tree.Get(keyOnly(key))
	return r.value(), ok
}

func (s *store) put(key, value string) {
	if old, ok := s.get(key); ok && old == value {
		return
	}
	old, had := s.tree.Set(record{key + value, len(key)})
	if !had {
		old = keyOnly(key)
	}
	s.changed(old, had)
	s.taint(key, had)
}

func (s *store) delete(key string) {
	old, had := s.tree.Delete(keyOnly(key))
	if !had {
		return
	}
	s.changed(old, true)
	if dumped, dirty := s.dirty.Get(key); dirty && !dumped {
		s.dirty.Delete(key)
		return
	}
	s.taint(key, true)
}

// taint notes that a key is not as it was dumped. The key is copied: one that
// is part of a record would keep that record's value too.
func (s *store) taint(key string, dumped bool) {
	if _, dirty := s.dirty.Get(key); !dirty {
		s.dirty.Set(strings.Clone(key), dumped)
	}
}

func (s *store) changed(old record, had bool) {
	s.changes++
	s.undo = append(s.undo, change{old, had})
}

// begin forgets how to undo what was done before.
func (s *store) begin() {
	if cap(s.undo) > 4096 {
		s.undo = nil
	}
	s.undo = s.undo[:0]
}

// rollback undoes every change since begin. Its keys are dirty all the same:
// dumping one that is as it was does no harm.
func (s *store) rollback() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		c := s.undo[i]
		if c.had {
			s.tree.Set(c.rec)
		} else {
			s.tree.Delete(c.rec)
		}
		s.taint(c.rec.key(), true) // or not, who knows: to tell too much does no harm
	}
	s.changes++
	s.begin()
}

// scan gives the records whose key begins with prefix, in order, until fn
// returns false. fn may change the store: what it does to keys that are still
// to come is seen.
func (s *store) scan(prefix string, fn func(key, value string) bool) {
	next, again := keyOnly(prefix), true
	skip := false // next was given already
	for again {
		again = false
		before := s.changes
		s.tree.Ascend(next, func(r record) bool {
			if !strings.HasPrefix(r.kv[:r.n], prefix) {
				return false
			}
			if skip && r.key() == next.key() {
				return true
			}
			if !fn(r.key(), r.value()) {
				return false
			}
			if s.changes != before {
				next, skip, again = keyOnly(r.key()), true, true
				return false
			}
			return true
		})
	}
}

// dump gives every record, or those changed since the last dump.
func (s *store) dump(all bool, fn func(key string, value []byte, deleted bool) error) (err error) {
	if all {
		s.tree.Scan(func(r record) bool {
			err = fn(r.key(), []byte(r.value()), false)
			return err == nil
		})
	} else {
		s.dirty.Scan(func(key string, _ bool) bool {
			value, ok := s.get(key)
			err = fn(key, []byte(value), !ok)
			return err == nil
		})
	}
	if err == nil {
		s.dirty = btree.Map[string, bool]{}
	}
	return err
}

// load puts a dumped record back.
func (s *store) load(key, value []byte) {
	s.buf = append(append(s.buf[:0], key...), value...)
	s.tree.Load(record{string(s.buf), len(key)})
}
