package blackboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// Replayed is what a replay compared.
type Replayed struct {
	Entries   uint64           `json:"entries"`
	Inputs    int64            `json:"inputs"`        // lines folded afresh
	Derived   int64            `json:"derived_bytes"` // compared byte for byte
	ByRoot    int64            `json:"by_root_bytes"` // could only be checked by root
	Lanes     map[string]int64 `json:"lanes"`         // bytes compared, by owned lane
	From      uint64           `json:"from"`          // seq of the base state; 0: all history
	Destroyed []string         `json:"destroyed,omitempty"`
	Pending   int              `json:"pending"` // derived lines of the last entries that are not journaled yet
}

// DifferError is the first difference that a replay found.
type DifferError struct {
	Lane    string
	Segment uint64
	Offset  int64
	Seq     uint64
	What    string
}

func (e *DifferError) Error() string {
	return fmt.Sprintf("replaying entry %d: lane %s@%d:%d: %s", e.Seq, e.Lane, e.Segment, e.Offset, e.What)
}

// ReplayOptions are what a replay is made with.
type ReplayOptions struct {
	Layout layout.Layout
	Fold   Fold                // fresh, without state
	Until  *contracts.Position // stop behind the entry that holds it
	Notify func(seq uint64)    // progress
}

// Replay folds the whole history afresh, in memory, and compares what comes
// out with what stands on the owned lanes, byte for byte. It needs no lock: on
// a board that runs it compares what was journaled when it began to look.
func Replay(ctx context.Context, opt ReplayOptions) (*Replayed, error) {
	return replay(ctx, opt, nil)
}

// replay is Replay; made is given what the fold made for each derived entry
// instead of having it compared, nil where its cause is gone.
func replay(ctx context.Context, opt ReplayOptions, made func(e *journal.Entry, b []byte) error) (*Replayed, error) {
	p := &replayer{opt: opt, made: made, out: &Replayed{Lanes: map[string]int64{}}}
	cas := durable.CAS{Layout: opt.Layout}
	opt.Fold.CAS(cas.Get)
	p.refold = refolder{fold: opt.Fold, content: newContent(opt.Layout), uids: map[string]uint32{}, bad: p.bad, derived: p.derived,
		configs: func(sum string) (*Config, error) {
			text, err := cas.Get(sum)
			if err != nil {
				return nil, err
			}
			return configFrom(text, p.build)
		}}
	defer p.refold.content.close()
	if err := p.places(); err != nil {
		return nil, err
	}
	_, err := journal.Scan(opt.Layout, p.from, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.entry(e); err != nil {
			return err
		}
		if p.reach(e); p.reached && len(p.refold.pending) == 0 {
			return journal.Stop
		}
		return nil
	})
	p.out.Pending = len(p.refold.pending)
	if err == nil && opt.Until != nil && !p.reached {
		err = fmt.Errorf("replaying until %s: %w", opt.Until, ErrNoEntry)
	}
	return p.out, err
}

// ErrNoEntry says that no journal entry took a position in.
var ErrNoEntry = errors.New("no journal entry names it")

// reach notes that an entry is the one to stop behind, with what was derived
// from it.
func (p *replayer) reach(e *journal.Entry) {
	u := p.opt.Until
	took := e.Kind == journal.Input || e.Kind == journal.Derived
	p.reached = p.reached || u != nil && took && e.Lane == u.Lane && e.Segment == u.Segment && e.From <= u.Offset && u.Offset < e.To
}

type replayer struct {
	opt     ReplayOptions
	made    func(e *journal.Entry, b []byte) error
	out     *Replayed
	refold  refolder
	build   string
	from    journal.Cursor // where complete input begins
	old     bool           // another fold version made what comes: by root only
	reached bool           // the entry to stop behind was met
}

// places learns what the journal says later: which handlers are to be skipped
// where, where segments begin, and where moved lanes stand.
func (p *replayer) places() error {
	p.refold.content.snapshotPlaces()
	var base string
	pruned := false
	_, err := journal.Scan(p.opt.Layout, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		switch {
		case e.Kind == journal.Note && e.Note == "skip":
			p.opt.Fold.Skip(e.Handler, e.Position)
		case e.Kind == journal.Note && e.Note == "pruned":
			pruned = true
		case e.Kind == journal.State:
			base = e.SHA256
		}
		return nil
	})
	if err != nil || !pruned || base == "" {
		return err
	}
	h, err := p.load(base)
	p.from, p.out.From = h.Cursor, h.Seq
	return err
}

