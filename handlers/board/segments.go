package board

import (
	"fmt"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
)

// A segment that has ended goes through three effects, all done by the worker
// of workers/archive; each one's line ends it and starts the next:
//
//	rotated:LANE@N   → board.lane.rotated      nobody holds it open, or it is quiet
//	sealed:LANE@N    → board.segment.sealed    its lines, bytes and hashes are fixed
//	archived:LANE@N  → board.segment.archived  compressed, compared, deleted
//
// The key segment/LANE@N holds the stage for as long.
const (
	kindRotated  = "archive.rotated"
	kindSealed   = "archive.sealed"
	kindArchived = "archive.archived"
	worker       = "workers/archive"
)

func stages() []handlers.EffectKind {
	return []handlers.EffectKind{
		{Kind: kindRotated, Lane: worker, Ends: []string{"board.lane.rotated"}},
		{Kind: kindSealed, Lane: worker, Ends: []string{"board.segment.sealed"}},
		{Kind: kindArchived, Lane: worker, Ends: []string{"board.segment.archived"}},
	}
}

func segmentName(lane string, n uint64) string { return fmt.Sprintf("%s@%d", lane, n) }

// ended starts the way of a segment that takes no more lines.
func ended(tx *handlers.Tx, e *journal.Entry) {
	if e.Lane == "" || e.Segment == 0 {
		return
	}
	seg := segmentName(e.Lane, e.Segment)
	if _, known := tx.Get("segment/" + seg); known {
		return
	}
	payload := new(handlers.Object).Str("lane", e.Lane).Uint("segment", e.Segment).Str("reason", rotateReason(e)).Int("bytes", e.To)
	if e.Base != 0 {
		payload.Int("base", e.Base)
	}
	tx.Put("segment/"+seg, "rotated")
	tx.Effect(kindRotated, "rotated:"+seg, payload.Bytes())
}

func rotateReason(e *journal.Entry) string {
	switch {
	case e.Kind == journal.Note:
		return e.Note
	case e.Reason != "":
		return e.Reason
	}
	return "size"
}

// answered is a line of the worker: the segment's next stage begins.
func answered(tx *handlers.Tx, ev *contracts.Event) {
	n, _ := ev.Get("data.segment").Int()
	seg := segmentName(ev.Get("data.lane").Text(), uint64(n))
	if _, known := tx.Get("segment/" + seg); !known {
		return
	}
	switch ev.TopicName {
	case "board.lane.rotated":
		tx.Put("segment/"+seg, "sealed")
		tx.Effect(kindSealed, "sealed:"+seg, ev.Data())
	case "board.segment.sealed":
		tx.Put("segment/"+seg, "archived")
		tx.Effect(kindArchived, "archived:"+seg, ev.Data())
	case "board.segment.archived":
		tx.Delete("segment/" + seg)
	}
}
