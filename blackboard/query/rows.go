package query

import (
	"bytes"
	"math"
	"sort"
	"strconv"
	"time"

	"stigmergy/contracts"
)

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
