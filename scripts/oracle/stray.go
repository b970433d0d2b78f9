package oracle

import (
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// renamed looks for an active segment whose file was given another name on
// the board: a lane file that begins with the bytes of the segment's first
// entry, where the one at its place, if any, does not.
func (c *checker) renamed(id segmentID, at []place) []place {
	xs := c.journal.extents[id]
	if len(xs) == 0 || c.journal.base[id] > 0 || len(at) > 1 || len(at) == 1 && (begins(at[0].path, xs[0]) || laneOf(c.rel(at[0].path)) != id.lane) {
		return nil
	}
	var out []place
	err := c.lanesOnDisk(func(rel string) error {
		if path := filepath.Join(c.dir, rel); len(out) == 0 && begins(path, xs[0]) {
			out = append(out, place{path: path})
			c.adopted[rel] = true
		}
		return nil
	})
	if err != nil {
		return nil // told by the walk over all lanes
	}
	return out
}

// laneOf is the lane that a path below the board is the active file of.
func laneOf(rel string) string {
	if strings.HasSuffix(rel, ".zst") || strings.HasPrefix(rel, ".") {
		return ""
	}
	return laneName(rel)
}

// begins says whether a file's first bytes are the lines of this entry.
func begins(path string, x extent) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var t tree
	r := newLineReader(io.LimitReader(f, x.to), 0)
	for {
		l, err := r.next()
		if err != nil || !l.whole {
			break
		}
		t.add(l.leaf)
	}
	root := t.root()
	return x.from == 0 && r.off == x.to && hex.EncodeToString(root[:]) == x.root
}

// strayLane is a lane file of which the journal may know nothing.
func (c *checker) strayLane(rel string) error {
	lane := laneName(rel)
	n := c.journal.latest[lane]
	if c.adopted[rel] || n != 0 && c.journal.extents[segmentID{lane, n}] != nil {
		return nil // walked
	}
	f, err := os.Open(filepath.Join(c.dir, rel))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(c.journal.base[segmentID{lane, n}], io.SeekStart); err != nil {
		return err
	}
	l, err := newLineReader(f, 0).next()
	if err == io.EOF {
		return nil
	}
	if err == nil && owned(lane) {
		c.fail("owned", rel, "%d bytes and no entry that made them", l.length)
	} else if err == nil && l.whole && c.opt.Quiet && !c.isArchived(rel) {
		c.fail("I1", rel, "a whole line at byte 0 and no entry that took it in")
	}
	return err
}

// isArchived says whether the file holds exactly a segment that stands
// elsewhere too: a lane's old file under another name.
func (c *checker) isArchived(rel string) bool {
	sum, err := fileSum(filepath.Join(c.dir, rel))
	if err != nil {
		return false
	}
	for _, f := range c.segmentFacts {
		if f.sha256 == sum {
			return true
		}
	}
	return false
}
