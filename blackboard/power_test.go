package blackboard_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stigmergy/blackboard"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
	"stigmergy/handlers/all"
	"stigmergy/scripts/oracle"
)

// platter is what a disk is sure to hold of a board's files: their bytes as of
// their last sync. Of what was written since then, a power cut leaves any
// pages. Names are taken to survive: scripts/crash cuts real file systems off,
// which lose them too.
type platter struct {
	dir string

	mu    sync.Mutex
	begun int                   // syncs
	files map[lanes.Mark]synced // by identity
}

// synced are a file's bytes as of the beginning of a sync.
type synced struct {
	begun int
	text  []byte
}

func (p *platter) identity(path string) (lanes.Mark, []byte, bool) {
	rel, err := filepath.Rel(p.dir, path)
	if err != nil {
		return lanes.Mark{}, nil, false
	}
	id, err := lanes.Identify(p.dir, rel)
	text, rerr := os.ReadFile(path)
	return id, text, err == nil && rerr == nil
}

// syncing is for durable.Disk: what is sure is what stood there before.
func (p *platter) syncing(path string, all bool) (done func()) {
	p.mu.Lock()
	p.begun++
	begun := p.begun
	p.mu.Unlock()
	held := map[lanes.Mark][]byte{}
	keep := func(path string) {
		if id, text, ok := p.identity(path); ok {
			held[id] = text
		}
	}
	if all {
		p.each(keep)
	} else {
		keep(path)
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for id, text := range held {
			if p.files[id].begun < begun { // one that began later knows more
				p.files[id] = synced{begun, text}
			}
		}
	}
}

func (p *platter) each(fn func(path string)) {
	_ = filepath.WalkDir(p.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			fn(path)
		}
		return nil
	})
}

// page is the unit in which bytes reach the disk: smaller than a real one, so
// that small boards have many.
const page = 128

// cut leaves of every file what a power cut may leave.
func (p *platter) cut(t *rapid.T) error {
	rnd := rapid.Uint64Range(0, 1<<40).Draw(t, "what survives")
	return p.leave(func(was, now []byte) []byte {
		return survive(was, now, func(n uint64) uint64 {
			rnd = rnd*6364136223846793005 + 1442695040888963407
			return (rnd >> 33) % n
		})
	})
}

// leave makes every file that was not synced what fn says.
func (p *platter) leave(fn func(was, now []byte) []byte) (err error) {
	p.each(func(path string) {
		id, now, ok := p.identity(path)
		if was := p.files[id].text; ok && !bytes.Equal(was, now) {
			err = errors.Join(err, os.WriteFile(path, fn(was, now), 0o644))
		}
	})
	p.syncing(p.dir, true)()
	return err
}

// survive mixes the pages of two versions. A file's size survives or not; what
// lies below it and was never written reads as zeros.
func survive(was, now []byte, draw func(uint64) uint64) []byte {
	often := draw(4) // of four pages, how many reached the disk
	out := make([]byte, len(now))
	for at := 0; at < len(now); at += page {
		end := min(at+page, len(now))
		if draw(4) <= often {
			copy(out[at:end], now[at:end])
		} else if at < len(was) {
			copy(out[at:end], was[at:])
		}
	}
	if len(was) < len(now) && draw(2) == 0 {
		size := len(was) + int(draw(uint64(len(now)-len(was)+1)))
		out = out[:size]
	}
	return out
}

// TestDurableAcrossRotation: what is said to be on disk is there, though its
// file was renamed before it was synced and another one has its name.
func TestDurableAcrossRotation(t *testing.T) {
	b := newBoard(t, map[string]string{"sync_interval": "1h"})
	b.close()
	disk := &platter{dir: b.layout.Dir, files: map[lanes.Mark]synced{}}
	b.disk = &durable.Disk{Syncing: disk.syncing}
	disk.syncing(b.layout.Dir, true)()
	b.boot = "before"
	b.open()
	b.append("a", event(1))
	b.k.Sweep()
	_, err := b.k.Step(t.Context())
	b.must(err)
	_, err = b.k.Rotate(t.Context(), "a")
	b.must(err)
	b.append("a", event(2))
	b.must(b.k.Durable(t.Context(), b.k.Next()))
	b.crash()
	b.must(disk.leave(func(was, _ []byte) []byte { return was }))
	b.boot = "after"
	b.open()
	for _, e := range b.entries() {
		if e.Kind == journal.Cut || e.Kind == journal.Note {
			t.Errorf("%s: want everything there", e.Append(nil))
		}
	}
}

// powered is a machine on a platter, whose writers know what they synced.
type powered struct {
	*board
	platter *platter
	truth   string
	n, boot int
}

