package cli

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
)

type casCmd struct {
	Cat casCat `cmd:"" help:"Print an object, its SHA-256 verified."`
	Ls  casLs  `cmd:"" help:"List the objects."`
	Gc  casGc  `cmd:"" help:"Remove objects that nothing on the board names."`
}

type casCat struct {
	SHA256 string `arg:"" name:"sha256" help:"The object's name: 64 hex digits."`
}

// Run prints an object.
func (c *casCat) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	b, err := durable.CAS{Layout: l}.Get(c.SHA256)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Fault{Doing: "reading an object", Found: "none named " + clip(c.SHA256), Code: codeNone, Try: "stigmergy cas ls"}
	case errors.Is(err, durable.ErrDamaged):
		return &Fault{Err: err, Path: l.Blob(c.SHA256), Code: codeUsage, Try: "stigmergy doctor"}
	case err != nil:
		return badUse(err)
	}
	if a.out.tty {
		b = []byte(visible(string(b)))
	}
	_, err = a.out.Write(b)
	return err
}

type casLs struct{}

// Run lists the objects.
func (casLs) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	p := a.printer()
	err = durable.CAS{Layout: l}.Each(func(name string, size int64) error {
		return p.add(record{text("sha256", name), number("bytes", size)})
	})
	return errors.Join(err, p.close())
}

type casGc struct {
	DryRun bool          `name:"dry-run" help:"Only list what would be removed."`
	Grace  time.Duration `default:"24h" placeholder:"TIME" help:"Keep what is younger than this."`
}

// Help says the rest.
func (casGc) Help() string {
	return "An object stays if its name stands anywhere in the journal or in any line of the board, refused lines included. Reads the whole history."
}

// Run marks by reading everything, then sweeps.
func (c *casGc) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	loose := map[string]int64{}
	if err := (durable.CAS{Layout: l}).Each(func(name string, size int64) error {
		loose[name] = size
		return nil
	}); err != nil {
		return err
	}
	if err := a.unnamed(l, loose); err != nil {
		return err
	}
	p := a.printer()
	for name, size := range loose {
		path := l.Blob(name)
		fi, err := os.Lstat(path)
		if err != nil || a.now().Sub(fi.ModTime()) < c.Grace {
			continue
		}
		if !c.DryRun {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
		if err := p.add(record{text("sha256", name), number("bytes", size), flag("removed", !c.DryRun)}); err != nil {
			return err
		}
	}
	return p.close()
}

// unnamed takes out of loose whatever the journal or a line names. A history
// that cannot be read whole keeps everything.
func (a *app) unnamed(l layout.Layout, loose map[string]int64) error {
	_, err := journal.Scan(l, journal.Cursor{}, func(_ *journal.Entry, line []byte, _ journal.Cursor) error {
		dropNamed(loose, line)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	e, err := a.engine(l)
	if err != nil {
		return err
	}
	defer e.Close()
	for _, quarantined := range []bool{false, true} {
		res, err := e.Run(a.ctx, query.Request{Quarantined: quarantined}, func(h *query.Hit) error {
			dropNamed(loose, h.Line)
			return nil
		})
		if err == nil && len(res.Damaged) > 0 {
			return &Fault{Doing: "looking for what the board names", Path: res.Damaged[0].Path, Err: res.Damaged[0].Err, Code: codeUsage, Try: "stigmergy archive check"}
		}
		if err != nil {
			return a.stopped(queryFault(err))
		}
	}
	return nil
}

// dropNamed deletes every name that stands in text: runs of 64 hex digits, at
// any place in a longer run.
func dropNamed(loose map[string]int64, text []byte) {
	run := 0
	for i, c := range text {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' {
			if run++; run >= 64 {
				delete(loose, string(text[i-63:i+1]))
			}
			continue
		}
		run = 0
	}
}
