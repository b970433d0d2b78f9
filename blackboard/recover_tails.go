package blackboard

import (
	"context"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

func (r *recovery) took(e *journal.Entry) {
	t := r.rec(e.Lane, e.Segment)
	if t.Born == 0 {
		t.Born, t.First = e.Time, r.before
	}
	if t.Mark.Ino == 0 && !r.broken[segmentKey{e.Lane, e.Segment}] {
		r.identify(t)
	}
	// The bytes behind the mark are compared with their roots by the refold.
	t.Offset = e.To
	t.Last, t.Warned = e.Time, false
	r.took1(e.Lane, e.Segment)
}

// identify says whose file a segment's bytes were read from, where no mark
// does: power may take the marks, and a segment that is over is not looked for.
func (r *recovery) identify(t *tailRecord) {
	path := r.refold.content.standsIn(segmentKey{t.Lane, t.Segment})
	rel, ok := strings.CutPrefix(path, r.k.layout.Dir+"/")
	if !ok {
		return
	}
	if m, err := lanes.Identify(r.k.layout.Dir, rel); err == nil {
		t.Path, t.Mark = contracts.EscapeLane(rel), m
	}
}

// took1 notes that a segment has begun: one before it stands where it should.
func (r *recovery) took1(lane string, segment uint64) {
	r.k.tails.last[lane] = max(r.k.tails.last[lane], segment)
	if m := r.moves[lane]; m != nil && segment > m.Segment {
		delete(r.moves, lane)
	}
}

// rec is what is known of a segment; of one that is new since the snapshot,
// what the marks say.
func (r *recovery) rec(lane string, segment uint64) *tailRecord {
	key := segmentKey{lane, segment}
	if t := r.recs[key]; t != nil {
		return t
	}
	t := &tailRecord{Saved: lanes.Saved{Lane: lane, Segment: segment, Path: contracts.EscapeLane(layout.LaneRel(lane)), Base: r.refold.content.bases[key]}}
	if m, ok := r.marks[key]; ok {
		m.fill(t)
	}
	r.recs[key] = t
	return t
}

// rotated notes a rotate entry. The rename that it promised is looked after
// when all of the journal is known.
func (r *recovery) rotated(e *journal.Entry) error {
	switch {
	case e.Segment == 0: // a segment begins in the middle of a file
		t := r.rec(e.Lane, e.Next)
		t.Base = e.Base
		if e.Path != "" {
			t.Path, t.Stage = e.Path, draining
		}
		r.k.tails.last[e.Lane] = max(r.k.tails.last[e.Lane], e.Next)
		return nil
	case e.Base != 0: // after a cut the file stays, the segment ends in it
		r.forked(e)
		return nil
	}
	r.ended(e)
	m := *e
	r.moves[e.Lane] = &m
	r.settled(m.Lane, m.Segment)
	if layout.Owned(e.Lane) {
		return r.k.pub.forget(e.Lane)
	}
	return nil
}

// forked ends a segment in the middle of its file, where the next one begins.
// Nothing more is taken in of it: what follows is the other one's.
func (r *recovery) forked(e *journal.Entry) {
	next := r.rec(e.Lane, e.Next)
	next.Base = e.Base
	r.k.tails.last[e.Lane] = max(r.k.tails.last[e.Lane], e.Next)
	t := r.recs[segmentKey{e.Lane, e.Segment}]
	if t == nil {
		return
	}
	t.Limit = e.To
	if t.Stage == active {
		t.Stage = sealed
	}
	if next.Mark.Ino == 0 {
		next.Path, next.Home, next.Gone = t.Path, t.Home, t.Gone
		next.Mark = lanes.Mark{Dev: t.Mark.Dev, Ino: t.Mark.Ino, Birth: t.Mark.Birth, UID: t.Mark.UID}
	}
}

// settled says whether a segment's file stands where rotated ones do.
func (r *recovery) settled(lane string, segment uint64) bool {
	k, rel := r.k, layout.SegmentRel(lane, segment)
	if !exists(filepath.Join(k.layout.Dir, rel)) {
		t, whole := r.recs[segmentKey{lane, segment}], wholeRel(lane, segment)
		if t != nil && t.Base > 0 && exists(filepath.Join(k.layout.Dir, whole)) {
			t.Path, t.Home, t.Gone = contracts.EscapeLane(whole), "", 0
			return true
		}
		return exists(k.layout.Archive(lane, segment))
	}
	if t := r.recs[segmentKey{lane, segment}]; t != nil {
		t.Path, t.Copied, t.Home, t.Gone = contracts.EscapeLane(rel), true, "", 0
		if m, err := lanes.Identify(k.layout.Dir, rel); err == nil && !same(&m, &t.Mark) {
			t.Offset = max(t.Offset, t.Mark.Offset)
			t.Mark, t.Base, t.Limit = m, 0, 0 // it was copied out of its file
		}
	}
	return true
}

// renames does the renames that rotate entries promised, where a crash came
// first. A file that has taken the lane's name since then stays.
func (r *recovery) renames() error {
	k := r.k
	for _, lane := range slices.Sorted(maps.Keys(r.moves)) {
		e := r.moves[lane]
		if r.settled(lane, e.Segment) {
			continue
		}
		t := r.recs[segmentKey{lane, e.Segment}]
		from, base := k.layout.Lane(lane), int64(0)
		if t != nil {
			base = t.Base
			if c := r.tracked(segmentKey{lane, e.Segment}); len(c) > 0 {
				from = c[0].name
			} else if t.Mark.Ino != 0 || r.foreign(t, from) {
				continue
			}
		}
		rel, err := k.moveAway(context.Background(), from, lane, e.Segment, base)
		if err != nil {
			return err
		}
		if t != nil && exists(filepath.Join(k.layout.Dir, rel)) {
			t.Path, t.Copied, t.Home, t.Gone = contracts.EscapeLane(rel), base == 0, "", 0
			if m, err := lanes.Identify(k.layout.Dir, rel); err == nil && !same(&m, &t.Mark) {
				t.Offset = max(t.Offset, t.Mark.Offset)
				t.Mark = m
			}
		}
	}
	return nil
}

// foreign says whether a file does not hold what was taken in of a segment
// whose file is not known.
func (r *recovery) foreign(t *tailRecord, path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return true
	}
	defer f.Close()
	same, err := r.k.sameByRoots(io.NewSectionReader(f, t.Base, 1<<62), segmentKey{t.Lane, t.Segment}, t.First, max(t.Offset, t.Mark.Offset))
	return err != nil || !same
}

