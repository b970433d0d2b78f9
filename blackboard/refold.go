package blackboard

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts/merkle"
)

// refolder folds entries that stand in the journal once more, reading their
// lines back, and holds what comes out against the derived entries. Recovery
// and replay are both this.
type refolder struct {
	fold    Fold
	content *content
	uids    map[string]uint32
	config  *Config
	configs func(sha256 string) (*Config, error)

	pending []held // derived, its entry not seen yet
	blind   bool   // the cause's bytes are gone: derived entries are taken as they stand
	tainted bool   // lines are gone that were folded once: the state may be another than it was
	in      intake // its buffers

	// bad is told of an input entry whose bytes are missing or others; nil
	// goes on without them, an error ends the refold.
	bad func(e *journal.Entry, err error) error
	// derived is told of every derived entry, with the bytes that the fold
	// made; they are nil where the cause could not be folded.
	derived func(e *journal.Entry, b []byte) error
}

// held is a copy of a Derived that outlives its step.
type held struct {
	Derived
	root  merkle.Hash
	cause uint64
}

// ErrDiverged says that the fold came to other bytes than the journal holds.
var ErrDiverged = errors.New("the fold came to something else")

// entry folds one entry of the journal, in order.
func (r *refolder) entry(e *journal.Entry) error {
	if e.Kind == journal.Derived {
		return r.check(e)
	}
	if len(r.pending) > 0 && r.tainted {
		r.drop()
	}
	if len(r.pending) > 0 {
		p := r.pending[0]
		return fmt.Errorf("refolding entry %d: expected the derived entry of lane %s at %d (cause %d), found another one: %w", e.Seq, p.Lane, p.From, p.cause, ErrDiverged)
	}
	r.blind = false
	switch e.Kind {
	case journal.Config:
		return r.configure(e)
	case journal.Owner:
		r.uids[e.Lane] = e.UID
	case journal.Rotate:
		r.content.rotated(e)
	case journal.Input:
		return r.input(e)
	}
	return r.apply(e, nil)
}

func (r *refolder) configure(e *journal.Entry) error {
	c, err := r.configs(e.SHA256)
	if err != nil {
		return fmt.Errorf("refolding entry %d: %w", e.Seq, err)
	}
	if err := r.use(c); err != nil {
		return err
	}
	return r.apply(e, nil)
}

func (r *refolder) use(c *Config) error {
	r.config = c
	if err := r.fold.Configure(c); err != nil {
		return fmt.Errorf("putting the configuration %s in force: %w", c.SHA256, err)
	}
	return nil
}

func (r *refolder) input(e *journal.Entry) error {
	if r.config == nil {
		return fmt.Errorf("refolding entry %d: no configuration is in force: the journal's config entry is missing", e.Seq)
	}
	if err := r.load(e); err != nil {
		r.blind, r.tainted = true, true
		return r.bad(e, err)
	}
	return r.apply(e, &r.in.batch)
}

// load reads an input entry's lines and checks them against its root.
func (r *refolder) load(e *journal.Entry) error {
	rd, err := r.content.open(e.Lane, e.Segment, e.From, e.To)
	if err != nil {
		return err
	}
	in := &r.in
	in.checker = r.config.Checker
	in.batch.Lane, in.batch.Segment, in.batch.From, in.batch.UID = e.Lane, e.Segment, e.From, r.uid(e.Lane)
	n := e.To - e.From
	if e.Lines == 1 && n-1 > int64(r.config.Checker.MaxLine) && n > batchBytes {
		err = in.readLong(rd, n)
	} else {
		err = in.readAll(rd, n)
	}
	if err != nil {
		return err
	}
	if in.root != e.Root || int64(len(in.batch.Lines)) != e.Lines {
		return fmt.Errorf("lane %s, segment %d, bytes %d to %d: %w: root %s was journaled, %s stands there", e.Lane, e.Segment, e.From, e.To, errOtherBytes, e.Root, in.root)
	}
	return nil
}

var errOtherBytes = errors.New("other bytes than were taken in")

func (r *refolder) uid(lane string) uint32 {
	if u, ok := r.uids[lane]; ok {
		return u
	}
	return r.config.DaemonUID
}

// readAll fills the batch with whole lines.
func (in *intake) readAll(rd io.Reader, n int64) error {
	if int64(cap(in.buf)) < n {
		in.buf = make([]byte, n)
	}
	in.buf = in.buf[:n]
	if _, err := io.ReadFull(rd, in.buf); err != nil {
		return fmt.Errorf("%w: %w", errOtherBytes, err)
	}
	if in.buf[n-1] != '\n' {
		return fmt.Errorf("%w: they do not end with a newline", errOtherBytes)
	}
	in.batch.Raw = in.buf
	in.parse()
	return nil
}

// readLong streams one line beyond max_line past.
func (in *intake) readLong(rd io.Reader, n int64) error {
	l, err := scanLong(io.LimitReader(rd, n-1), n-1)
	if err != nil {
		return fmt.Errorf("%w: %w", errOtherBytes, err)
	}
	in.batch.Raw = nil
	in.batch.Lines = append(in.batch.Lines[:0], Line{End: int(n - 1), Refusal: tooLong(n-1, in.checker.MaxLine), Long: l.line})
	in.root = l.leaf
	return nil
}

func (r *refolder) apply(e *journal.Entry, b *Batch) error {
	step, err := r.fold.Apply(e, b)
	if err != nil {
		return fmt.Errorf("refolding entry %d: %w", e.Seq, err)
	}
	for i := range step.Derived {
		d := step.Derived[i]
		d.Bytes = bytes.Clone(d.Bytes)
		root, _ := rootOf(d.Bytes)
		r.pending = append(r.pending, held{d, root, e.Seq})
	}
	return nil
}

// check holds a derived entry against what the fold made.
func (r *refolder) check(e *journal.Entry) error {
	if r.blind {
		return r.derived(e, nil)
	}
	if r.tainted && !r.expected(e) {
		r.drop()
		r.blind = true
		return r.derived(e, nil)
	}
	if len(r.pending) == 0 {
		return fmt.Errorf("refolding entry %d: the fold derives nothing here: %w", e.Seq, ErrDiverged)
	}
	if !r.expected(e) {
		p := r.pending[0]
		return fmt.Errorf("refolding entry %d: lane %s@%d:%d to %d with root %s was derived, the fold made %s@%d:%d to %d with root %s: %w",
			e.Seq, e.Lane, e.Segment, e.From, e.To, e.Root, p.Lane, p.Segment, p.From, p.From+int64(len(p.Bytes)), p.root, ErrDiverged)
	}
	p := r.pending[0]
	r.pending = r.pending[1:]
	return r.derived(e, p.Bytes)
}

// expected says whether a derived entry is the next one that the fold made.
func (r *refolder) expected(e *journal.Entry) bool {
	if len(r.pending) == 0 {
		return false
	}
	p := &r.pending[0]
	return p.Lane == e.Lane && p.Segment == e.Segment && p.From == e.From && p.From+int64(len(p.Bytes)) == e.To && p.root == e.Root && p.cause == e.Cause
}

// drop forgets what a tainted fold made and the journal does not know.
func (r *refolder) drop() {
	done := map[string]bool{}
	for i := range r.pending {
		if p := &r.pending[i]; !done[p.Lane] {
			done[p.Lane] = true
			r.fold.SetHead(p.Lane, p.Segment, p.From)
		}
	}
	r.pending = nil
}
