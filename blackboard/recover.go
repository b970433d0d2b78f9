package blackboard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
)

// recovery brings the state from the newest snapshot to the journal's end.
type recovery struct {
	k      *Kernel
	refold refolder
	recs   map[segmentKey]*tailRecord
	before journal.Cursor // of the entry at hand
	prev   journal.Entry  // the entry before it
	some   bool
	build  string // version of the run at hand
	marks  map[segmentKey]markLine
	moves  map[string]*journal.Entry // by lane: a rotate entry whose rename may be missing
	notes  []pendingNote
	known  []journal.Entry     // notes that bytes are gone
	told   []journal.Entry     // notes of foreign bytes
	files  map[uint64][]string // of the board, by inode; nil: not listed
	cutAt  *cut

	suspect map[string]bool     // owned lanes in which somebody else wrote over ours
	broken  map[segmentKey]bool // segments whose files do not hold what was taken in
	rewrote bool                // derived bytes were missing and were written again
	adopted []segmentKey        // rotated segments that the journal does not know
}

// run loads and refolds. It changes nothing but bytes that are missing on
// owned lanes and renames that the journal promised.
func (r *recovery) run() error {
	k := r.k
	r.recs, r.marks, r.moves = map[segmentKey]*tailRecord{}, k.marked(), map[string]*journal.Entry{}
	r.suspect, r.broken = map[string]bool{}, map[segmentKey]bool{}
	r.refold = refolder{fold: k.fold, content: newContent(k.layout), uids: k.tails.uids,
		configs: k.configOf(func() string { return r.build }), bad: r.bad, derived: r.derived}
	r.refold.content.tracked = r.tracked
	defer r.refold.content.close()
	if err := r.undo(); err != nil {
		return err
	}
	from, err := r.load()
	if err != nil {
		return err
	}
	if err := r.skips(from); err != nil {
		return err
	}
	r.before = from
	_, err = journal.Scan(k.layout, from, func(e *journal.Entry, _ []byte, next journal.Cursor) error {
		if err := r.entry(e); err != nil {
			return err
		}
		r.before, r.prev, r.some = next, *e, true
		return nil
	})
	var damage *journal.DamageError
	if errors.As(err, &damage) && r.holed() {
		k.log.Warn("power was lost: the journal has a hole", "error", err)
		err = r.cutHere()
	}
	if err != nil && !errors.Is(err, errCut) {
		return err
	}
	if r.cutAt != nil {
		if err := r.cut(); err != nil {
			return err
		}
	}
	if err := r.renames(); err != nil {
		return err
	}
	if err := r.orphans(); err != nil {
		return err
	}
	return r.force()
}

// force settles which configuration is in force: where it is the one that the
// board's files say, nothing needs to be journaled.
func (r *recovery) force() error {
	k := r.k
	if r.refold.config == nil {
		return nil
	}
	k.force = r.refold.config.SHA256
	if k.force == k.config.SHA256 {
		k.ctext = nil
	}
	return nil
}

// load puts the newest good snapshot back.
func (r *recovery) load() (journal.Cursor, error) {
	k := r.k
	if k.journal.Next() == 0 {
		return journal.Cursor{}, nil
	}
	st := k.snaps.files.load(func(h snapHeader) bool { return k.fits(h) })
	if st == nil {
		return journal.Cursor{}, nil
	}
	h := st.header
	if h.Fold != k.fold.Version() && h.Seq < k.journal.Next() {
		return journal.Cursor{}, fmt.Errorf("bringing the board up: %d journal entries were folded by fold version %d, this build has %d: run version %s's `stigmergy up --once` and try again: %w",
			k.journal.Next()-h.Seq, h.Fold, k.fold.Version(), h.Version, ErrOtherBuild)
	}
	for _, v := range st.keys {
		k.fold.Load(v.key, v.value)
	}
	for i := range st.tails {
		t := &st.tails[i]
		key := segmentKey{t.Lane, t.Segment}
		if m, ok := r.marks[key]; ok {
			m.fill(t)
		}
		r.recs[key] = t
		if t.Base > 0 {
			r.refold.content.bases[key] = t.Base
		}
	}
	for lane, n := range h.Lanes {
		k.tails.last[lane] = n
	}
	for lane, uid := range h.UIDs {
		k.tails.uids[lane] = uid
	}
	for lane, l := range h.Left {
		k.tails.left[lane] = l
	}
	for _, key := range h.Told {
		k.told[key] = true
	}
	k.epoch, k.foldWas = h.PowerEpoch, h.Fold
	k.snaps.since, k.snaps.full, k.snaps.chain = h.Seq, max(st.full, 1), st.chain
	r.build, r.some = h.Version, true
	r.prev, _, _ = journal.Before(k.layout, h.Cursor)
	c, err := r.refold.configs(h.Config)
	if errors.Is(err, ErrOtherBuild) && h.Seq == k.journal.Next() { // nothing is folded again: the board goes on with this build
		c, err = k.configNow(h.Config)
		k.foldWas = otherBuild
	}
	if err != nil {
		return h.Cursor, err
	}
	return h.Cursor, r.refold.use(c)
}