// ended notes that a segment is over although its file may not be ours.
func (r *recovery) ended(e *journal.Entry) {
	if t := r.recs[segmentKey{e.Lane, e.Segment}]; t != nil && t.Stage == active {
		t.Stage = draining
	}
}

func (r *recovery) noted(e *journal.Entry) {
	k := r.k
	switch e.Note {
	case "replaced", "renamed", "deleted", "truncated":
		r.over(e)
	case "unfinished":
		if t := r.recs[segmentKey{e.Lane, e.Segment}]; t != nil {
			t.Warned = true
		}
	case "destroyed":
		if layout.Owned(e.Lane) {
			k.told[lostKey(e)] = true
		}
	case "not_a_lane", "unreadable":
		k.told[e.Note+" "+e.Path] = true
	case "bad_contract", "bad_setting":
		k.told[e.Note+" "+e.Path+" "+e.Detail] = true
	}
}

// over notes that a segment ended for another reason than rotation.
func (r *recovery) over(e *journal.Entry) {
	k, key := r.k, segmentKey{e.Lane, e.Segment}
	if t := r.recs[key]; t != nil && e.Note == "deleted" && t.Offset+t.Mark.Offset > 0 && t.Base == 0 {
		k.tails.left[e.Lane] = &left{Segment: e.Segment, Offset: e.To, First: t.First}
	}
	r.took1(e.Lane, e.Segment)
	if e.Reason == gone {
		delete(r.recs, key)
		return
	}
	t := r.rec(e.Lane, e.Segment)
	if e.Path != "" {
		t.Path = e.Path
	}
	r.ended(e)
	r.settled(e.Lane, e.Segment)
}

// tracked is where the file of a segment stands now, by its identity, whatever
// it is called.
func (r *recovery) tracked(key segmentKey) []candidate {
	t := r.recs[key]
	if m, ok := r.marks[key]; ok && t == nil { // its first entry is at hand
		t = &tailRecord{}
		m.fill(t)
	}
	if t == nil || t.Mark.Ino == 0 {
		return nil
	}
	rel, err := contracts.UnescapeLane(t.Path)
	if err == nil && !sameFile(r.k.layout.Dir, rel, &t.Mark) {
		if r.files == nil {
			r.files = regularFiles(r.k.layout)
		}
		rel = ""
		for _, name := range r.files[t.Mark.Ino] {
			if sameFile(r.k.layout.Dir, name, &t.Mark) {
				rel = name
			}
		}
	}
	if err != nil || rel == "" {
		return nil
	}
	return []candidate{{name: r.k.layout.Dir + "/" + rel, base: t.Base}}
}

func sameFile(dir, rel string, m *lanes.Mark) bool {
	got, err := lanes.Identify(dir, rel)
	return err == nil && same(&got, m)
}

// same says whether two marks are of one file.
func same(a, b *lanes.Mark) bool { return a.Ino == b.Ino && a.Dev == b.Dev && a.Birth == b.Birth }

// regularFiles lists those of the board's folders that can hold lanes, by inode.
func regularFiles(l layout.Layout) map[uint64][]string {
	out := map[uint64][]string{}
	_ = filepath.WalkDir(l.Dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(l.Dir, path)
		if err != nil || e.IsDir() && rel != "." && layout.SkipDir(rel) {
			return fs.SkipDir
		}
		if fi, err := e.Info(); err == nil && fi.Mode().IsRegular() {
			if st, ok := fi.Sys().(*syscall.Stat_t); ok {
				out[st.Ino] = append(out[st.Ino], rel)
			}
		}
		return nil
	})
	return out
}
