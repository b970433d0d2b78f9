package cli

import (
	"fmt"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/order"
)

// orderLane is where the events of plans stand.
const orderLane = "hxo"

// order proves the ordering guarantees of plans on a board, from the events that
// stand on it.
func (a *app) order(l layout.Layout) error {
	pattern, err := contracts.ParsePatterns([]string{"hxo.**"})
	if err != nil {
		return err
	}
	e, err := a.engine(l)
	if err != nil {
		return err
	}
	defer e.Close()
	p := a.printer()
	failed := 0
	var printing error
	check := &order.Checker{Report: func(f order.Finding) {
		failed++
		if printing == nil {
			printing = p.add(record{text("level", "FAIL"), text("what", "order"), text("finding", f.String()), text("repair", "stigmergy show "+f.Pos)})
		}
	}}
	res, err := e.Run(a.ctx, query.Request{Topics: pattern, Lane: orderLane, JournaledOnly: true}, func(h *query.Hit) error {
		ev := h.Event()
		check.Add(ev.Pos.String(), ev.TopicName, ev.Data())
		return printing
	})
	if err != nil || len(res.Damaged) > 0 {
		return a.found(res, err)
	}
	for _, h := range res.Holes {
		if err := p.add(record{text("level", "WARN"), text("what", "order"), text("finding", "events may be missing: "+describeHole(h)), text("repair", "stigmergy doctor")}); err != nil {
			return err
		}
	}
	if failed == 0 {
		err := p.add(record{text("level", "OK"), text("what", "order"),
			text("finding", fmt.Sprintf("plans %d, shards %d, events %d: every one stands where it may", check.Plans, check.Shards, check.Events)), text("repair", "")})
		if err != nil {
			return err
		}
		return p.close()
	}
	if err := p.close(); err != nil {
		return err
	}
	return exitWith(codeNone)
}
