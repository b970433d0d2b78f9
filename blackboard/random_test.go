package blackboard_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// machine drives a board at random and knows what was written to it.
type machine struct {
	*board
	n       int
	written map[string]*strings.Builder // by lane: every byte that was ever appended
}

var lanesUsed = [...]string{"a", "b/c", "d"}

// step does one thing to the board.
func (m *machine) step(t *rapid.T) {
	lane := rapid.SampledFrom(lanesUsed[:]).Draw(t, "lane")
	switch op := rapid.SampledFrom([]string{"append", "append", "append", "torn", "bad", "settle", "settle", "rotate", "crash", "restart", "wait"}).Draw(t, "op"); op {
	case "append":
		for range rapid.IntRange(1, 20).Draw(t, "lines") {
			m.n++
			m.put(lane, event(m.n))
		}
	case "torn":
		m.n++
		m.put(lane, fmt.Sprintf(`{"type":"build.torn","id":"%d","data":{"te`, m.n))
	case "bad":
		m.n++
		m.put(lane, fmt.Sprintf("bad %d\n", m.n))
	case "settle":
		m.settle()
	case "rotate":
		m.settle()
		if _, err := m.k.Rotate(t.Context(), lane); err == nil {
			m.cutTorn(lane)
		}
	case "crash":
		m.crash()
		m.open()
	case "restart":
		m.close()
		m.open()
	case "wait":
		m.clock.t = m.clock.t.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second)
	}
}

func (m *machine) put(lane, text string) {
	if m.written[lane] == nil {
		m.written[lane] = &strings.Builder{}
	}
	m.written[lane].WriteString(text)
	m.append(lane, text)
}

// cutTorn forgets an unfinished last line: it stays behind in the segment that
// was rotated away, whose bytes are archived with it.
func (m *machine) cutTorn(lane string) {
	whole := m.written[lane].String()
	whole = whole[:strings.LastIndexByte(whole, '\n')+1]
	m.written[lane].Reset()
	m.written[lane].WriteString(whole)
}

// read puts together what the journal says of a lane: the lines of its input
// entries, in order, from wherever they stand now.
func (m *machine) read(lane string) string {
	var out bytes.Buffer
	ends := map[uint64]int64{}
	for _, e := range m.entries() {
		if e.Kind != journal.Input || e.Lane != lane {
			continue
		}
		if e.From != ends[e.Segment] {
			m.Errorf("lane %s, segment %d: an entry begins at %d, the one before ended at %d", lane, e.Segment, e.From, ends[e.Segment])
		}
		ends[e.Segment] = e.To
		out.Write(m.stored(lane, e.Segment)[e.From:e.To])
	}
	return out.String()
}

// stored is a segment's bytes, by the plain files alone.
func (m *machine) stored(lane string, segment uint64) []byte {
	for _, path := range []string{m.layout.Segment(lane, segment), m.layout.Lane(lane)} {
		if path == m.layout.Lane(lane) {
			if text, ok := unzstd(m.TB, m.layout.Archive(lane, segment)); ok {
				return text
			}
		}
		if text, err := os.ReadFile(path); err == nil {
			return text
		}
	}
	m.Fatalf("lane %s, segment %d is nowhere", lane, segment)
	return nil
}

func TestRandomHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "board")
		if err != nil {
			t.Fatal(err)
		}
		l, _, err := layout.Create(filepath.Join(dir, "board"))
		if err != nil {
			t.Fatal(err)
		}
		flags := map[string]string{"segment.max_bytes": rapid.SampledFrom([]string{"4KiB", "64KiB"}).Draw(rt, "max"), "segment.min_bytes": "1KiB"}
		b := &board{TB: t, layout: l, clock: &manual{time.Date(2026, 1, 29, 2, 31, 13, 0, time.UTC)}, flags: flags}
		m := &machine{board: b, written: map[string]*strings.Builder{}}
		b.open()
		defer func() {
			if b.k != nil {
				b.crash()
			}
			os.RemoveAll(dir)
		}()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			m.step(rt)
		}
		m.settle()
		for lane, w := range m.written {
			want := w.String()
			want = want[:strings.LastIndexByte(want, '\n')+1]
			if got := m.read(lane); got != want {
				rt.Fatalf("lane %s: taken in %d bytes, written %d whole: first difference at %d", lane, len(got), len(want), differ(got, want))
			}
		}
		m.close()
		b.audit()
		if t.Failed() {
			rt.Fatal("see above")
		}
	})
}

func differ(a, b string) int {
	for i := 0; i < min(len(a), len(b)); i++ {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
