package lanes

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"stigmergy/blackboard/layout"
)

// folder is one directory that can hold lanes, or contracts.
type folder struct {
	id      identity
	mtime   int64
	racy    bool // listed in the clock tick of its last change
	watched bool
}

// folders is what is known of the board's folders, by board-relative path.
type folders struct {
	by   map[string]*folder
	byID map[identity]string
	deaf map[string]*folder // that could not be watched
}

func newFolders() *folders {
	return &folders{by: map[string]*folder{}, byID: map[identity]string{}, deaf: map[string]*folder{}}
}

const contractsDir = "contracts"

// parent is the folder of a board-relative path, "." for the board itself.
func parent(rel string) string {
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		return rel[:i]
	}
	return "."
}

func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// wanted says whether a folder is to be known at all.
func wanted(rel string) bool {
	if rel == "." || rel == contractsDir {
		return true
	}
	top, _, _ := strings.Cut(rel, "/")
	if layout.SkipDir(top) {
		return false
	}
	base := path.Base(rel)
	return base[0] != '.' && !strings.HasSuffix(base, layout.LaneExt)
}

// known says whether a folder's entries are looked at; one that was not come
// across yet is, if all folders above it are there.
func (r *round) known(dir string) bool {
	if _, ok := r.s.folders.by[dir]; ok {
		return true
	}
	if dir == "." || !wanted(dir) || !r.known(parent(dir)) {
		return false
	}
	r.folder(dir)
	_, ok := r.s.folders.by[dir]
	return ok
}

// folder looks at a path that may be a folder.
func (r *round) folder(rel string) {
	st, err := r.s.stat(rel)
	r.folderIs(rel, st, err, false)
}

// folderIs settles such a path; entry: its name came or went, and a watch may
// have gone with it.
func (r *round) folderIs(rel string, st stat, err error, entry bool) {
	d := r.s.folders.by[rel]
	switch {
	case err != nil && !missing(err):
		r.unreadable(rel, "", nil, err)
	case err != nil || !st.folder():
		if err != nil {
			delete(r.s.said, rel)
		}
		if d != nil {
			r.folderGone(rel)
		}
	case d == nil || d.id != st.identity:
		if d != nil {
			r.folderGone(rel)
		}
		r.folderCame(rel, st)
	case entry:
		// Its watch may have ended, by the folder's own rename; what happened in
		// it since then went unheard.
		d.watched = false
		r.list(rel, d, st)
		r.inside(rel)
	case d.mtime != st.mtime || d.racy:
		r.list(rel, d, st)
	}
}

// inside looks at everything known in a folder.
func (r *round) inside(rel string) {
	s := r.s
	prefix := rel + "/"
	if rel == "." {
		prefix = ""
	}
	for p := range s.at {
		if strings.HasPrefix(p, prefix) {
			r.add(p, false)
		}
	}
	for p := range s.owned {
		if strings.HasPrefix(p, prefix) {
			r.add(p, false)
		}
	}
	for p := range s.config {
		if strings.HasPrefix(p, prefix) {
			r.add(p, false)
		}
	}
}

// folderCame watches a new folder and then lists it, in this order, so that
// what comes into it meanwhile is seen at least once.
func (r *round) folderCame(rel string, st stat) {
	f := r.s.folders
	if old, ok := f.byID[st.identity]; ok && old != rel {
		r.folderGone(old) // renamed: its watch would go on naming the old path
	}
	if st.dev != 0 {
		r.s.mounted(rel, st.dev)
	}
	d := &folder{id: st.identity}
	f.by[rel], f.byID[d.id] = d, rel
	r.list(rel, d, st)
}

// folderGone forgets a folder and looks at all that was in it.
func (r *round) folderGone(rel string) {
	s := r.s
	r.inside(rel)
	prefix := rel + "/"
	for p, d := range s.folders.by {
		if p != rel && !strings.HasPrefix(p, prefix) {
			continue
		}
		delete(s.folders.by, p)
		delete(s.folders.deaf, p)
		if s.folders.byID[d.id] == p {
			delete(s.folders.byID, d.id)
		}
		if s.watch != nil {
			s.watch.remove(p)
		}
	}
	for p := range s.said {
		if strings.HasPrefix(p, prefix) {
			delete(s.said, p)
		}
	}
}

// list makes every entry of a folder dirty that is not tracked yet.
func (r *round) list(rel string, d *folder, st stat) {
	r.listen(rel, d)
	d.mtime, d.racy = st.mtime, racy(st.mtime)
	dir, err := r.s.openFolder(rel)
	if err != nil {
		if !missing(err) {
			r.unreadable(rel, "", nil, err)
		}
		return
	}
	defer dir.Close()
	r.readable(rel)
	for {
		entries, err := dir.ReadDir(1024)
		for _, e := range entries {
			r.entry(rel, e)
		}
		if err != nil {
			if err != io.EOF {
				r.unreadable(rel, "", nil, err)
			}
			return
		}
	}
}

func (r *round) entry(dir string, e fs.DirEntry) {
	rel := join(dir, e.Name())
	_, isLane := layout.LaneName(rel)
	switch {
	case isLane && r.s.at[rel] == nil, isConfig(rel):
		r.add(rel, false)
	case isLane || dir == contractsDir:
	case e.IsDir():
		if wanted(rel) {
			r.add(rel, true)
		}
	case e.Type()&fs.ModeSymlink != 0:
		r.add(rel, true)
	}
}

// listen has a folder watched, or notes why that cannot be.
func (r *round) listen(rel string, d *folder) {
	s := r.s
	if s.watch == nil || d.watched {
		return
	}
	err := s.watch.add(rel)
	if d.watched = err == nil; d.watched {
		delete(s.folders.deaf, rel)
		return
	}
	if !missing(err) {
		s.folders.deaf[rel] = d
		s.polling.deaf = fmt.Errorf("watching %s: %w", s.abs(rel), err)
	}
}

// outside has the folder of a file watched that is not among the lanes' (a
// rotated segment's); rel is where t's file is now, empty for nowhere.
func (s *Set) outside(t *Tail, rel string) {
	dir := ""
	if rel != "" && !wanted(parent(rel)) {
		dir = parent(rel)
	}
	if dir == t.outside {
		return
	}
	if dir != "" {
		if s.abroad[dir]++; s.abroad[dir] == 1 && s.watch != nil {
			_ = s.watch.add(dir) // a sweep finds what no watch tells
		}
	}
	if old := t.outside; old != "" {
		if s.abroad[old]--; s.abroad[old] == 0 {
			delete(s.abroad, old)
			if s.watch != nil {
				s.watch.remove(old)
			}
		}
	}
	t.outside = dir
}
