package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"stigmergy/contracts"
)

// lines appends whole events from r: every good one, in order; a bad one is
// reported with its number and left out. The status is then 65.
func (p *poster) lines(r io.Reader) error {
	w, err := p.watch(p.cmd.Wait)
	if err != nil {
		return err
	}
	var (
		in   = newLineReader(r, p.checker.MaxLine)
		bad  int
		tell error
	)
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && contracts.Blank(line) {
			continue
		}
		if err == nil {
			err = p.lineIn(line, in.n, w)
		}
		var f *Fault
		switch {
		case err == nil:
			continue
		case !errors.As(err, &f) || f.Code != codeRefused && f.Code != codePolicy:
			return err
		}
		p.a.tell(f, f.Code, p.a.line.Output == "json")
		if bad++; tell == nil || f.Code == codeRefused {
			tell = err // 77 only if all were forged
		}
		if p.a.ctx.Err() != nil {
			return p.a.stopped(p.a.ctx.Err())
		}
	}
	if p.rows != nil {
		if err := p.rows.close(); err != nil {
			return err
		}
	}
	if bad > 0 {
		if p.a.line.Output != "json" {
			p.a.note("stigmergy: %d of %d lines were refused and not appended", bad, in.n)
		}
		return errors.Join(w.outcome(), exitWith(exitCode(tell)))
	}
	return w.outcome()
}

// lineIn checks and appends line number n.
func (p *poster) lineIn(line []byte, n int, w *postWatch) error {
	var ev contracts.Event
	if err := p.check(line, &ev, fmt.Sprintf("posting line %d", n)); err != nil {
		return err
	}
	id := ev.ID()
	if pos, dup, err := p.duplicate(id); dup || err != nil {
		if err == nil {
			err = p.print(id, pos)
		}
		return err
	}
	pos, err := p.append(ev.Line)
	if err != nil {
		return err
	}
	if !ev.Env.ID.Present() {
		id = pos.String()
	} else if p.seen != nil {
		p.seen[id] = pos.String()
	}
	w.add(id, pos)
	return p.print(id, pos.String())
}

// lineReader cuts a stream into lines of at most max bytes.
type lineReader struct {
	r   *bufio.Reader
	max int
	n   int // lines so far
	buf []byte
}

func newLineReader(r io.Reader, most int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10), max: most}
}

// next is the next line without LF; a too long one is read past and refused.
func (l *lineReader) next() ([]byte, error) {
	l.buf = l.buf[:0]
	length := 0
	for {
		part, err := l.r.ReadSlice('\n')
		length += len(part)
		if length <= l.max+1 {
			l.buf = append(l.buf, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (!errors.Is(err, io.EOF) || length == 0) {
			return nil, err
		}
		break
	}
	l.n++
	if n := len(l.buf); n > 0 && l.buf[n-1] == '\n' {
		l.buf = l.buf[:n-1]
		length--
	}
	if length > l.max {
		return nil, &Fault{Doing: fmt.Sprintf("posting line %d", l.n), Err: errors.New(string(contracts.ReasonTooLong)),
			Expected: fmt.Sprintf("at most %d bytes", l.max), Found: fmt.Sprintf("%d", length), Code: codeRefused}
	}
	return l.buf, nil
}
