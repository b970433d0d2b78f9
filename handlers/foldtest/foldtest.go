// Package foldtest runs handlers without a kernel: it plays the journal, feeds
// lines, keeps what is derived, and holds every derived byte to the rules of
// the fold. It is for tests of handlers.
//
//	b := foldtest.New(t, board.New(), audit.New())
//	b.Append("ci", `{"type":"build.done"}`, `{oops`)
//	b.Advance(1500)                       // ticks for what falls due
//	b.Restart()                           // goes on from a dump of the state
//	lines := b.Lane("board")
package foldtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"testing"

	"stigmergy/blackboard"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/settings"
	"stigmergy/contracts"
	"stigmergy/handlers"
)

// Epoch is the time of the first entry.
const Epoch = 1_769_653_873_000_000_000

// Board is a fold, and what stands on its lanes.
type Board struct {
	T       testing.TB
	M       *handlers.Machine
	Config  *blackboard.Config
	Steps   []blackboard.Step // of every entry, their bytes copied
	Started []blackboard.Effect
	Skips   []blackboard.Skip
	Elapsed int64
	// Frozen gives every entry the same time, and a seq that counts only what
	// is no input: what is derived then depends on lines and facts alone.
	Frozen   bool
	handlers []handlers.Handler
	seq      uint64
	sources  map[string]*source
	owned    map[string]map[uint64][]byte
	snapshot map[string]string
	cas      map[string][]byte
}

type source struct {
	segment uint64
	offset  int64
}

// New is a board with these handlers and the built-in contracts.
func New(t testing.TB, hs ...handlers.Handler) *Board {
	t.Helper()
	return NewWith(t, nil, nil, hs...)
}

// NewWith adds settings (YAML) and the board's own contracts.
func NewWith(t testing.TB, yaml []byte, own map[string][]byte, hs ...handlers.Handler) *Board {
	t.Helper()
	set, faults := settings.Load(yaml, nil, nil)
	if len(faults) > 0 {
		t.Fatalf("settings: %v", faults)
	}
	reg, bad := contracts.Builtin().With(own)
	if len(bad) > 0 {
		t.Fatalf("contracts: %v", bad)
	}
	b := &Board{
		T: t, handlers: hs, sources: map[string]*source{}, owned: map[string]map[uint64][]byte{},
		snapshot: map[string]string{}, cas: map[string][]byte{},
		Config: &blackboard.Config{
			BoardID: "01928374-0000-7000-8000-000000000001", DaemonUID: 1000, Settings: set, Registry: reg,
			Checker: &contracts.Checker{Registry: reg, MaxLine: int(set.MaxLine), UnknownTopics: set.UnknownTopics},
		},
	}
	b.M = b.machine()
	return b
}

func (b *Board) machine() *handlers.Machine {
	b.T.Helper()
	reg, err := handlers.NewRegistry(b.handlers...)
	if err != nil {
		b.T.Fatal(err)
	}
	m := handlers.New(reg)
	m.CAS(func(sum string) ([]byte, error) {
		if v, ok := b.cas[sum]; ok {
			return v, nil
		}
		return nil, fmt.Errorf("no object %s", sum)
	})
	if err := m.Configure(b.Config); err != nil {
		b.T.Fatal(err)
	}
	return m
}

// Keep puts an object into the CAS and returns its SHA-256.
func (b *Board) Keep(object []byte) string {
	sum := sha256.Sum256(object)
	key := hex.EncodeToString(sum[:])
	b.cas[key] = bytes.Clone(object)
	return key
}

// Append folds lines as one input entry and returns its step.
func (b *Board) Append(lane string, lines ...string) blackboard.Step {
	b.T.Helper()
	return b.AppendRaw(lane, []byte(strings.Join(lines, "\n")+"\n"))
}

// AppendRaw folds whole lines, with their LF.
func (b *Board) AppendRaw(lane string, raw []byte) blackboard.Step {
	b.T.Helper()
	src := b.sources[lane]
	if src == nil {
		src = &source{segment: 1}
		b.sources[lane] = src
	}
	batch := b.parse(lane, src, raw)
	e := &journal.Entry{Kind: journal.Input, Lane: lane, Segment: src.segment, From: src.offset, To: src.offset + int64(len(raw)), Lines: int64(len(batch.Lines))}
	src.offset += int64(len(raw))
	return b.apply(e, batch)
}

func (b *Board) parse(lane string, src *source, raw []byte) *blackboard.Batch {
	batch := &blackboard.Batch{Lane: lane, Segment: src.segment, From: src.offset, UID: b.Config.DaemonUID, Raw: raw}
	Cut(b.Config.Checker, batch)
	return batch
}

// Cut fills a batch's lines from its bytes, as the kernel does.
func Cut(c *contracts.Checker, batch *blackboard.Batch) {
	for off := 0; off < len(batch.Raw); {
		end := off + bytes.IndexByte(batch.Raw[off:], '\n')
		batch.Lines = append(batch.Lines, cutLine(c, batch.Raw, off, end))
		off = end + 1
	}
}

