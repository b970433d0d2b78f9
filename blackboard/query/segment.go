package query

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/layout"
)

// segment is one segment that is read: from its archive's frames, or by the
// journal's entries from wherever its bytes stand.
type segment struct {
	run     *run
	key     segKey
	derived bool // an owned lane's

	once   sync.Once
	err    error // it cannot be read
	file   *file
	base   int64 // where the segment begins in the file
	packed *archive.Reader

	mu    sync.Mutex // guards what follows: the frame decoded last
	frame int
	raw   []byte

	lost sync.Once // its missing bytes were told
}

// segment gives the one segment of a key; it is not opened yet.
func (r *run) segment(k segKey) *segment {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.segments[k]
	if s == nil {
		s = &segment{run: r, key: k, derived: layout.Owned(k.lane), frame: -1}
		r.segments[k] = s
	}
	return s
}

// open finds the segment's file wherever it is by now.
func (s *segment) open() error {
	s.once.Do(func() {
		for range 3 {
			if s.err = s.locate(); !errors.Is(s.err, fs.ErrNotExist) {
				return
			}
		}
	})
	return s.err
}

// locate looks where a segment may be, against the direction in which it moves,
// and then once more where it may have gone meanwhile.
func (s *segment) locate() error {
	l := s.run.engine.layout
	rotated, archived := l.Segment(s.key.lane, s.key.segment), l.Archive(s.key.lane, s.key.segment)
	if st := s.run.view.lanes[s.key.lane]; st == nil || st.segment <= s.key.segment {
		path := filepath.Join(l.Dir, s.run.lanePath(s.key.lane))
		f, err := s.run.engine.files.get(path)
		if err == nil && !exists(rotated) && !exists(archived) {
			s.file = f
			if st != nil && st.segment == s.key.segment {
				s.base = st.base
			}
			return nil
		}
		if err == nil {
			f.close() // it is the lane's next segment already
		}
	}
	f, err := s.run.engine.files.get(rotated)
	if err == nil {
		s.file = f
		return nil
	}
	if f, err = s.run.engine.files.get(archived); err != nil {
		return fmt.Errorf("reading lane %s, segment %d: %w", s.key.lane, s.key.segment, err)
	}
	s.file = f
	if s.packed, err = s.run.engine.decoder.Open(f, f.size); err != nil {
		f.close()
		return fmt.Errorf("reading the archive %s: %w", archived, err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// ReadAt reads bytes of the segment, by its own offsets.
func (s *segment) ReadAt(p []byte, off int64) (int, error) {
	if err := s.open(); err != nil {
		return 0, err
	}
	if s.packed == nil {
		return s.file.ReadAt(p, s.base+off)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
		if err == nil || errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errReplaced) {
			kind := "destroyed"
			if errors.Is(err, fs.ErrNotExist) {
				kind = "missing"
			}
			s.run.hole(Hole{Kind: kind, Lane: s.key.lane, Segment: s.key.segment, From: from, To: to, Detail: "the journal names these bytes and they are not there"})
			return
		}
		path := s.key.lane
		if s.file != nil {
			path = s.file.path
		}
		s.run.damage(Damage{Path: path, Offset: from, Err: err})
	})
}
