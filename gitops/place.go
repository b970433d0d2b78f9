package gitops

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"stigmergy/contracts"
)

// Fault is one thing wrong with a file, and where.
type Fault struct {
	File     string
	Line     int // from 1; 0: the whole file
	Column   int // in bytes, from 1
	Pointer  string
	Expected string
	Found    string
}

// Place is FILE:LINE:COLUMN: POINTER, as far as it is known.
func (f *Fault) Place() string {
	s := ""
	if f.Line > 0 {
		s = fmt.Sprintf("%d:%d", f.Line, f.Column)
	}
	if f.Pointer != "" {
		s = strings.TrimPrefix(s+": "+f.Pointer, ": ")
	}
	return s
}

func (f *Fault) Error() string {
	s := f.File
	if p := f.Place(); p != "" {
		s += ":" + p
	}
	return s + ": expected " + f.Expected + ", found " + f.Found
}

// Faults are all things wrong with one file, at least one.
type Faults []*Fault

func (f Faults) Error() string {
	s := f[0].Error()
	if n := len(f); n > 1 {
		s += fmt.Sprintf(" (the first of %d faults)", n)
	}
	return s
}

const (
	maxFileDepth = 64
	maxFaults    = 100
)

// document is a JSON file that was read once for its places: every value's
// offset by its JSON pointer.
type document struct {
	name string
	text []byte
	at   map[string]int
}

// parse reads a JSON file: one value, no name twice in an object, bounded
// depth. What is wrong comes back with its line.
func parse(name string, text []byte) (*document, error) {
	d := &document{name: name, text: text, at: map[string]int{}}
	body := bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	w := &placeWalker{d: d, base: len(text) - len(body), body: body, dec: json.NewDecoder(bytes.NewReader(body))}
	w.dec.UseNumber()
	err := w.value("", 0)
	if err == nil {
		at := w.here()
		if _, err = w.dec.Token(); errors.Is(err, io.EOF) {
			return d, nil
		}
		f := &Fault{File: name, Expected: "nothing after the value", Found: "more text"}
		f.Line, f.Column = lineOf(text, at)
		return nil, Faults{f}
	}
	return nil, w.fault(err)
}

type placeWalker struct {
	d    *document
	base int
	body []byte
	dec  *json.Decoder
}

func (w *placeWalker) here() int {
	i := int(w.dec.InputOffset())
	for i < len(w.body) && strings.IndexByte(" \t\r\n,:", w.body[i]) >= 0 {
		i++
	}
	return w.base + i
}

func (w *placeWalker) value(pointer string, depth int) error {
	w.d.at[pointer] = w.here()
	if depth > maxFileDepth {
		return &Fault{Pointer: pointer, Expected: fmt.Sprintf("at most %d levels of nesting", maxFileDepth), Found: "more"}
	}
	t, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		return w.members(pointer, depth)
	case json.Delim('['):
		for i := 0; w.dec.More(); i++ {
			if err := w.value(fmt.Sprintf("%s/%d", pointer, i), depth+1); err != nil {
				return err
			}
		}
		_, err = w.dec.Token()
	}
	return err
}

func (w *placeWalker) members(pointer string, depth int) error {
	for w.dec.More() {
		at := w.here()
		key, err := w.dec.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return &Fault{Pointer: pointer, Expected: "a name in double quotes", Found: fmt.Sprint(key)}
		}
		child := pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if _, twice := w.d.at[child]; twice {
			w.d.at[child] = at
			return &Fault{Pointer: child, Expected: "each name once", Found: "it a second time"}
		}
		if err := w.value(child, depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

// fault gives a reader's error its line.
func (w *placeWalker) fault(err error) error {
	var f *Fault
	if !errors.As(err, &f) {
		at := int(w.dec.InputOffset()) + w.base
		f = &Fault{Expected: "JSON", Found: err.Error()}
		var syn *json.SyntaxError
		if errors.As(err, &syn) {
			at = int(syn.Offset) - 1 + w.base
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			at, f.Found = len(w.d.text), "the end of the file"
		}
		f.File = w.d.name
		f.Line, f.Column = lineOf(w.d.text, at)
		return Faults{f}
	}
	return Faults{w.d.fault(f.Pointer, f.Expected, f.Found)}
}

// fault is one at a value, or at what is nearest above it.
func (d *document) fault(pointer, expected, found string) *Fault {
	f := &Fault{File: d.name, Pointer: pointer, Expected: expected, Found: found}
	for p := pointer; ; p = p[:strings.LastIndexByte(p, '/')] {
		if at, ok := d.at[p]; ok {
			f.Line, f.Column = lineOf(d.text, at)
			return f
		}
		if p == "" {
			return f
		}
	}
}

func lineOf(text []byte, at int) (line, column int) {
	at = max(0, min(at, len(text)))
	before := text[:at]
	return bytes.Count(before, []byte{'\n'}) + 1, at - bytes.LastIndexByte(before, '\n')
}

// check holds the file against a contract.
func (d *document) check(contract string) Faults {
	var out Faults
	body := bytes.TrimPrefix(d.text, []byte("\xef\xbb\xbf"))
	for _, e := range contracts.FileContract(contract).Check(body) {
		if len(out) < maxFaults {
			out = append(out, d.fault(e.Pointer, e.Expected, e.Got))
		}
	}
	return out
}
