package cli

import (
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"

	"stigmergy/contracts"
)

// cell is one named value of a record, as JSON; nil is null.
type cell struct {
	name string
	json []byte
}

// record is one row of what a command lists: fields in the order in which they
// are shown.
type record []cell

func text[T ~string](name string, s T) cell {
	return cell{name, contracts.AppendString(nil, string(s))}
}

func number[T ~int | ~int64 | ~uint64 | ~uint32](name string, n T) cell {
	if n < 0 {
		return cell{name, strconv.AppendInt(nil, int64(n), 10)}
	}
	return cell{name, strconv.AppendUint(nil, uint64(n), 10)}
}

func flag(name string, b bool) cell { return cell{name, strconv.AppendBool(nil, b)} }

// value is anything that encoding/json writes.
func value(name string, v any) cell {
	raw, err := json.Marshal(v)
	if err != nil {
		return cell{name, nil}
	}
	return cell{name, raw}
}

// plain is a cell's text: a string's own, nothing for null, else the JSON.
func (c cell) plain() []byte {
	switch {
	case len(c.json) == 0 || string(c.json) == "null":
		return nil
	case c.json[0] == '"':
		return jsonText(c.json)
	}
	return c.json
}

// jsonText is the text of a JSON string; what is none comes back as it is.
func jsonText(raw []byte) []byte {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return raw
	}
	return []byte(s)
}

// appendObject writes the record as one JSON object.
func (r record) appendObject(dst []byte) []byte {
	dst = append(dst, '{')
	for i, c := range r {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = contracts.AppendString(dst, c.name)
		dst = append(dst, ':')
		if len(c.json) == 0 {
			dst = append(dst, "null"...)
			continue
		}
		dst = append(dst, c.json...)
	}
	return append(dst, '}')
}

// alignRows is how many rows a table looks at to choose its columns' widths:
// memory stays bounded, and later rows may stick out.
const alignRows = 500

// printer writes records in the format that was asked for.
type printer struct {
	a      *app
	format string
	noHead bool // a table without its header
	wrote  int
	rows   []record
	widths []int
	buf    []byte
}

func (a *app) printer() *printer { return &printer{a: a, format: a.format()} }

// one prints the only record there is: as JSON an object, no array.
func (a *app) one(r record) error {
	p := a.printer()
	if p.format == "json" {
		p.format = "jsonl"
	}
	return errors.Join(p.add(r), p.close())
}

// add prints one record.
func (p *printer) add(r record) error {
	p.wrote++
	p.buf = p.buf[:0]
	switch p.format {
	case "jsonl":
		p.buf = append(p.safe(r.appendObject(nil)), '\n')
	case "json":
		p.buf = append(p.buf, arrayMark(p.wrote)...)
		p.buf = append(p.buf, p.safe(r.appendObject(nil))...)
	case "csv", "tsv":
		if p.wrote == 1 {
			p.separated(r, func(c cell) []byte { return []byte(c.name) })
		}
		p.separated(r, cell.plain)
	case "raw", "id":
		for i, c := range r {
			if i > 0 && p.format == "id" {
				break
			}
			if i > 0 {
				p.buf = append(p.buf, '\t')
			}
			p.buf = append(p.buf, p.safe(c.plain())...)
		}
		p.buf = append(p.buf, '\n')
	default:
		return p.aligned(r)
	}
	_, err := p.a.out.Write(p.buf)
	return err
}

// arrayMark stands before the nth element of a JSON array.
func arrayMark(n int) string {
	if n == 1 {
		return "["
	}
	return ",\n"
}

// close ends what was printed.
func (p *printer) close() error {
	if p.format == "json" {
		end := "]\n"
		if p.wrote == 0 {
			end = "[]\n"
		}
		_, err := p.a.out.Write([]byte(end))
		return err
	}
	return p.drain()
}

// safe is b itself, or what a terminal may be given of it.
func (p *printer) safe(b []byte) []byte {
	if !p.a.out.tty {
		return b
	}
	return appendVisible(nil, b)
}

func (p *printer) separated(r record, of func(cell) []byte) {
	for i, c := range r {
		end, write := byte(','), appendCSV
		if p.format == "tsv" {
			end, write = '\t', appendTSV
		}
		if i > 0 {
			p.buf = append(p.buf, end)
		}
		p.buf = write(p.buf, p.safe(of(c)))
	}
	p.buf = append(p.buf, '\n')
}

// appendCSV writes one field as RFC 4180 has it.
func appendCSV(dst, s []byte) []byte {
	quote := false
	for _, c := range s {
		quote = quote || c == ',' || c == '"' || c == '\n' || c == '\r'
	}
	if !quote && (len(s) == 0 || s[0] != ' ') {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for _, c := range s {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// appendTSV writes one field with backslash escapes, so that a tab is always a
// column's end and a newline a row's.
func appendTSV(dst, s []byte) []byte {
	for _, c := range s {
		switch c {
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\\':
			dst = append(dst, '\\', '\\')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// aligned keeps the first rows back to learn the columns' widths.
func (p *printer) aligned(r record) error {
	if p.widths != nil {
		return p.tableRow(r)
	}
	kept := make(record, len(r))
	for i, c := range r {
		kept[i] = cell{c.name, append([]byte(nil), c.json...)}
	}
	p.rows = append(p.rows, kept)
	if len(p.rows) < alignRows {
		return nil
	}
	return p.drain()
}

// drain prints the rows kept back.
func (p *printer) drain() error {
	if len(p.rows) == 0 {
		return nil
	}
	p.widths = make([]int, len(p.rows[0]))
	for i, c := range p.rows[0] {
		p.widths[i] = len(c.name)
	}
	for _, r := range p.rows {
		for i, c := range r[:min(len(r), len(p.widths))] {
			p.widths[i] = max(p.widths[i], utf8.RuneCount(appendVisible(nil, c.plain())))
		}
	}
	if !p.noHead {
		head := make(record, len(p.rows[0]))
		for i, c := range p.rows[0] {
			head[i] = cell{json: contracts.AppendString(nil, c.name)}
		}
		if err := p.styledRow(head, bold); err != nil {
			return err
		}
	}
	for _, r := range p.rows {
		if err := p.tableRow(r); err != nil {
			return err
		}
	}
	p.rows = nil
	return nil
}

func (p *printer) tableRow(r record) error { return p.styledRow(r, plain) }

// styledRow writes one row: numbers to the right, the last column as it comes.
func (p *printer) styledRow(r record, s style) error {
	p.buf = p.buf[:0]
	for i, c := range r {
		cellText := string(appendVisible(nil, c.plain()))
		pad := 0
		if i < len(p.widths) {
			pad = max(p.widths[i]-utf8.RuneCountInString(cellText), 0)
		}
		right := len(c.json) > 0 && (c.json[0] == '-' || c.json[0] >= '0' && c.json[0] <= '9')
		if right {
			p.buf = appendSpaces(p.buf, pad)
		}
		p.buf = paint(p.buf, p.a.colors(), s, cellText)
		if i < len(r)-1 {
			if !right {
				p.buf = appendSpaces(p.buf, pad)
			}
			p.buf = append(p.buf, ' ', ' ')
		}
	}
	p.buf = append(p.buf, '\n')
	_, err := p.a.out.Write(p.buf)
	return err
}

func appendSpaces(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ' ')
	}
	return dst
}
