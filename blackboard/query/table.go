package query

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"stigmergy/contracts"
)

// The bounds of what an aggregation holds in memory.
const (
	maxGroups  = 250_000
	maxSamples = 2_000_000
)

// ErrGroups says that a query has more groups than are kept.
var ErrGroups = errors.New("too many groups")

// Table is a grouped aggregation by scalars. Without one the group is null;
// an event with several values at the path (through an array) counts once in the
// group of each.
type Table struct {
	by      string
	path    *contracts.Path
	aggs    []Agg
	groups  map[string]*group
	kept    int // samples, over all groups
	coarse  bool
	scratch []byte
}

type group struct {
	key   []byte // JSON
	count int64
	cells []cell
}

// cell is one aggregate of one group.
type cell struct {
	total   total
	samples samples
	best    contracts.Value
	num     int64
	at      place // of the last event
}

// NewTable makes an empty table; by may be empty: one group of everything.
func NewTable(by string, aggs []Agg) (*Table, error) {
	t := &Table{by: by, aggs: aggs, groups: map[string]*group{}}
	if len(t.aggs) == 0 {
		t.aggs = []Agg{{text: "count"}}
	}
	if by != "" {
		p, err := contracts.ParsePath(by)
		if err != nil {
			return nil, fmt.Errorf("reading the field to group by %q: %w", clip(by), err)
		}
		t.path = &p
	}
	return t, nil
}

// onlyCounts tells whether the index's counts by topic answer the table.
func (t *Table) onlyCounts() bool {
	if t.by != "" && t.by != "type" && t.by != "topic" {
		return false
	}
	for i := range t.aggs {
		if t.aggs[i].kind != aggCount || t.aggs[i].path != nil {
			return false
		}
	}
	return true
}

// addCount adds n events of a topic that were only counted.
func (t *Table) addCount(topic string, n int64) error {
	v := contracts.Value{}
	if t.by != "" {
		v = contracts.ValueOf(contracts.AppendString(nil, topic))
	}
	g, err := t.group(v)
	if err == nil {
		g.count += n
	}
	return err
}

// Add takes one event in.
func (t *Table) Add(ev *contracts.Event) (err error) {
	if t.path == nil {
		return t.addTo(contracts.Value{}, ev)
	}
	var seen []contracts.Value
	ev.Each(*t.path, func(v contracts.Value) bool {
		if v.Kind == contracts.Array || v.Kind == contracts.Object {
			return true // an array's elements follow
		}
		for _, s := range seen {
			if s.Kind == v.Kind && bytes.Equal(s.TextBytes(), v.TextBytes()) {
				return true
			}
		}
		seen = append(seen, v)
		err = t.addTo(v, ev)
		return err == nil
	})
	if len(seen) == 0 {
		return t.addTo(contracts.Value{}, ev)
	}
	return err
}

func (t *Table) addTo(key contracts.Value, ev *contracts.Event) error {
	g, err := t.group(key)
	if err != nil {
		return err
	}
	g.count++
	for i := range t.aggs {
		t.cell(&t.aggs[i], &g.cells[i], ev)
	}
	if t.kept > maxSamples && !t.coarse {
		t.coarsen()
	}
	if t.kept > maxSamples {
		return fmt.Errorf("aggregating: more than %d values to keep: narrow the query with -w, -S or topics", maxSamples)
	}
	return nil
}

// group finds the group of a value: by kind and text, so that "1" and 1 differ
// and two spellings of one string do not.
func (t *Table) group(v contracts.Value) (*group, error) {
	if v.Kind == contracts.Null {
		v = contracts.Value{}
	}
	t.scratch = append(t.scratch[:0], byte(v.Kind))
	t.scratch = append(t.scratch, v.TextBytes()...)
	if g := t.groups[string(t.scratch)]; g != nil {
		return g, nil
	}
	if len(t.groups) >= maxGroups {
		return nil, t.tooMany()
	}
	g := &group{key: []byte("null"), cells: make([]cell, len(t.aggs))}
	switch {
	case v.Kind == contracts.String:
		g.key = contracts.AppendString(nil, v.TextBytes())
	case v.Exists():
		g.key = bytes.Clone(v.Raw)
	}
	t.groups[string(t.scratch)] = g
	return g, nil
}

func (t *Table) tooMany() error {
	return fmt.Errorf("grouping by %s: %w: more than %d; narrow the query with -w, -S or topics", t.by, ErrGroups, maxGroups)
}