// snapshotPlaces learns from the newest snapshot where moved lanes stand and
// where segments begin.
func (c *content) snapshotPlaces() {
	st := snapshots{layout: c.layout}.load(func(snapHeader) bool { return true })
	marks := map[segmentKey]lanes.Mark{}
	defer c.renamed(marks)
	if st == nil {
		return
	}
	for _, t := range st.tails {
		marks[segmentKey{t.Lane, t.Segment}] = t.Mark
		if raw, err := contracts.UnescapeLane(t.Path); err == nil {
			c.paths[segmentKey{t.Lane, t.Segment}] = raw
		}
		if t.Base != 0 {
			c.bases[segmentKey{t.Lane, t.Segment}] = t.Base
		}
	}
}

// renamed lets segments be found by what is remembered of their files, where none
// stands under the lane's name: it may have another within the board. A file that
// has taken that name since is looked at instead, whatever became of the old one.
func (c *content) renamed(marks map[segmentKey]lanes.Mark) {
	for k, m := range marked(marksPath(c.layout)) {
		marks[k] = lanes.Mark{Dev: m.Dev, Ino: m.Ino, Birth: m.Birth}
	}
	files := sync.OnceValue(func() map[uint64][]string { return regularFiles(c.layout) })
	c.elsewhere = func(k segmentKey) (rel string, ok bool) {
		m := marks[k]
		if m.Ino == 0 || exists(c.layout.Lane(k.lane)) {
			return "", false
		}
		for _, rel := range files()[m.Ino] {
			if sameFile(c.layout.Dir, rel, &m) {
				return rel, true
			}
		}
		return "", false
	}
}

// load puts a base state back.
func (p *replayer) load(sum string) (snapHeader, error) {
	text, err := durable.CAS{Layout: p.opt.Layout}.Get(sum)
	if err != nil {
		return snapHeader{}, fmt.Errorf("replaying from a base state: %w", err)
	}
	h, body, _, ok := splitSnapshot(text)
	if !ok {
		return h, fmt.Errorf("replaying from the base state %s: it is none", sum)
	}
	if h.Fold != p.opt.Fold.Version() {
		return h, nil
	}
	keys, ok := parseKeys(body)
	if !ok {
		return h, fmt.Errorf("replaying from the base state %s: it is damaged", sum)
	}
	for _, k := range keys {
		p.opt.Fold.Load(k.key, k.value)
	}
	for lane, uid := range h.UIDs {
		p.refold.uids[lane] = uid
	}
	p.build = h.Version
	c, err := p.refold.configs(h.Config)
	if err != nil {
		return h, err
	}
	return h, p.refold.use(c)
}

func (p *replayer) entry(e *journal.Entry) error {
	p.out.Entries++
	if p.opt.Notify != nil {
		p.opt.Notify(e.Seq)
	}
	if p.old && e.Kind != journal.Open {
		return p.older(e)
	}
	switch e.Kind {
	case journal.Open:
		p.build = e.Version
		p.old = p.old || e.Fold != p.opt.Fold.Version() // until the state that this one began with
		if p.refold.config == nil {
			return nil
		}
	case journal.State:
		if p.refold.tainted {
			return p.afresh(e)
		}
	case journal.Input:
		p.out.Inputs += e.Lines
	}
	err := p.refold.entry(e)
	if e.Kind == journal.Config && errors.Is(err, ErrOtherBuild) { // other built-in contracts: by root only
		p.old, p.refold.pending = true, nil
		return nil
	}
	if errors.Is(err, ErrDiverged) {
		return &DifferError{Lane: e.Lane, Segment: e.Segment, Offset: e.From, Seq: e.Seq, What: err.Error()}
	}
	if err != nil {
		return err
	}
	return nil
}