// otherBuild is no fold version: the next run keeps a base state.
const otherBuild = -1

// configNow is a recorded configuration with this build's contracts.
func (k *Kernel) configNow(sum string) (*Config, error) {
	text, err := k.cas.Get(sum)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration in force: %w", err)
	}
	c, err := configFrom(text, nothingAgain)
	if err == nil {
		c.SHA256 = sum // what is in force, until the next entry says otherwise
	}
	return c, err
}

// fits says whether a snapshot is of this board and of this journal.
func (k *Kernel) fits(h snapHeader) bool {
	if h.BoardID != k.id || h.Seq > k.journal.Next() {
		return false
	}
	e, ok, err := journal.Before(k.layout, h.Cursor)
	return err == nil && ok && e.Seq+1 == h.Seq && entrySum(&e) == h.Last
}

// skips tells the fold beforehand which handlers failed where.
func (r *recovery) skips(from journal.Cursor) error {
	_, err := journal.Scan(r.k.layout, from, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		switch {
		case e.Kind == journal.Note && e.Note == "skip":
			r.k.fold.Skip(e.Handler, e.Position)
		case e.Kind == journal.Note && e.Note == "destroyed":
			r.known = append(r.known, *e)
		case e.Kind == journal.Note && e.Note == "foreign":
			r.told = append(r.told, *e)
		}
		return nil
	})
	var damage *journal.DamageError
	if err != nil && !errors.As(err, &damage) { // the refold meets it too
		return err
	}
	return r.aside()
}

// aside reads what a run wrote that had to end because a handler hung.
func (r *recovery) aside() error {
	b, err := os.ReadFile(r.k.layout.Private("skip"))
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading which handler hung: %w", err)
	}
	handler, position, ok := strings.Cut(strings.TrimSpace(string(b)), " ")
	if !ok {
		return nil
	}
	r.k.fold.Skip(handler, position)
	r.notes = append(r.notes, pendingNote{kind: "skip", e: journal.Entry{Handler: handler, Position: position, Reason: "it took longer than handler.deadline"}})
	return nil
}

func (r *recovery) entry(e *journal.Entry) error {
	k := r.k
	if e.Seq != r.prev.Seq+1 && r.some {
		return fmt.Errorf("reading the journal: entry %d follows entry %d: run `stigmergy doctor`", e.Seq, r.prev.Seq)
	}
	switch e.Kind {
	case journal.Open:
		r.build = e.Version
		if e.Fold != k.fold.Version() {
			return fmt.Errorf("bringing the board up: entry %d begins a run of fold version %d, this build has %d: run version %s's `stigmergy up --once` and try again: %w", e.Seq, e.Fold, k.fold.Version(), e.Version, ErrOtherBuild)
		}
		if r.refold.config == nil {
			return nil // folded nothing: its configuration comes next
		}
	case journal.Input:
		k.stats.Refolded += e.To - e.From
		if err := r.refold.entry(e); err != nil {
			return err // a cut takes it back: it must not move the tail
		}
		r.took(e)
		return nil
	case journal.Rotate:
		if err := r.rotated(e); err != nil {
			return err
		}
	case journal.Note:
		r.noted(e)
	case journal.Cut:
		k.epoch = e.PowerEpoch
	}
	return r.refold.entry(e)
}

