package query

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/merkle"
)

// segment is one segment that is read: from its archive's frames, or by the
// journal's entries from wherever its bytes stand.
type segment struct {
	run     *run
	key     segKey
	n       int  // tells the run's segments apart
	derived bool // an owned lane's

	mu     sync.Mutex // guards what follows
	file   *file      // nil: not opened yet
	base   int64      // where the segment begins in the file
	packed *archive.Reader
	gone   error // it was looked for and is nowhere
	frame  int   // the one decoded last
	raw    []byte

	lost sync.Once // its missing bytes were told

	sieved bool    // only what holds one of these offsets may match
	places []int64 // in order
}

// segment gives the one segment of a key; it is not opened yet.
func (r *run) segment(k segKey) *segment {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.segments[k]
	if s == nil {
		s = &segment{run: r, key: k, n: len(r.segments), derived: layout.Owned(k.lane), frame: -1}
		r.segments[k] = s
	}
	return s
}

// present tells whether a segment that the journal names has a file anywhere.
func (r *run) present(k segKey) bool {
	if _, ok := r.stored.segments[k]; ok || r.unindexed[k] {
		return true
	}
	active, _ := r.activeKey(k.lane)
	l := r.engine.layout
	if active == k || exists(l.Segment(k.lane, k.segment)) || exists(l.Archive(k.lane, k.segment)) {
		return true
	}
	if k.segment+recent < active.segment {
		return false // whatever became of it, it was brought home or is gone
	}
	return r.proved(k, l.Lane(k.lane), r.view.bases[k]) || r.strayed(k) != ""
}

// recent is how many segments before the active one may stand elsewhere.
const recent = 4