// afresh goes on with the state that was kept after lines had been destroyed:
// without them the fold cannot come to it by itself.
func (p *replayer) afresh(e *journal.Entry) error {
	p.opt.Fold.Reset()
	h, err := p.load(e.SHA256)
	if err == nil && h.Fold == p.opt.Fold.Version() {
		p.refold.tainted, p.refold.pending = false, nil
	}
	return err
}

// older checks by root what another fold version made, up to the state that
// this one began with.
func (p *replayer) older(e *journal.Entry) error {
	switch e.Kind {
	case journal.State:
		h, err := p.load(e.SHA256)
		p.old = err == nil && h.Fold != p.opt.Fold.Version()
		return err
	case journal.Input, journal.Derived:
		if err := p.root(e); err != nil {
			return err
		}
		p.out.ByRoot += e.To - e.From
	}
	return nil
}

// bad goes on where a note says that the bytes were destroyed.
func (p *replayer) bad(e *journal.Entry, err error) error {
	if p.made == nil && !p.noted(e) {
		return &DifferError{Lane: e.Lane, Segment: e.Segment, Offset: e.From, Seq: e.Seq, What: err.Error()}
	}
	p.out.Destroyed = append(p.out.Destroyed, fmt.Sprintf("%s@%d:%d-%d", e.Lane, e.Segment, e.From, e.To))
	return nil
}

// noted looks for the note that the bytes of an entry are gone.
func (p *replayer) noted(want *journal.Entry) bool {
	found := false
	_, _ = journal.Scan(p.opt.Layout, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if e.Kind == journal.Note && e.Note == "destroyed" && e.Lane == want.Lane && e.Segment == want.Segment && e.From <= want.From && e.To >= want.To {
			found = true
			return journal.Stop
		}
		return nil
	})
	return found
}

func (p *replayer) derived(e *journal.Entry, b []byte) error {
	if p.made != nil {
		if b == nil {
			p.opt.Fold.SetHead(e.Lane, e.Segment, e.To)
		}
		return p.made(e, b)
	}
	if b == nil {
		return p.byRoot(e)
	}
	same, err := p.refold.content.equal(e.Lane, e.Segment, e.From, b)
	if (err != nil || !same) && p.noted(e) {
		p.out.Destroyed = append(p.out.Destroyed, fmt.Sprintf("%s@%d:%d-%d", e.Lane, e.Segment, e.From, e.To))
		return nil
	}
	if err != nil {
		return &DifferError{Lane: e.Lane, Segment: e.Segment, Offset: e.From, Seq: e.Seq, What: err.Error()}
	}
	if !same {
		return &DifferError{Lane: e.Lane, Segment: e.Segment, Offset: e.From, Seq: e.Seq, What: "the bytes that stand there are not those that the fold makes"}
	}
	p.out.Derived += int64(len(b))
	p.out.Lanes[e.Lane] += int64(len(b))
	return nil
}

// root holds the bytes of an entry against its root, without folding them.
func (p *replayer) root(e *journal.Entry) error {
	r, err := p.refold.content.open(e.Lane, e.Segment, e.From, e.To)
	if err != nil {
		return &DifferError{Lane: e.Lane, Segment: e.Segment, Offset: e.From, Seq: e.Seq, What: err.Error()}
	}
	root, err := rootAt(readerAt{r}, 0, e.To-e.From, e.Lines, &p.refold.in.buf)
	if err != nil || root != e.Root {
		return &DifferError{Lane: e.Lane, Segment: e.Segment, Offset: e.From, Seq: e.Seq, What: "the bytes that stand there do not have the root that was journaled"}
	}
	return nil
}

// readerAt lets a stream that is read once, in order, pass for a file.
type readerAt struct{ io.Reader }

func (r readerAt) ReadAt(p []byte, _ int64) (int, error) { return io.ReadFull(r.Reader, p) }

// byRoot checks derived bytes whose cause is gone.
func (p *replayer) byRoot(e *journal.Entry) error {
	if err := p.root(e); err != nil {
		return err
	}
	p.opt.Fold.SetHead(e.Lane, e.Segment, e.To)
	p.out.ByRoot += e.To - e.From
	return nil
}
