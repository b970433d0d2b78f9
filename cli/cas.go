package cli

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	return "An object stays if its name stands anywhere in the journal or in any line of the board, refused lines included, or in an object that stays: a plan's manifest names its shards, a base state outputs. Reads the whole history."
}

// Run marks by reading everything, then sweeps.
func (c *casGc) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	cas := durable.CAS{Layout: l}
	g := garbage{loose: map[string]int64{}, facts: map[string]bool{}}
	all := map[string]int64{}
	if err := cas.Each(func(name string, size int64) error {
		g.loose[name], all[name] = size, size
		return nil
	}); err != nil {
		return err
	}
	if err := a.unnamed(l, &g); err != nil {
		return err
	}
	if err := g.follow(cas, all); err != nil {
		return &Fault{Doing: "looking for what the board names", Err: err, Code: codeUsage, Try: "stigmergy doctor"}
	}
	p := a.printer()
	for _, name := range slices.Sorted(maps.Keys(g.loose)) {
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
		if err := p.add(record{text("sha256", name), number("bytes", g.loose[name]), flag("removed", !c.DryRun)}); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil || c.DryRun {
		return err
	}
	return c.unfinished(a, l)
}

// unfinished removes what was begun and never got a name: a killed writer's.
func (c *casGc) unfinished(a *app, l layout.Layout) error {
	list, err := filepath.Glob(filepath.Join(l.CAS(), "??", ".*.tmp"))
	if err != nil {
		return err
	}
	more, err := filepath.Glob(filepath.Join(l.CAS(), ".*.tmp"))
	if err != nil {
		return err
	}
	for _, path := range append(list, more...) {
		if fi, err := os.Lstat(path); err == nil && a.now().Sub(fi.ModTime()) >= c.Grace {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// garbage is what is left when all that is named is taken away.
type garbage struct {
	loose map[string]int64
	facts map[string]bool // named by the journal: states and settings, whose form is their own
}

// follow takes away what objects that stay name themselves.
func (g *garbage) follow(cas durable.CAS, all map[string]int64) error {
	var todo []string
	for name := range all {
		if _, loose := g.loose[name]; !loose {
			todo = append(todo, name)
		}
	}
	for len(todo) > 0 && len(g.loose) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		text, err := naming(cas, name, g.facts[name])
		if err != nil {
			return err
		}
		todo = append(todo, dropNamed(g.loose, text)...)
		if g.facts[name] {
			todo = append(todo, dropRaw(g.loose, text)...)
		}
	}
	return nil
}

// naming is the text of an object that may name others: manifests, chunks and
// notes are JSON. Outputs are what they are: they name nothing to be kept.
func naming(cas durable.CAS, name string, whatever bool) ([]byte, error) {
	f, err := os.Open(cas.Layout.Blob(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var first [16]byte
	n, err := f.ReadAt(first[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head := string(first[:n])
	if !whatever && !strings.HasPrefix(head, `{"v":`) && !strings.HasPrefix(head, `{"cas_id":`) {
		return nil, nil
	}
	return cas.Get(name)
}

// dropRaw deletes every name whose 32 bytes stand in b.
func dropRaw(loose map[string]int64, b []byte) (dropped []string) {
	heads := map[uint64][]string{}
	for name := range loose {
		if raw, err := hex.DecodeString(name); err == nil {
			head := binary.BigEndian.Uint64(raw)
			heads[head] = append(heads[head], name)
		}
	}
	for i := 0; i+32 <= len(b); i++ {
		for _, name := range heads[binary.BigEndian.Uint64(b[i:])] {
			if _, ok := loose[name]; ok && hex.EncodeToString(b[i:i+32]) == name {
				delete(loose, name)
				dropped = append(dropped, name)
			}
		}
	}
	return dropped
}

// unnamed takes out of loose whatever the journal or a line names. A history
// that cannot be read whole keeps everything.
func (a *app) unnamed(l layout.Layout, g *garbage) error {
	loose := g.loose
	_, err := journal.Scan(l, journal.Cursor{}, func(e *journal.Entry, line []byte, _ journal.Cursor) error {
		if e.Kind == journal.State || e.Kind == journal.Config {
			g.facts[e.SHA256] = true
		}
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
func dropNamed(loose map[string]int64, text []byte) (dropped []string) {
	run := 0
	for i, c := range text {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' {
			if run++; run < 64 {
				continue
			}
			if _, ok := loose[string(text[i-63:i+1])]; ok {
				dropped = append(dropped, string(text[i-63:i+1]))
				delete(loose, string(text[i-63:i+1]))
			}
			continue
		}
		run = 0
	}
	return dropped
}
