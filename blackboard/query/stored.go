package query

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"stigmergy/blackboard/layout"
)

var errNotRegular = errors.New("not a regular file")

// stored is what stands on the board beside journal and archives.
type stored struct {
	active   map[string]activeFile // by lane
	segments map[segKey]activeFile // rotated, not archived yet
	last     map[string]uint64     // the highest of them, by lane
}

// activeFile is a file as it was listed.
type activeFile struct {
	path string
	size int64
}

// listBoard walks lanes, then segments; archives come after. That is the direction
// in which a segment moves, so that none is missed on its way.
func listBoard(l layout.Layout) (*stored, error) {
	s := &stored{active: map[string]activeFile{}, segments: map[segKey]activeFile{}, last: map[string]uint64{}}
	err := l.Lanes(func(lane, rel string, e fs.DirEntry) error {
		if !e.Type().IsRegular() {
			return nil
		}
		fi, err := e.Info()
		if err != nil {
			return nil // it went meanwhile
		}
		s.active[lane] = activeFile{filepath.Join(l.Dir, rel), fi.Size()}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, s.walkSegments(l.Private("segments"))
}

func (s *stored) walkSegments(root string) error {
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // it went meanwhile
		}
		base, ok := strings.CutSuffix(e.Name(), layout.LaneExt)
		n, err := strconv.ParseUint(base, 10, 64)
		if !ok || err != nil || n == 0 {
			return nil
		}
		lane, _ := filepath.Rel(root, filepath.Dir(path))
		fi, err := e.Info()
		if err != nil || !fi.Mode().IsRegular() {
			return nil
		}
		s.segments[segKey{lane, n}] = activeFile{path, fi.Size()}
		s.last[lane] = max(s.last[lane], n)
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
