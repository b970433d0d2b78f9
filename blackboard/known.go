package blackboard

import (
	"bufio"
	"encoding/json"
	"fmt"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// known is what the journal and the quarantine say of a segment's lines, for
// the index of its archive.
type known struct {
	runs    []archive.Run
	refused map[int64]int64 // by offset: where in the line a record was recovered, 0: none; nil: not known
}

// record is what is read of a record in a lane of quarantine.
type record struct {
	Position  string `json:"position"`
	Reason    string `json:"reason"`
	Recovered string `json:"recovered"`
}

// knownOf reads the entries of a segment, and the quarantine records that were
// derived meanwhile. Where those cannot be read, or there are none by nature
// (owned lanes), the lines are checked again.
func knownOf(l layout.Layout, from journal.Cursor, j segmentJob) (*known, error) {
	k := &known{refused: map[int64]int64{}}
	c := newContent(l)
	defer c.close()
	quarantine := "quarantine/" + j.Lane
	if layout.Owned(j.Lane) {
		k.refused = nil
	}
	_, err := journal.Scan(l, from, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		switch {
		case e.Lane == j.Lane && e.Segment == j.Segment && (e.Kind == journal.Input || e.Kind == journal.Derived):
			k.runs = append(k.runs, archive.Run{Seq: e.Seq, Time: e.Time, Lines: e.Lines})
		case e.Lane == quarantine && e.Kind == journal.Derived && k.refused != nil:
			if k.records(c, e, j) != nil {
				k.refused = nil
			}
		}
		return nil
	})
	return k, err
}

func (k *known) records(c *content, e *journal.Entry, j segmentJob) error {
	r, err := c.open(e.Lane, e.Segment, e.From, e.To)
	if err != nil {
		return fmt.Errorf("reading the quarantine of lane %s: %w", j.Lane, err)
	}
	br := bufio.NewReaderSize(r, 64<<10)
	for range e.Lines {
		line, err := br.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("reading the quarantine of lane %s: %w", j.Lane, err)
		}
		var rec record
		if json.Unmarshal(line, &rec) != nil || rec.Reason == string(contracts.ReasonForeign) {
			continue
		}
		at, err := contracts.ParsePosition(rec.Position)
		if err != nil || at.Lane != j.Lane || at.Segment != j.Segment {
			continue
		}
		into := int64(0)
		if in, err := contracts.ParsePosition(rec.Recovered); err == nil {
			into = in.Offset - at.Offset
		}
		k.refused[at.Offset] = into
	}
	return nil
}

// verdict tells what the fold came to at a line: whether it was refused, and
// where in it a record was recovered; nil where that is not known.
func (k *known) verdict() func(offset int64) (refused bool, recovered int) {
	if k.refused == nil {
		return nil
	}
	return func(offset int64) (bool, int) {
		into, refused := k.refused[offset]
		return refused, int(into)
	}
}
