package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
	"stigmergy/contracts/exemplar"
	"stigmergy/exemplars"
	"stigmergy/exemplars/feed"
)

type exemplarCmd struct {
	Ingest  exemplarIngest  `cmd:"" help:"Post packets, and wait until the store has them."`
	Ls      exemplarLs      `cmd:"" help:"List runs, the newest first."`
	Rollup  exemplarRollup  `cmd:"" help:"Add runs up."`
	Rebuild exemplarRebuild `cmd:"" help:"Make the store anew from the board."`
}

type exemplarIngest struct {
	File    []string      `arg:"" help:"Files that hold one packet each (- for standard input)."`
	Lane    string        `short:"l" placeholder:"LANE" help:"The lane to post on (default: $$STIGMERGY_LANE, else post-USER)."`
	Timeout time.Duration `default:"30s" placeholder:"TIME" help:"How long to wait for the daemon."`
}

// Help says the rest.
func (exemplarIngest) Help() string {
	return `A packet is checked against the contract hfo_exemplar_event, its exemplar_id against its content, and every file of its source_hashes against the hash that stands there; then it is posted as hfo.exemplar. A running daemon takes it into the store; without one the command does, under the store's lock. Either way a receipt is written below root: artifacts/exemplar_ingest/.

A packet that is in the store already is not posted again: new is false.

Exit status 65: no packet; 1: its sources are not what it says; 124 after --timeout. The files after a bad one are taken in all the same.`
}

// Run takes every file in.
func (c *exemplarIngest) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	p := a.printer()
	var failed error
	for _, name := range c.File {
		res, err := c.one(a, l, name)
		if err != nil {
			var f *Fault
			if errors.As(err, &f) && f.Path == "" {
				f.Path = name
			}
			if failed != nil {
				a.note("stigmergy: %v", failed)
			}
			if failed = err; a.ctx.Err() != nil {
				break
			}
			continue
		}
		if err := p.add(record{
			text("exemplar_id", res.ExemplarID), text("scope", res.Scope), text("outcome", res.Outcome), flag("new", res.New),
			text("position", res.Position), text("receipt_path", res.ReceiptPath),
		}); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	return failed
}

// one takes one file in.
func (c *exemplarIngest) one(a *app, l layout.Layout, name string) (exemplars.Result, error) {
	raw, err := readPacket(a, name)
	if err != nil {
		return exemplars.Result{}, err
	}
	packet, err := sealPacket(name, raw)
	if err != nil {
		return exemplars.Result{}, err
	}
	if err := c.sources(a, l, packet); err != nil {
		return exemplars.Result{}, err
	}
	return a.remember(l, c.Lane, packet, c.Timeout)
}

// sources looks at a packet's sources before anything is posted.
func (c *exemplarIngest) sources(a *app, l layout.Layout, packet []byte) error {
	s, err := a.someSettings(l)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(s.Root(l.Dir))
	if err != nil {
		return fmt.Errorf("opening root, where packets' paths resolve: %w", err)
	}
	defer root.Close()
	return storeFault(exemplars.CheckSources(a.ctx, root, packet))
}

func readPacket(a *app, name string) ([]byte, error) {
	if name == "-" {
		raw, err := io.ReadAll(io.LimitReader(a.in, maxSmall+1))
		if err == nil && len(raw) > maxSmall {
			err = fmt.Errorf("more than %d bytes, which no packet has", maxSmall)
		}
		if err != nil {
			return nil, &Fault{Doing: "reading an exemplar packet", Path: "standard input", Err: err, Code: codeUsage}
		}
		return raw, nil
	}
	raw, err := readSmall(name)
	if err != nil {
		return nil, &Fault{Doing: "reading an exemplar packet", Path: name, Err: bare(err), Code: codeUsage}
	}
	return raw, nil
}

// bare is a file error without its path.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// sealPacket is a packet in canonical form, or what is wrong with it: with line
// and column, and the pointer.
func sealPacket(name string, raw []byte) ([]byte, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	place := func(offset int64) string {
		line, column := lineColumn(raw, offset)
		return fmt.Sprintf("line %d column %d", line, column)
	}
	if offset, err := jsonFault(raw); err != nil {
		return nil, &Fault{Doing: "reading an exemplar packet", Path: name, Position: place(offset), Err: err, Expected: "one JSON object", Code: codeRefused}
	}
	errs := exemplars.Check(raw)
	if len(errs) == 0 {
		sealed, id, err := exemplar.Seal(raw)
		if err == nil {
			return sealed, nil
		}
		e := contracts.FieldError{Pointer: "/data", Expected: "a packet that RFC 8785 gives a form to", Got: err.Error()}
		if m := exemplar.Misnamed(raw, id); id != "" && m != nil {
			e = *m
		}
		errs = append(errs, e)
	}
	pointer := strings.TrimPrefix(errs[0].Pointer, "/data")
	err := packetFault(name, errs, codeRefused)
	var f *Fault
	if errors.As(err, &f) {
		f.Position = place(jsonOffset(raw, pointer))
		if pointer != "" {
			f.Position += " (" + pointer + ")"
		}
	}
	return nil, err
}

type exemplarRebuild struct{}

// Help says the rest.
func (exemplarRebuild) Help() string {
	return "The store is a cache, .stigmergy/exemplars.db: every row follows from an hfo.exemplar on the board and from its exemplar.ingested or its receipt. Readers see the old rows until the new ones are complete. A damaged store is put aside first."
}

// Run makes the store anew.
func (exemplarRebuild) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	f, err := a.feed(l)
	if err != nil {
		return err
	}
	n, err := f.Rebuild(a.ctx)
	if err != nil {
		return a.stopped(storeFault(err))
	}
	return a.one(record{number("exemplars", n)})
}

// exemplarStore opens the store to look at it. One that is not there, though
// the board has exemplars, is made; nil if there are none.
func (a *app) exemplarStore() (*exemplars.Store, error) {
	l, err := a.board()
	if err != nil {
		return nil, err
	}
	s, err := exemplars.OpenRead(feed.Path(l))
	if errors.Is(err, exemplars.ErrNoStore) {
		f, ferr := a.feed(l)
		if ferr != nil {
			return nil, ferr
		}
		if _, err = f.Rebuild(a.ctx); err == nil {
			s, err = exemplars.OpenRead(feed.Path(l))
		}
	}
	return s, storeFault(err)
}
