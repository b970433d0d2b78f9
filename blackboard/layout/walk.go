package layout

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Lanes walks the board's lane files, owned ones and quarantine included, in
// the byte order of their board-relative paths, and whatever else has a lane's
// name (e tells what it is). It follows no links.
func (l Layout) Lanes(fn func(lane, rel string, e fs.DirEntry) error) error {
	return filepath.WalkDir(l.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if path == l.Dir {
				return err
			}
			return nil
		}
		rel, _ := filepath.Rel(l.Dir, path)
		if e.IsDir() && rel != "." && SkipDir(rel) {
			return fs.SkipDir
		}
		if lane, ok := LaneName(rel); ok {
			return fn(lane, rel, e)
		}
		return nil
	})
}

// SkipDir says whether a board-relative folder can hold no lane.
func SkipDir(rel string) bool {
	return filepath.Base(rel)[0] == '.' || rel == "archive" || rel == "contracts"
}

// Stored is one segment that is no longer active.
type Stored struct {
	Lane    string
	Segment uint64
	Path    string
	Archive bool // an archive, else the plain segment
}

// Stored lists all rotated segments, plain and archived ones.
func (l Layout) Stored(fn func(Stored) error) error {
	if err := stored(l.Private("segments"), LaneExt, false, fn); err != nil {
		return err
	}
	return stored(filepath.Join(l.Dir, "archive"), ArchiveExt, true, fn)
}

func stored(root, ext string, archive bool, fn func(Stored) error) error {
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		base, ok := strings.CutSuffix(e.Name(), ext)
		if !ok || len(base) < 8 {
			return nil
		}
		n, err := strconv.ParseUint(base, 10, 64)
		if err != nil || n == 0 {
			return nil
		}
		lane, _ := filepath.Rel(root, filepath.Dir(path))
		return fn(Stored{Lane: lane, Segment: n, Path: path, Archive: archive})
	})
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