// open finds the segment's file wherever it is by now. It is called with s.mu
// held.
func (s *segment) open() (err error) {
	if s.gone != nil {
		return s.gone
	}
	for tries := 0; s.file == nil && tries < 3; tries++ {
		if err = s.locate(); err != nil {
			s.forget()
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if s.file == nil {
		s.gone = err
	}
	return s.gone
}

// forget closes the file, to be found again.
func (s *segment) forget() {
	if s.file != nil {
		s.file.close()
	}
	s.file, s.packed, s.frame = nil, nil, -1
}

// locate looks where a segment may be, against the direction in which it moves,
// and then once more where it may have gone meanwhile.
func (s *segment) locate() error {
	l, k := s.run.engine.layout, s.key
	active, base := s.run.activeKey(k.lane)
	if active == k && s.take(l.Lane(k.lane), base) {
		if !exists(l.Segment(k.lane, k.segment)) && !exists(l.Archive(k.lane, k.segment)) && s.same() {
			return nil
		}
		s.forget() // it is the lane's next segment already, or another file
	}
	if s.take(l.Segment(k.lane, k.segment), 0) {
		return nil
	}
	f, err := s.run.engine.files.get(l.Archive(k.lane, k.segment))
	if err == nil {
		s.file = f
		if s.packed, err = s.run.engine.decoder.Open(f, f.size); err != nil {
			return fmt.Errorf("reading the archive %s: %w", f.path, err)
		}
		return nil
	}
	if base := s.run.view.bases[k]; active != k && s.run.proved(k, l.Lane(k.lane), base) && s.take(l.Lane(k.lane), base) && s.same() {
		return nil // it shares the lane's file, or is about to be renamed
	}
	if path := s.run.strayed(k); path != "" && s.take(path, 0) {
		return nil
	}
	return fmt.Errorf("reading lane %s, segment %d: %w", k.lane, k.segment, err)
}

// take opens a file as the segment's.
func (s *segment) take(path string, base int64) bool {
	f, err := s.run.engine.files.get(path)
	if err != nil {
		return false
	}
	s.file, s.base = f, base
	return true
}

// same tells whether the file ends, where it was taken in to, as the journal
// says; longer entries are believed.
func (s *segment) same() bool {
	e := s.run.view.ends[s.key]
	return e == nil || s.derived || e.end-e.from > maxProof || e.in(s.file, s.base)
}

// maxProof is how long an entry may be to be hashed when its file is opened.
const maxProof = 64 << 10

// in tells whether the last entry's lines stand in a file.
func (e *segEnd) in(f io.ReaderAt, base int64) bool {
	b := make([]byte, e.end-e.from)
	if n, _ := f.ReadAt(b, base+e.from); n < len(b) || b[n-1] != '\n' {
		return false
	}
	var tree merkle.Tree
	for line := range bytes.Lines(b) {
		tree.Add(merkle.LeafHash(line[:len(line)-1]))
	}
	root := tree.Root()
	return root.String() == string(e.root[:])
}

// strayed finds the file of a segment that was renamed by somebody else, and
// is not brought home yet: beside the lane, or under a lane's name that no
// entry knows. What it holds must be what was taken in.
func (r *run) strayed(k segKey) string {
	e := r.view.ends[k]
	if e == nil || layout.Owned(k.lane) || e.end-e.from > longEntry {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if path, known := r.strays[k]; known {
		return path
	}
	r.strays[k] = ""
	for _, path := range r.strangers(k.lane) {
		if r.proved(k, path, 0) {
			r.strays[k] = path
			break
		}
	}
	return r.strays[k]
}

// proved tells whether a file holds what the segment's last entry took in.
func (r *run) proved(k segKey, path string, base int64) bool {
	e := r.view.ends[k]
	if e == nil || e.end-e.from > longEntry {
		return false
	}
	f, _, err := openRegular(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return e.in(f, base)
}

// strangers are the files that a lane's segment may have become.
func (r *run) strangers(lane string) []string {
	path := r.engine.layout.Lane(lane)
	dir, base := filepath.Split(path)
	des, _ := os.ReadDir(dir) // none, if it is gone
	var all []string
	for _, d := range des {
		if strings.HasPrefix(d.Name(), base) && d.Name() != base && d.Type().IsRegular() {
			all = append(all, dir+d.Name())
		}
	}
	for name, f := range r.stored.active {
		if st := r.view.lanes[name]; st == nil || st.segment == 0 {
			all = append(all, f.path)
		}
	}
	sort.Strings(all)
	return all[:min(len(all), 1000)]
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// ReadAt reads bytes of the segment, by its own offsets. A file that went
// elsewhere since it was opened is looked for once more.
func (s *segment) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.readAt(p, off)
	if errors.Is(err, errReplaced) || errors.Is(err, fs.ErrNotExist) {
		s.forget()
		n, err = s.readAt(p, off)
	}
	return n, err
}

func (s *segment) readAt(p []byte, off int64) (int, error) {
	if err := s.open(); err != nil {
		return 0, err
	}
	if s.packed == nil {
		return s.file.ReadAt(p, s.base+off)
	}
	n := 0
	for n < len(p) {
		i := s.packed.FrameAt(off + int64(n))
		if i < 0 {
			return n, io.EOF
		}
		if i != s.frame {
			raw, err := s.packed.DecodeFrame(i, s.raw)
			if err != nil {
				s.frame = -1
				return n, err
			}
			s.raw, s.frame = raw, i
		}
		at := off + int64(n) - s.packed.Frames()[i].RawOffset
		if at < 0 || at >= int64(len(s.raw)) {
			return n, io.EOF
		}
		n += copy(p[n:], s.raw[at:])
	}
	return n, nil
}

// missing tells, once, that journaled bytes of the segment cannot be read.
func (s *segment) missing(from, to int64, err error) {
	s.lost.Do(func() {
		kind := ""
		switch {
		case errors.Is(err, fs.ErrNotExist):
			kind = "missing"
		case err == nil, errors.Is(err, io.EOF), errors.Is(err, errReplaced):
			kind = "destroyed"
		}
		if kind != "" {
			s.run.hole(Hole{Kind: kind, Lane: s.key.lane, Segment: s.key.segment, From: from, To: to, Detail: "the journal names these bytes and they are not there"})
			return
		}
		s.mu.Lock()
		path := s.key.lane
		if s.file != nil {
			path = s.file.path
		}
		s.mu.Unlock()
		s.run.damage(Damage{Path: path, Offset: from, Err: err})
	})
}
