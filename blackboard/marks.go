package blackboard

import (
	"bufio"
	"encoding/json"
	"os"

	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// Between two snapshots, which file a segment stands in is kept in
//
//	.stigmergy/state/marks.jsonl
//
// one line for every segment that began or went on in another file. It is a
// cache like the snapshots: after a kill it lets a lane be found again that was
// renamed while nobody watched. A last snapshot replaces it.
type markLine struct {
	Lane    string `json:"lane"`
	Segment uint64 `json:"segment"`
	Path    string `json:"path"`
	Base    int64  `json:"base,omitempty"`
	Dev     uint64 `json:"dev,omitempty"`
	Ino     uint64 `json:"ino"`
	Birth   int64  `json:"birth,omitempty"`
	UID     uint32 `json:"uid"`
}

func (k *Kernel) marksPath() string { return marksPath(k.layout) }

func marksPath(l layout.Layout) string { return l.Private("state", "marks.jsonl") }

// mark remembers which file a tail's segment stands in. Failing costs nothing
// but that memory.
func (k *Kernel) mark(t *tail) {
	m := t.t.Mark()
	line, err := json.Marshal(markLine{Lane: t.lane, Segment: t.segment, Path: contracts.EscapeLane(t.t.Path), Base: t.t.Base, Dev: m.Dev, Ino: m.Ino, Birth: m.Birth, UID: m.UID})
	if err != nil || m.Ino == 0 {
		return
	}
	if k.marks == nil {
		if err := os.MkdirAll(k.layout.State(), 0o755); err != nil {
			return
		}
		if k.marks, err = os.OpenFile(k.marksPath(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
			return
		}
	}
	_, _ = k.marks.Write(append(line, '\n'))
}

// marked reads them back; the newest about a segment counts.
func (k *Kernel) marked() map[segmentKey]markLine { return marked(k.marksPath()) }

func marked(path string) map[segmentKey]markLine {
	out := map[segmentKey]markLine{}
	f, err := os.Open(path)
	if err != nil {
		return out
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var m markLine
		if json.Unmarshal(sc.Bytes(), &m) == nil && m.Ino != 0 {
			out[segmentKey{m.Lane, m.Segment}] = m
		}
	}
	return out
}

// fill gives a record the identity that was noted since the snapshot.
func (m *markLine) fill(t *tailRecord) {
	now := lanes.Mark{Dev: m.Dev, Ino: m.Ino, Birth: m.Birth, UID: m.UID}
	if same(&now, &t.Mark) {
		return
	}
	t.Path, t.Base = m.Path, m.Base
	t.Offset = max(t.Offset, t.Mark.Offset)
	t.Mark = now
}

// unmark lets go of the marks: a snapshot holds them all.
func (k *Kernel) unmark(saved bool) {
	if k.marks != nil {
		k.marks.Close()
		k.marks = nil
	}
	if saved {
		_ = os.Remove(k.marksPath())
	}
}
