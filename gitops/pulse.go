package gitops

import (
	"os"
	"path/filepath"
	"strings"
)

// Pulse is what runs left unfinished in a working tree.
type Pulse struct {
	Top    string
	Dead   []string // ids of runs that ended without ending
	Behind []string // commits that the person's index could not follow
	Paths  []string // what they changed, some of it
	Locked bool     // index.lock stands
}

// Feel looks for unfinished work in the working tree that holds dir; nothing is
// changed. A folder in no working tree has none.
func Feel(dir string, environ []string) (*Pulse, error) {
	r, err := open(dir, environ, false, nil)
	if err != nil {
		return nil, err
	}
	p := &Pulse{Top: r.top, Locked: exists(r.file("index.lock"))}
	dead, err := r.dead()
	if err != nil {
		return nil, err
	}
	for _, m := range dead {
		p.Dead = append(p.Dead, m.RunID)
		_ = m.file.Close() // only looked at
	}
	list, err := os.ReadDir(r.file("stigmergy/behind"))
	if err != nil {
		return p, nil
	}
	for _, e := range list {
		name := filepath.Base(e.Name())
		if !hexName(name) || strings.HasPrefix(name, ".") {
			continue
		}
		p.Behind = append(p.Behind, name)
		if c, err := r.inspect(name); err == nil {
			p.Paths = append(p.Paths, shown(paths(c.changes))...)
		}
	}
	return p, nil
}