// coarsen turns every quantile's samples into buckets.
func (t *Table) coarsen() {
	t.coarse, t.kept = true, 0
	for _, g := range t.groups {
		for i := range g.cells {
			t.kept += g.cells[i].samples.coarsen()
		}
	}
}

// Approximate tells whether quantiles are within 1 % only: more values came than
// are kept.
func (t *Table) Approximate() bool { return t.coarse }

// cell takes the values of one event into one aggregate.
func (t *Table) cell(a *Agg, c *cell, ev *contracts.Event) {
	at := placeOf(ev)
	if a.kind == aggLast && at.less(c.at) {
		return
	}
	if a.path == nil {
		c.num, c.at = ev.Time(), at
		return
	}
	has := false
	ev.Each(*a.path, func(v contracts.Value) bool {
		if !v.Exists() || v.Kind == contracts.Array {
			return true
		}
		has = true
		t.value(a, c, v)
		return true
	})
	if has {
		c.num, c.at = c.num+1, at
	}
}

// placeOf is where an event stands; a pending one stands behind all that are
// journaled.
func placeOf(ev *contracts.Event) place {
	at := place{ev.Seq, int64(ev.LineNo)}
	if at.seq == 0 {
		at.seq = pendingSeq
	}
	return at
}

func (t *Table) value(a *Agg, c *cell, v contracts.Value) {
	switch a.kind {
	case aggSum, aggAvg:
		if n, ok := v.Int(); ok {
			c.total.addInt(n)
		} else if f, ok := v.Number(); ok {
			c.total.addFloat(f)
		}
	case aggQuantile:
		if f, ok := v.Number(); ok {
			if t.coarse && c.samples.buckets == nil {
				c.samples.coarsen()
			}
			t.kept += c.samples.add(f)
		}
	case aggLast:
		c.best = cloneValue(v)
	case aggMin, aggMax:
		if v.Kind == contracts.Null || v.Kind == contracts.Object || v.Kind == contracts.Array {
			return
		}
		if a.better(c.best, v) {
			c.best = cloneValue(v)
		}
	}
}

// better tells whether v is the smaller, or larger, of two values: numbers come
// before times, times before other text; of what reads the same, one kind before
// the other.
func (a *Agg) better(best, v contracts.Value) bool {
	if !v.Exists() || !best.Exists() {
		return v.Exists()
	}
	o, w := newOperand(best.Text()), newOperand(v.Text())
	d := cmp.Or(w.class()-o.class(), o.compare(w.text), bytes.Compare(w.text, o.text), int(v.Kind)-int(best.Kind))
	return d != 0 && (d < 0) == (a.kind == aggMin)
}

func (o *operand) class() int {
	switch {
	case o.isNum:
		return 0
	case o.isTime:
		return 1
	}
	return 2
}

// empty is a table that asks for the same.
func (t *Table) empty() *Table {
	return &Table{by: t.by, path: t.path, aggs: t.aggs, groups: map[string]*group{}}
}

// merge adds what another table of the same kind holds.
func (t *Table) merge(o *Table) error {
	for key, g := range o.groups {
		mine := t.groups[key]
		if mine == nil {
			if len(t.groups) >= maxGroups {
				return t.tooMany()
			}
			t.groups[key] = g
			continue
		}
		mine.count += g.count
		for i := range t.aggs {
			mine.cells[i].merge(&t.aggs[i], &g.cells[i])
		}
	}
	t.kept += o.kept
	if o.coarse || t.kept > maxSamples {
		t.coarsen()
	}
	return nil
}

func (c *cell) merge(a *Agg, o *cell) {
	c.total.merge(&o.total)
	c.samples.merge(&o.samples)
	switch {
	case a.kind == aggLast:
		if c.at.less(o.at) {
			c.best, c.num, c.at = o.best, o.num, o.at
		}
	case a.kind == aggCount:
		c.num += o.num
	case a.better(c.best, o.best):
		c.best = o.best
	}
}

// cloneValue keeps a value; of a string's spellings one, so that an answer does
// not depend on who came first.
func cloneValue(v contracts.Value) contracts.Value {
	if v.Kind == contracts.String {
		v.Raw = contracts.AppendString(nil, v.TextBytes())
		return v
	}
	v.Raw = bytes.Clone(v.Raw)
	return v
}