func newPowered(t *testing.T, rt *rapid.T) *powered {
	dir, err := os.MkdirTemp(t.TempDir(), "board")
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := layout.Create(filepath.Join(dir, "board"))
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]string{"segment.min_bytes": "1KiB", "sync_interval": rapid.SampledFrom([]string{"1h", "1ms"}).Draw(rt, "sync_interval"),
		"segment.max_bytes": rapid.SampledFrom([]string{"4KiB", "64KiB"}).Draw(rt, "max"), "durability": rapid.SampledFrom([]string{"process", "disk"}).Draw(rt, "durability")}
	b := &board{TB: t, layout: l, clock: &manual{time.Date(2026, 1, 29, 2, 31, 13, 0, time.UTC)}, flags: flags}
	p := &powered{board: b, platter: &platter{dir: l.Dir, files: map[lanes.Mark]synced{}}, truth: filepath.Join(dir, "truth")}
	b.disk = &durable.Disk{Syncing: p.platter.syncing}
	for _, sub := range []string{"good", "tried"} {
		b.must(os.MkdirAll(filepath.Join(p.truth, sub), 0o755))
	}
	p.platter.syncing(l.Dir, true)()
	p.reboot()
	return p
}

func (p *powered) reboot() {
	p.board.boot = fmt.Sprintf("boot-%d", p.boot)
	p.boot++
	p.open()
}

// write appends lines as a writer does that syncs, or does not.
func (p *powered) write(t *rapid.T) {
	lane := rapid.SampledFrom(lanesUsed[:]).Draw(t, "lane")
	var text bytes.Buffer
	for range rapid.IntRange(1, 20).Draw(t, "lines") {
		p.n++
		text.WriteString(event(p.n))
	}
	sub := rapid.SampledFrom([]string{"good", "tried"}).Draw(t, "acknowledged")
	path := p.layout.Lane(lane)
	if old, err := os.ReadFile(path); err == nil && len(old) > 0 && old[len(old)-1] != '\n' {
		p.append(lane, "\n")
	}
	p.append(lane, text.String())
	if sub == "good" {
		p.platter.syncing(path, false)()
	}
	p.know(sub, text.Bytes())
}

func (p *powered) know(sub string, lines []byte) {
	f, err := os.OpenFile(filepath.Join(p.truth, sub, "w.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	p.must(err)
	_, err = f.Write(lines)
	p.must(err)
	p.must(f.Close())
}

func (p *powered) step(t *rapid.T) {
	switch rapid.SampledFrom([]string{"write", "write", "write", "write", "settle", "crank", "crash", "restart", "bad", "power"}).Draw(t, "op") {
	case "write":
		p.write(t)
		if rapid.Bool().Draw(t, "taken in") {
			p.settle()
		}
	case "bad":
		p.n++
		p.append("a", fmt.Sprintf("bad %d\n", p.n))
	case "settle":
		p.settle()
	case "crank":
		p.k.Sweep()
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			_, err := p.k.Step(t.Context())
			p.must(err)
		}
	case "crash":
		p.crash()
		p.open()
	case "restart":
		p.close()
		p.open()
	case "power":
		p.crash()
		p.must(p.platter.cut(t))
		p.reboot()
	}
}

// judge holds the board to what its writers know.
func (p *powered) judge(t *rapid.T) {
	p.write(t) // a torn end of the journal stands until something is written
	p.settle()
	p.close()
	found, _, err := oracle.Check(p.layout.Dir, oracle.Options{Quiet: true, Truth: p.truth})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Rule != "I3" { // a line whose middle is missing is nobody's
			t.Fatalf("%v", f)
		}
	}
	fold, err := all.New()
	p.must(err)
	if _, err := blackboard.Replay(t.Context(), blackboard.ReplayOptions{Layout: p.layout, Fold: fold}); err != nil {
		t.Fatalf("replay: %v", err)
	}
}

// cuts counts the cut entries of a board.
func (p *powered) cuts() (n int) {
	for _, e := range p.entries() {
		if e.Kind == journal.Cut {
			n++
		}
	}
	return n
}

// TestPowerTakesAnyPages: whatever subset of the pages that were not synced a
// power cut leaves, what writers synced is there once, and the board is whole.
// It explores, when asked to: -run TestPowerTakesAnyPages -rapid.checks=100.
//
// BUG: of some two hundred boards one waits for ever to seal a segment of an
// owned lane whose last bytes two cuts took after its rotation.
func TestPowerTakesAnyPages(t *testing.T) {
	if n := flag.Lookup("rapid.checks").Value.String(); n == "20" {
		t.Skip("it explores: give it -rapid.checks=100")
	}
	cuts := 0
	rapid.Check(t, func(rt *rapid.T) {
		p := newPowered(t, rt)
		defer func() {
			if p.k != nil {
				p.crash()
			}
			os.RemoveAll(filepath.Dir(p.layout.Dir))
		}()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			p.step(rt)
		}
		p.judge(rt)
		cuts += p.cuts()
	})
	t.Logf("%d journals were cut", cuts)
}