// bad decides what it means that an entry's bytes are missing or others.
func (r *recovery) bad(e *journal.Entry, err error) error {
	if r.powerLost(e.Seq) {
		return r.cutHere()
	}
	r.lost(e, err)
	return nil
}

// lost keeps a note that an entry's bytes are gone, unless there is one.
func (r *recovery) lost(e *journal.Entry, err error) {
	r.broken[segmentKey{e.Lane, e.Segment}] = true
	for _, n := range r.known {
		if n.Lane == e.Lane && n.Segment == e.Segment && n.From <= e.From && n.To >= e.To {
			return
		}
	}
	if n := len(r.notes) - 1; n >= 0 { // one note for what hangs together
		if last := &r.notes[n]; last.kind == "destroyed" && last.e.Lane == e.Lane && last.e.Segment == e.Segment && last.e.To == e.From {
			last.e.To = e.To
			return
		}
	}
	r.notes = append(r.notes, pendingNote{kind: "destroyed", e: journal.Entry{Lane: e.Lane, Segment: e.Segment, From: e.From, To: e.To, Detail: clip(err.Error())}})
}

// sorted are the tails, in order, without the segments whose archives were
// reported: nothing is left to be done for them.
func (r *recovery) sorted() []tailRecord {
	going := map[string]bool{}
	for _, key := range r.adopted {
		going[fmt.Sprintf("%s@%d", key.lane, key.segment)] = true
	}
	for _, e := range r.k.fold.Effects() {
		if _, seg, ok := strings.Cut(e.Key, ":"); ok {
			going[seg] = true
		}
	}
	out := make([]tailRecord, 0, len(r.recs))
	for key, t := range r.recs {
		if r.broken[key] { // whoever the file is: it is compared by the roots
			t.Mark = lanes.Mark{Offset: max(t.Offset, t.Mark.Offset)}
		}
		if t.Stage == active || t.Keep != 0 || going[fmt.Sprintf("%s@%d", t.Lane, t.Segment)] {
			out = append(out, *t)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Lane != out[j].Lane {
			return out[i].Lane < out[j].Lane
		}
		return out[i].Segment < out[j].Segment
	})
	return out
}

// finish journals what recovery found out: derived entries that a crash left
// out, then the notes.
func (r *recovery) finish() error {
	ctx, k := context.Background(), r.k
	if err := k.unnoted(r.saw); err != nil {
		return err
	}
	if err := r.publishRest(ctx); err != nil {
		return err
	}
	if err := r.cutEntries(ctx); err != nil {
		return err
	}
	if err := r.late(ctx); err != nil {
		return err
	}
	if err := r.owned(ctx); err != nil {
		return err
	}
	k.known, k.tornAt = r.known, k.opt.Clock.Now().Add(tornWait)
	for _, n := range r.notes {
		if n.kind == "destroyed" && !layout.Owned(n.e.Lane) {
			k.torn = append(k.torn, n)
			continue
		}
		if err := k.note(ctx, n.kind, n.e); err != nil {
			return err
		}
	}
	if err := os.Remove(k.layout.Private("skip")); err != nil && !missing(err) {
		return err
	}
	for _, f := range k.faults {
		if err := k.faulty(ctx, f); err != nil {
			return err
		}
	}
	_, err := k.surprises(ctx)
	return err
}

// publishRest publishes what was derived from the last entries and never
// journaled.
func (r *recovery) publishRest(ctx context.Context) error {
	for len(r.refold.pending) > 0 {
		cause := r.refold.pending[0].cause
		var ds []Derived
		for len(r.refold.pending) > 0 && r.refold.pending[0].cause == cause {
			ds = append(ds, r.refold.pending[0].Derived)
			r.refold.pending = r.refold.pending[1:]
		}
		if err := r.k.publish(ctx, &journal.Entry{Seq: cause}, &Step{Derived: ds}, ""); err != nil {
			return err
		}
	}
	return nil
}
