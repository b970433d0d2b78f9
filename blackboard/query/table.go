package query

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"time"

	"stigmergy/contracts"
)

// The bounds of what an aggregation holds in memory.
const (
	maxGroups  = 250_000
	maxSamples = 2_000_000
)

// ErrGroups says that a query has more groups than are kept.
var ErrGroups = errors.New("too many groups")

// Table is a grouped aggregation. Values that are absent make the group null;
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
	var seen [][]byte
	ev.Each(*t.path, func(v contracts.Value) bool {
		if v.Kind == contracts.Array {
			return true // its elements follow
		}
		for _, s := range seen {
			if bytes.Equal(s, v.Raw) {
				return true
			}
		}
		seen = append(seen, v.Raw)
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
	t.scratch = append(t.scratch[:0], byte(v.Kind))
	t.scratch = append(t.scratch, v.TextBytes()...)
	if g := t.groups[string(t.scratch)]; g != nil {
		return g, nil
	}
	if len(t.groups) >= maxGroups {
		return nil, fmt.Errorf("grouping by %s: %w: more than %d; narrow the query with -w, -S or topics", t.by, ErrGroups, maxGroups)
	}
	g := &group{key: []byte("null"), cells: make([]cell, len(t.aggs))}
	if v.Exists() {
		g.key = bytes.Clone(v.Raw)
	}
	t.groups[string(t.scratch)] = g
	return g, nil
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
	if a.path == nil {
		if a.kind == aggLast {
			c.num = ev.Time()
		}
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
	if has && a.kind == aggCount {
		c.num++
	}
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
		if c.best.Exists() {
			o := newOperand(c.best.Text())
			if d := o.compare(v.TextBytes()); d == 0 || (d < 0) != (a.kind == aggMin) {
				return
			}
		}
		c.best = cloneValue(v)
	}
}

func cloneValue(v contracts.Value) contracts.Value {
	v.Raw = bytes.Clone(v.Raw)
	return v
}

// Row is one group of a table: JSON values in the order of Columns.
type Row struct {
	Count int64
	Cells [][]byte
}

// Columns names what a row's cells are.
func (t *Table) Columns() []string {
	var names []string
	if t.by != "" {
		names = append(names, t.by)
	}
	for i := range t.aggs {
		names = append(names, t.aggs[i].text)
	}
	return names
}

// Rows gives the groups, largest count first, then by key. Without --by there is
// one row, also of nothing.
func (t *Table) Rows() []Row {
	if t.by == "" && len(t.groups) == 0 {
		t.groups["\x00"] = &group{cells: make([]cell, len(t.aggs))}
	}
	all := make([]*group, 0, len(t.groups))
	for _, g := range t.groups {
		all = append(all, g)
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].count != all[j].count {
			return all[i].count > all[j].count
		}
		return bytes.Compare(all[i].key, all[j].key) < 0
	})
	rows := make([]Row, len(all))
	for i, g := range all {
		rows[i].Count = g.count
		if t.by != "" {
			rows[i].Cells = append(rows[i].Cells, g.key)
		}
		for k := range t.aggs {
			rows[i].Cells = append(rows[i].Cells, t.aggs[k].render(g, &g.cells[k]))
		}
	}
	return rows
}

// render is the JSON of one aggregate; null where there was no value.
func (a *Agg) render(g *group, c *cell) []byte {
	switch a.kind {
	case aggCount:
		if a.path == nil {
			return strconv.AppendInt(nil, g.count, 10)
		}
		return strconv.AppendInt(nil, c.num, 10)
	case aggSum:
		if !c.total.float {
			return strconv.AppendInt(nil, c.total.whole, 10)
		}
		return appendFloat(nil, c.total.value())
	case aggAvg:
		if c.total.n > 0 {
			return appendFloat(nil, c.total.value()/float64(c.total.n))
		}
	case aggQuantile:
		if q, ok := c.samples.quantile(a.q); ok {
			return appendFloat(nil, q)
		}
	case aggLast:
		if a.path == nil && g.count > 0 {
			return contracts.AppendString(nil, time.Unix(0, c.num).UTC().Format(time.RFC3339Nano))
		}
		fallthrough
	case aggMin, aggMax:
		if c.best.Exists() {
			return c.best.Raw
		}
	}
	return []byte("null")
}

// appendFloat writes a number as JSON can hold it; what it cannot is null.
func appendFloat(b []byte, f float64) []byte {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return append(b, "null"...)
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.AppendInt(b, int64(f), 10)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// AppendJSON appends a row as {"F":…,"count":…}.
func (t *Table) AppendJSON(b []byte, r Row) []byte {
	b = append(b, '{')
	for i, name := range t.Columns() {
		if i > 0 {
			b = append(b, ',')
		}
		b = contracts.AppendString(b, name)
		b = append(b, ':')
		b = append(b, r.Cells[i]...)
	}
	return append(b, '}')
}
