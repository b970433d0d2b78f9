package blackboard

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
	"stigmergy/contracts/merkle"
)

// ErrNotTaken says that no line of the journal begins at a position.
var ErrNotTaken = errors.New("no line that was taken in begins there")

// Proved is a line, and its way to the root of the batch that it came in with.
type Proved struct {
	Seq   uint64 // of the journal entry
	Line  []byte
	Index uint64 // of the line in its batch
	Lines uint64
	Path  []merkle.Hash
}

// ProveLine finds a line by its position and proves it in its batch.
func ProveLine(l layout.Layout, pos contracts.Position) (*Proved, error) {
	c := newContent(l)
	defer c.close()
	c.snapshotPlaces()
	var found *journal.Entry
	_, err := journal.Scan(l, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		switch {
		case e.Kind == journal.Rotate:
			c.rotated(e)
		case e.Kind != journal.Input && e.Kind != journal.Derived:
		case e.Lane == pos.Lane && e.Segment == pos.Segment && e.From <= pos.Offset && pos.Offset < e.To:
			entry := *e
			found = &entry
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("proving %s: %w", pos, ErrNotTaken)
	}
	return c.prove(found, pos)
}

func (c *content) prove(e *journal.Entry, pos contracts.Position) (*Proved, error) {
	r, err := c.open(e.Lane, e.Segment, e.From, e.To)
	if err != nil {
		return nil, fmt.Errorf("proving %s: %w", pos, err)
	}
	raw := make([]byte, e.To-e.From)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("proving %s: %w", pos, err)
	}
	p := &Proved{Seq: e.Seq}
	var leaves []merkle.Hash
	off, at := e.From, -1
	for line := range bytes.Lines(raw) {
		body := bytes.TrimSuffix(line, []byte("\n"))
		if off == pos.Offset {
			at, p.Line = len(leaves), body
		}
		leaves = append(leaves, merkle.LeafHash(body))
		off += int64(len(line))
	}
	tree := merkle.LevelsOf(leaves)
	switch {
	case at < 0:
		return nil, fmt.Errorf("proving %s: %w", pos, ErrNotTaken)
	case tree.Root() != e.Root:
		return nil, fmt.Errorf("proving %s: the lines of entry %d do not have the root that was journaled: stigmergy verify", pos, e.Seq)
	}
	p.Index, p.Lines = uint64(at), uint64(len(leaves))
	p.Path, err = merkle.ProveInclusion(p.Index, p.Lines, tree.Node)
	return p, err
}
