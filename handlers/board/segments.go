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
// The key segment/LANE@N holds the stage for as long. Where the bytes are gone
// ("gone"), there is nothing to seal.
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
	if e.Lane == "" || e.Segment == 0 || e.Kind == journal.Rotate && e.To == 0 {
		return // nothing ended: after two power cuts a segment may hold no line
	}
	seg := segmentName(e.Lane, e.Segment)
	if stage, known := tx.Get("segment/" + seg); known {
		if e.Kind == journal.Note && e.Reason == "gone" {
			vanished(tx, seg, stage)
		}
		return
	}
	payload := new(handlers.Object).Str("lane", e.Lane).Uint("segment", e.Segment).Str("reason", rotateReason(e)).Int("bytes", e.To)
	stage := "rotated"
	if e.Kind == journal.Note && e.Reason == "gone" {
		stage = "gone"
		payload.Bool("gone", true)
	}
	tx.Put("segment/"+seg, stage)
	tx.Effect(kindRotated, "rotated:"+seg, payload.Bytes())
}

// vanished ends the way of a segment whose bytes are gone before they were
// archived.
func vanished(tx *handlers.Tx, seg, stage string) {
	if stage == "rotated" {
		tx.Put("segment/"+seg, "gone")
		return
	}
	tx.Delete("segment/" + seg)
	tx.Done(stage + ":" + seg)
}

// rotateReason is one of those of board.lane.rotated.
func rotateReason(e *journal.Entry) string {
	switch {
	case e.Kind == journal.Note:
		return e.Note
	case e.Reason == "":
		return "size"
	case e.Reason == "cut": // power was lost: what came after is gone
		return "truncated"
	}
	return e.Reason
}

// answered is a line of the worker: the segment's next stage begins.
func answered(tx *handlers.Tx, ev *contracts.Event) {
	n, _ := ev.Get("data.segment").Int()
	seg := segmentName(ev.Get("data.lane").Text(), uint64(n))
	stage, known := tx.Get("segment/" + seg)
	switch {
	case !known:
	case ev.TopicName == "board.segment.archived", stage == "gone":
		tx.Delete("segment/" + seg)
	case ev.TopicName == "board.lane.rotated":
		tx.Put("segment/"+seg, "sealed")
		tx.Effect(kindSealed, "sealed:"+seg, ev.Data())
	case ev.TopicName == "board.segment.sealed":
		tx.Put("segment/"+seg, "archived")
		tx.Effect(kindArchived, "archived:"+seg, ev.Data())
	}
}
