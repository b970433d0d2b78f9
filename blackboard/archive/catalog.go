package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
)

// Entry is one archive in the catalog.
type Entry struct {
	Path    string // of the file
	Lane    string // by its path
	Segment uint64 // by its path
	Size    int64
	MTime   int64 // unix nanoseconds
	// Err is why the archive could not be opened at all.
	Err error
	// Summary is what the archive says of itself. Where it is of another lane
	// or segment than its path, it is Indexed no more: nothing it says counts.
	Summary Summary
}

// May tells whether the archive may hold what is wanted.
func (e *Entry) May(w Want) bool { return e.Err != nil || e.Summary.May(w) }

type catalogKey struct {
	lane    string
	segment uint64
}

// Catalog sums up all archives of a board. It is read from
// .stigmergy/archives.idx, held against the files (size and time), and mended
// in memory where it is stale; only the daemon saves it. Its methods that
// change it are for one goroutine.
type Catalog struct {
	layout  layout.Layout
	dec     *Decoder
	entries []Entry
	dirty   bool
}

// OpenCatalog reads and mends the catalog. A file of it that is missing or
// damaged costs the time to open every archive. The error is that of listing
// the archives.
func OpenCatalog(l layout.Layout, d *Decoder) (*Catalog, error) {
	c := &Catalog{layout: l, dec: d}
	entries, err := readCatalog(l)
	c.entries, c.dirty = entries, err != nil
	return c, c.Refresh()
}

// Entries are all archives, by lane and segment. The slice must not be changed;
// Refresh makes a new one.
func (c *Catalog) Entries() []Entry { return c.entries }

// Dirty tells that the catalog's file is not what the catalog is.
func (c *Catalog) Dirty() bool { return c.dirty }

// Refresh holds the catalog against the files again: archives that are new or
// differ in size or time are opened, those that are gone are left out.
func (c *Catalog) Refresh() error {
	known := make(map[catalogKey]*Entry, len(c.entries))
	for i := range c.entries {
		e := &c.entries[i]
		known[catalogKey{e.Lane, e.Segment}] = e
	}
	entries := make([]Entry, 0, len(c.entries)+1)
	changed := false
	err := list(c.layout, func(e Entry) {
		old := known[catalogKey{e.Lane, e.Segment}]
		if old != nil && old.Err == nil && old.Size == e.Size && old.MTime == e.MTime {
			e.Summary = old.Summary
		} else {
			c.sum(&e)
			changed = true
		}
		entries = append(entries, e)
	})
	if err != nil {
		return fmt.Errorf("listing the archives: %w", err)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Segment, b.Segment))
	})
	c.dirty = c.dirty || changed || len(entries) != len(c.entries)
	c.entries = entries
	return nil
}

// sum opens an archive and sums it up.
func (c *Catalog) sum(e *Entry) {
	f, err := c.dec.OpenFile(e.Path)
	if err != nil {
		e.Err = err
		return
	}
	e.Summary = f.Summary()
	if s := &e.Summary; s.Indexed && (s.Lane != e.Lane || s.Segment != e.Segment) {
		*s = Summary{Size: s.Size, DataBytes: s.DataBytes, RawBytes: s.RawBytes, Frames: s.Frames}
	}
	e.Err = f.Close()
}

// list calls fn for every archive's file. A folder that cannot be read is an
// entry with an error and no segment.
func list(l layout.Layout, fn func(Entry)) error {
	root := filepath.Join(l.Dir, "archive")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				fn(Entry{Path: path, Err: err})
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		lane, segment, ok := archiveOf(l, root, path)
		if !ok {
			return nil
		}
		fi, err := d.Info()
		if err != nil {
			return nil // gone meanwhile
		}
		fn(Entry{Path: path, Lane: lane, Segment: segment, Size: fi.Size(), MTime: fi.ModTime().UnixNano()})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// archiveOf is whose archive a path names, if it is just as layout names it.
func archiveOf(l layout.Layout, root, path string) (lane string, segment uint64, ok bool) {
	base, ok := strings.CutSuffix(filepath.Base(path), layout.ArchiveExt)
	if !ok {
		return "", 0, false
	}
	segment, err := strconv.ParseUint(base, 10, 64)
	if err != nil || segment == 0 {
		return "", 0, false
	}
	lane, err = filepath.Rel(root, filepath.Dir(path))
	if err != nil {
		return "", 0, false
	}
	lane = filepath.ToSlash(lane)
	return lane, segment, l.Archive(lane, segment) == path
}

// Save writes the catalog's file, whole or not at all, if it is dirty.
func (c *Catalog) Save(disk *durable.Disk) error {
	if !c.dirty {
		return nil
	}
	if err := disk.WriteFile(c.layout.Catalog(), appendCatalog(nil, c.entries), 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(c.layout.Catalog()), err)
	}
	c.dirty = false
	return nil
}
