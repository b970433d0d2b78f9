package cli

import (
	"errors"
	"fmt"

	"stigmergy/blackboard/query"
)

type queryCmd struct {
	Topics []string `arg:"" optional:"" name:"topic" help:"Topics or patterns, as 'hxo.shard.*' (default: all)."`
	selectFlags
	cursorFlags

	N           eventCount `name:"number" short:"n" placeholder:"N" help:"The first N events only."`
	Last        eventCount `placeholder:"N" help:"The last N events only."`
	Reverse     bool       `short:"r" help:"The newest first."`
	Count       bool       `help:"Print only how many there are."`
	Order       string     `enum:"board,time" default:"board" placeholder:"ORDER" help:"board (as they were taken in) or time (the events' own)."`
	By          string     `placeholder:"FIELD" help:"One row for each value of FIELD, the most frequent first."`
	Agg         string     `placeholder:"LIST" help:"What a row holds: count, last, sum(f), avg(f), min(f), max(f), p95(f)."`
	Fields      []string   `placeholder:"A,B" help:"Only these fields."`
	JQ          string     `name:"jq" placeholder:"EXPR" help:"Run this jq expression on every event."`
	Quarantined bool       `help:"Refused lines instead of events."`
	Explain     bool       `help:"Tell on standard error what was read and what was skipped."`
}

// Help says the rest.
func (queryCmd) Help() string {
	return `Reads lanes, rotated segments and archives, in the board's order, with or without a daemon. Lines that no daemon has taken in yet come last.

A path in a filter is an envelope attribute (type, source, subject, id, time …) or is looked up under data: plan_id=… is data.plan_id. a.b descends, \. is a dot, through an array any element matches. As words for shells: duration_ms:gt:800 (lt ge le eq ne re).

All plans: stigmergy query hxo.plan. A plan's shards: stigmergy query 'hxo.shard.*' -w plan_id=PLAN. Failed shards: stigmergy query hxo.shard.failed. A user's audit trail: stigmergy query hxo.audit -w user=kyle.`
}

// Run prints what matches.
func (c *queryCmd) Run(a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	req, err := c.selectFlags.request(a, c.Topics)
	if err != nil {
		return err
	}
	if req.From, _, err = c.from(); err != nil {
		return err
	}
	req.Limit, req.Last, req.Reverse, req.Quarantined = c.N.n, c.Last.n, c.Reverse, c.Quarantined
	if c.Order == "time" {
		req.Order = query.TimeOrder
	}
	e, _, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	res, err := c.answer(a, e, req)
	if err == nil && c.Explain {
		a.note("%s", explainStats(res))
	}
	if err == nil {
		err = c.end(a, res.Cursor)
	}
	return a.found(res, err)
}

// check refuses flags that contradict each other.
func (c *queryCmd) check() error {
	rows := c.By != "" || c.Agg != ""
	switch {
	case c.N.set && c.Last.set:
		return usage("querying", "-n or --last", "both", "stigmergy query --last 10")
	case c.N.set && c.N.n == 0, c.Last.set && c.Last.n == 0:
		return usage("querying", "a number of events from 1", "0", "stigmergy query -n 10")
	case c.Count && rows, (c.Count || rows) && (len(c.Fields) > 0 || c.JQ != ""), len(c.Fields) > 0 && c.JQ != "":
		return usage("querying", "one of --count, --by with --agg, --fields and --jq", "several", "")
	}
	return nil
}

func (c *queryCmd) answer(a *app, e *query.Engine, req query.Request) (query.Result, error) {
	switch {
	case c.Count:
		return c.count(a, e, req)
	case c.By != "" || c.Agg != "":
		return c.rows(a, e, req)
	}
	p, err := a.newEvents(c.Fields, c.JQ)
	if err != nil {
		return query.Result{}, err
	}
	res, err := e.Run(a.ctx, req, p.hit)
	return res, errors.Join(err, p.close())
}

// count prints the number of matches alone.
func (c *queryCmd) count(a *app, e *query.Engine, req query.Request) (query.Result, error) {
	res, err := e.Count(a.ctx, req)
	if err != nil {
		return res, err
	}
	p := a.printer()
	if p.format == "json" || p.format == "jsonl" {
		p.format = "raw"
	}
	p.noHead = true
	return res, errors.Join(p.add(record{number("count", res.Matched)}), p.close())
}

// rows prints a grouped aggregation.
func (c *queryCmd) rows(a *app, e *query.Engine, req query.Request) (query.Result, error) {
	var aggs []query.Agg
	if c.Agg != "" {
		var err error
		if aggs, err = query.ParseAggs(c.Agg); err != nil {
			return query.Result{}, badUse(err)
		}
	}
	limit := req.Limit
	req.Limit = 0
	t, err := query.NewTable(c.By, aggs)
	if err != nil {
		return query.Result{}, badUse(err)
	}
	res, err := e.Aggregate(a.ctx, req, t)
	if err != nil {
		return res, err
	}
	p := a.printer()
	columns := t.Columns()
	for i, row := range t.Rows() {
		if limit > 0 && i >= limit {
			break
		}
		r := make(record, len(columns))
		for k, name := range columns {
			r[k] = cell{name, row.Cells[k]}
		}
		if err := p.add(r); err != nil {
			return res, err
		}
	}
	if t.Approximate() {
		a.note("stigmergy: quantiles are within 1 %%: there were too many values to keep")
	}
	return res, p.close()
}

// explainStats says what a run read and skipped.
func explainStats(res query.Result) string {
	s := res.Stats
	return fmt.Sprintf("read %d journal entries of %d lanes; opened %d of %d archives, decoded %d of %d frames (%s); searched %s of archives and %s of lanes; %d matched",
		s.Entries, s.Lanes, s.ArchivesOpened, s.Archives, s.FramesDecoded, s.Frames, humanSize(s.ZstdBytes), humanSize(s.RawBytes), humanSize(s.LiveBytes), res.Matched)
}