func cutLine(c *contracts.Checker, raw []byte, off, end int) blackboard.Line {
	line := raw[off:end]
	l := blackboard.Line{Off: off, End: end, Blank: contracts.Blank(line)}
	if l.Blank {
		return l
	}
	if c.MaxLine > 0 && len(line) > c.MaxLine {
		l.Refusal = &contracts.Refusal{Reason: contracts.ReasonTooLong}
		l.Long = &blackboard.LongLine{Length: int64(len(line)), SHA256: sha256.Sum256(line), Head: line[:1024]}
		return l
	}
	var ev contracts.Event
	if l.Refusal = c.Check(line, &ev); l.Refusal != nil {
		return l
	}
	start := uint32(bytes.Index(line, ev.Line))
	l.Event = blackboard.Parsed{Env: ev.Env, Topic: ev.Topic, Off: start, End: start + uint32(len(ev.Line))}
	return l
}

// Fact folds an entry of another kind: a note, a rotation.
func (b *Board) Fact(e journal.Entry) blackboard.Step {
	b.T.Helper()
	if src := b.sources[e.Lane]; src != nil && e.Next != 0 {
		*src = source{segment: e.Next}
	}
	return b.apply(&e, nil)
}

// Advance lets time pass and journals a tick whenever a timer is due.
func (b *Board) Advance(ms int64) {
	b.T.Helper()
	until := b.Elapsed + ms
	for n := 0; ; n++ {
		due, ok := b.M.Due()
		if !ok || due > until || n > 100_000 {
			break
		}
		b.Elapsed = max(b.Elapsed, due)
		b.apply(&journal.Entry{Kind: journal.Tick}, nil)
	}
	b.Elapsed = until
}

// Tick journals one tick, whether or not a timer is due.
func (b *Board) Tick() blackboard.Step {
	b.T.Helper()
	return b.apply(&journal.Entry{Kind: journal.Tick}, nil)
}

func (b *Board) apply(e *journal.Entry, batch *blackboard.Batch) blackboard.Step {
	b.T.Helper()
	e.Seq, e.Time, e.ElapsedMS = b.seq, Epoch, b.Elapsed
	if !b.Frozen {
		e.Time += (int64(b.seq) + b.Elapsed) * 1_000_000
	}
	step, err := b.M.Apply(e, batch)
	if err != nil {
		b.T.Fatal(err)
	}
	if !b.Frozen {
		b.seq += uint64(1 + len(step.Derived))
	} else if e.Kind != journal.Input {
		b.seq++
	}
	b.publish(step, e)
	b.Started = append(b.Started, step.Started...)
	b.Skips = append(b.Skips, step.Skips...)
	kept := blackboard.Step{Started: clone(step.Started), Done: clone(step.Done), Skips: clone(step.Skips)}
	for _, d := range step.Derived {
		d.Bytes = bytes.Clone(d.Bytes)
		kept.Derived = append(kept.Derived, d)
	}
	b.Steps = append(b.Steps, kept)
	return kept
}

func clone[T any](s []T) []T { return append([]T(nil), s...) }

// Restart goes on with a new machine, made from the snapshot and what changed
// since.
func (b *Board) Restart() {
	b.T.Helper()
	b.Snapshot()
	b.M = b.machine()
	for k, v := range b.snapshot {
		b.M.Load([]byte(k), []byte(v))
	}
}

// Snapshot dumps what changed.
func (b *Board) Snapshot() {
	b.T.Helper()
	err := b.M.Dump(false, func(key string, value []byte, deleted bool) error {
		if deleted {
			delete(b.snapshot, key)
		} else {
			b.snapshot[key] = string(value)
		}
		return nil
	})
	if err != nil {
		b.T.Fatal(err)
	}
}

// State is the whole state as text, for comparing.
func (b *Board) State() string {
	var out strings.Builder
	_ = b.M.Dump(true, func(key string, value []byte, _ bool) error {
		fmt.Fprintf(&out, "%q %q\n", key, value)
		return nil
	})
	return out.String()
}

// Lane is the lines of an owned lane, over all its segments.
func (b *Board) Lane(lane string) []string {
	var nums []uint64
	for n := range b.owned[lane] {
		nums = append(nums, n)
	}
	sort.Slice(nums, func(i, j int) bool { return nums[i] < nums[j] })
	var lines []string
	for _, n := range nums {
		text := strings.TrimSuffix(string(b.owned[lane][n]), "\n")
		if text != "" {
			lines = append(lines, strings.Split(text, "\n")...)
		}
	}
	return lines
}

// Lanes are the owned lanes that have a byte, by name.
func (b *Board) Lanes() []string {
	var names []string
	for n := range b.owned {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Bytes is everything derived, by lane and segment.
func (b *Board) Bytes() string {
	var out strings.Builder
	for _, lane := range b.Lanes() {
		fmt.Fprintf(&out, "== %s\n", lane)
		for _, l := range b.Lane(lane) {
			out.WriteString(l + "\n")
		}
	}
	return out.String()
}

// Borrow has a board read the other's CAS.
func (b *Board) Borrow(other *Board) { b.cas = other.cas }
