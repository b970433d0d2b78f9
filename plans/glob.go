package plans

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"stigmergy/contracts/plan"
)

// walk is one expansion of a glob.
type walk struct {
	*world
	seen  map[string]bool
	found map[string]bool
	files []string
}

// expand gives the files that the globs match, sorted by name, each once. * is
// any part of a name, ** any folders, also none. Names that begin with a dot
// are found where the glob has the dot, as in a shell; links to folders are not
// followed but where the glob names them; the board itself is not looked into
// unless it is named.
func (w *world) expand(globs []string) ([]string, error) {
	k := &walk{world: w, seen: map[string]bool{}, found: map[string]bool{}}
	for _, g := range globs {
		clear(k.seen)
		if err := k.segments(".", segments(g)); err != nil {
			return nil, err
		}
	}
	slices.Sort(k.files)
	return k.files, nil
}

// segments takes a glob apart; a ** at its end means the files in there.
func segments(glob string) []string {
	var out []string
	for _, s := range strings.Split(glob, "/") {
		if s != "**" || len(out) == 0 || out[len(out)-1] != "**" {
			out = append(out, s)
		}
	}
	if out[len(out)-1] == "**" {
		out = append(out, "*")
	}
	return out
}

func (k *walk) segments(dir string, segs []string) error {
	key := fmt.Sprintf("%d:%s", len(segs), dir)
	if k.seen[key] {
		return nil
	}
	k.seen[key] = true
	seg, rest := segs[0], segs[1:]
	if seg != "**" && !strings.ContainsAny(seg, `*?[\`) {
		return k.literal(path.Join(dir, seg), rest)
	}
	if seg == "**" {
		if err := k.segments(dir, rest); err != nil {
			return err
		}
	}
	entries, err := k.list(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return k.trouble(dir, err)
	}
	for _, e := range entries {
		if err := k.entry(path.Join(dir, e.Name()), e, segs); err != nil {
			return err
		}
	}
	return nil
}

// literal follows a name as it stands, links too.
func (k *walk) literal(name string, rest []string) error {
	fi, err := k.root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return k.trouble(name, err)
	case len(rest) > 0 && fi.IsDir():
		return k.segments(name, rest)
	case len(rest) == 0 && fi.Mode().IsRegular():
		return k.add(name)
	}
	return nil
}

// entry is one entry of a folder that a segment with wildcards may match.
func (k *walk) entry(name string, e fs.DirEntry, segs []string) error {
	seg, base := segs[0], e.Name()
	hidden := base[0] == '.' && seg[0] != '.'
	if hidden || e.IsDir() && name == k.skip {
		return nil
	}
	if seg == "**" {
		if e.IsDir() {
			return k.segments(name, segs)
		}
		return nil
	}
	if ok, _ := path.Match(seg, base); !ok {
		return nil
	}
	switch {
	case len(segs) > 1 && e.IsDir():
		return k.segments(name, segs[1:])
	case len(segs) > 1 || e.IsDir():
		return nil
	case e.Type()&fs.ModeSymlink != 0:
		return k.link(name)
	case e.Type().IsRegular():
		return k.add(name)
	}
	return nil
}

// link takes a link to a file in: one that leaves the root, or leads nowhere,
// is told when it is opened.
func (k *walk) link(name string) error {
	if fi, err := k.root.Stat(name); err == nil && !fi.Mode().IsRegular() {
		return nil
	}
	return k.add(name)
}

func (k *walk) add(name string) error {
	if k.found[name] {
		return nil
	}
	if len(k.files) == plan.MaxInputs {
		return &trouble{name, fmt.Sprintf("at most %d files", plan.MaxInputs), "more", "a narrower glob, or several stages"}
	}
	k.found[name] = true
	k.files = append(k.files, name)
	return nil
}

func sortEntries(entries []fs.DirEntry) {
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
}
