package query

import (
	"errors"
	"sort"

	"stigmergy/contracts"
)

// findHoles tells what the history once held and could have matched: segments
// without a file, what notes say was lost, and refused lines of the topics.
func (r *run) findHoles() {
	told := map[segKey]bool{}
	for _, n := range r.view.notes {
		switch n.Note {
		case "lost", "destroyed", "pruned":
			if r.wantLane(n.Lane) {
				told[segKey{n.Lane, n.Segment}] = true
				r.hole(Hole{Kind: n.Note, Lane: n.Lane, Segment: n.Segment, From: n.From, To: n.To, Detail: n.Detail})
			}
		}
	}
	for _, h := range r.holes {
		told[segKey{h.Lane, h.Segment}] = true
	}
	r.missing(told)
	if !r.req.Quarantined {
		r.refusedTopics()
	}
}

// missing tells of segments that entries name and no file holds.
func (r *run) missing(told map[segKey]bool) {
	var gone []segKey
	for k := range r.view.ends {
		if !told[k] && !r.indexed[k] && r.wantLane(k.lane) && !r.present(k) {
			gone = append(gone, k)
		}
	}
	sort.Slice(gone, func(i, j int) bool {
		a, b := gone[i], gone[j]
		return a.lane < b.lane || a.lane == b.lane && a.segment < b.segment
	})
	for _, k := range gone {
		r.hole(Hole{Kind: "missing", Lane: k.lane, Segment: k.segment, To: r.view.endOf(k), Detail: "neither segment nor archive is on the board"})
	}
}

// errFound ends a search at its first match.
var errFound = errors.New("found")

// refusedTopics looks for a refused line of a topic that was asked for.
func (r *run) refusedTopics() {
	quarantinedTopics, err := contracts.ParsePatterns([]string{"board.quarantined"})
	if err != nil {
		return
	}
	q := r.sub(Request{Topics: quarantinedTopics, Lane: "board", JournaledOnly: true})
	_ = q.stream(0, func(h *Hit) error { // what it cannot read was told already
		data := h.Event().Data()
		topic, lane := contracts.GetString(data, "topic"), contracts.GetString(data, "lane")
		if topic == "" || !r.matcher.Match(topic) || !r.wantLane(lane) {
			return nil
		}
		pos, _ := contracts.ParsePosition(contracts.GetString(data, "position"))
		r.hole(Hole{Kind: "quarantined", Lane: lane, Segment: pos.Segment, From: pos.Offset, Detail: "a line of " + topic + " was refused: " + contracts.GetString(data, "reason")})
		return errFound
	})
}

// sub is another request to the same board as it was found.
func (r *run) sub(req Request) *run {
	q := &run{engine: r.engine, ctx: r.ctx, req: &req, matcher: newMatcher(&req), reverse: req.Reverse, rules: r.rules, view: r.view, stored: r.stored,
		archives: r.archives, indexed: r.indexed, unindexed: r.unindexed, board: r.board, stopAt: r.stopAt, now: r.now, end: r.end,
		segments: map[segKey]*segment{}, refused: map[string]*laneRefusals{}, lanes: map[string]bool{}, strays: map[segKey]string{}}
	q.want = q.wanted()
	return q
}
