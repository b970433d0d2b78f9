package archive

import (
	"errors"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
)

// Entry is one archive in the catalog.
type Entry struct {
	Path    string // below the board
	Lane    string // by its path
	Segment uint64 // by its path
	Size    int64
	MTime   int64 // unix nanoseconds
	// Err is why the archive could not be opened at all.
	Err error
	Summary
}

// Catalog sums up all archives of a board. It is read from
// .stigmergy/archives.idx, held against the files (size and time), and mended
// in memory where it is stale; only the daemon saves it.
type Catalog struct{ entries []Entry }

// OpenCatalog reads and mends the catalog.
func OpenCatalog(l layout.Layout, d *Decoder) (*Catalog, error) { return nil, errors.ErrUnsupported }

// Entries are all archives, by lane and segment. The slice must not be changed.
func (c *Catalog) Entries() []Entry { return c.entries }

// Refresh holds the catalog against the files again.
func (c *Catalog) Refresh() error { return errors.ErrUnsupported }

// Dirty tells that the catalog's file is not what the catalog is.
func (c *Catalog) Dirty() bool { return false }

// Save writes the catalog's file, whole or not at all.
func (c *Catalog) Save(disk *durable.Disk) error { return errors.ErrUnsupported }
