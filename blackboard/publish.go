package blackboard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// publisher writes the owned lanes: pwrite at offsets that the journal fixed,
// on descriptors without O_APPEND. The kernel's goroutine owns it.
type publisher struct {
	layout layout.Layout
	root   *os.Root
	disk   *durable.Disk
	files  map[string]*owned
	uses   uint64

	entries []*journal.Entry // buffers
	dirty   []string
	notes   []pendingNote
}

// owned is the active file of one owned lane, opened for writing.
type owned struct {
	f       *os.File
	segment uint64
	end     int64 // where our bytes end; what stands behind is foreign
	used    uint64
}

func newPublisher(l layout.Layout, disk *durable.Disk) (*publisher, error) {
	root, err := os.OpenRoot(l.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the board: %w", err)
	}
	return &publisher{layout: l, root: root, disk: disk, files: map[string]*owned{}}, nil
}

func (p *publisher) close() error {
	var errs []error
	for _, o := range p.files {
		errs = append(errs, o.f.Close())
	}
	return errors.Join(append(errs, p.root.Close())...)
}

// surprise is what stood in an owned lane and was not ours.
type surprise struct {
	kind     string // foreign, destroyed, replaced
	from, to int64
	bytes    []byte // of foreign ones
}

// maxOwned is how many owned lanes are held open; every lane with a refused
// line has one in quarantine.
const maxOwned = 128

// file opens an owned lane's active segment; end is where its bytes end. fresh
// says that it was not held open: somebody may have changed it unseen.
func (p *publisher) file(lane string, segment uint64, end int64) (o *owned, fresh bool, err error) {
	p.uses++
	if o := p.files[lane]; o != nil {
		if o.used = p.uses; o.segment == segment {
			return o, false, nil
		}
		if err := p.forget(lane); err != nil {
			return nil, false, err
		}
	}
	if len(p.files) >= maxOwned {
		if err := p.forget(p.oldest()); err != nil {
			return nil, false, err
		}
	}
	f, err := p.open(layout.LaneRel(lane))
	if err != nil {
		return nil, false, fmt.Errorf("opening the owned lane %s: %w", lane, err)
	}
	o = &owned{f: f, segment: segment, end: end, used: p.uses}
	p.files[lane] = o
	return o, true, nil
}

// oldest is the open lane that was not used for longest.
func (p *publisher) oldest() (lane string) {
	least := uint64(1<<64 - 1)
	for name, o := range p.files {
		if o.used < least {
			lane, least = name, o.used
		}
	}
	return lane
}

// forget closes a lane's descriptor; a rotated segment must have no writer.
func (p *publisher) forget(lane string) error {
	o := p.files[lane]
	if o == nil {
		return nil
	}
	delete(p.files, lane)
	return o.f.Close()
}

var errNotRegular = errors.New("it is not a regular file")

// errChanged says that a name was given to another file meanwhile.
var errChanged = errors.New("it changed while it was opened")

// open never follows a link out of the board, never blocks on a FIFO, and
// moves what is no regular file out of the way.
func (p *publisher) open(rel string) (*os.File, error) {
	if err := p.root.MkdirAll(filepath.Dir(rel), 0o755); err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ {
		f, err := p.openOnce(rel)
		switch {
		case err == nil || tries > 3:
			return f, err
		case errors.Is(err, errNotRegular):
			err = p.putAside(rel, false)
		case errors.Is(err, errChanged), errors.Is(err, fs.ErrExist):
			err = nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *publisher) openOnce(rel string) (*os.File, error) {
	fi, err := p.root.Lstat(rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return p.root.OpenFile(rel, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NONBLOCK, 0o644)
	case err != nil:
		return nil, err
	case !fi.Mode().IsRegular():
		return nil, errNotRegular
	}
	f, err := p.root.OpenFile(rel, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if got, err := f.Stat(); err != nil || !os.SameFile(fi, got) {
		return nil, errors.Join(fmt.Errorf("%s: %w", rel, errChanged), err, f.Close())
	}
	return f, nil
}

// beside is another name beside a file's.
func beside(rel, suffix string) string {
	dir, name := filepath.Split(rel)
	return filepath.Join(dir, name[:min(len(name), nameMax-1-len(suffix))]+suffix)
}

// putAside gives whatever stands at an owned lane's name another one, or a
// second one, so that the name is never missing.
func (p *publisher) putAside(rel string, second bool) error {
	for n := 1; ; n++ {
		to := beside(rel, fmt.Sprintf(".foreign-%d", n))
		if _, err := p.root.Lstat(to); err == nil {
			continue
		}
		if second && p.root.Link(rel, to) == nil {
			return nil
		}
		return p.root.Rename(rel, to)
	}
}

// keep puts an owned lane's file aside that somebody changed: all of it, or a
// copy where some of it is ours.
func (p *publisher) keep(lane string, o *owned, copied bool) error {
	rel := layout.LaneRel(lane)
	if !copied {
		return errors.Join(p.forget(lane), p.putAside(rel, false))
	}
	for n := 1; ; n++ {
		to, err := p.root.OpenFile(beside(rel, fmt.Sprintf(".foreign-%d", n)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		fi, err := o.f.Stat()
		if err == nil { // it may be shorter, too
			err = copyRange(to, o.f, min(o.end, fi.Size()))
		}
		return errors.Join(err, p.disk.Sync(to), to.Close())
	}
}

// inspect tells what somebody else did to a lane: bytes behind ours, bytes of
// ours cut off, the file gone or another one in its place.
func (p *publisher) inspect(lane string, o *owned) ([]surprise, error) {
	fi, err := o.f.Stat()
	if err != nil {
		return nil, err
	}
	var found []surprise
	at, err := p.root.Lstat(layout.LaneRel(lane))
	if err != nil || !os.SameFile(at, fi) {
		if err := p.restore(lane, o); err != nil {
			return nil, err
		}
		found = append(found, surprise{kind: "replaced"})
		if fi, err = o.f.Stat(); err != nil {
			return nil, err
		}
	}
	if fi.Size() < o.end {
		found = append(found, surprise{kind: "destroyed", from: fi.Size(), to: o.end})
	}
	if fi.Size() > o.end {
		b, err := readForeign(o.f, o.end, fi.Size())
		if err != nil {
			return nil, err
		}
		found = append(found, surprise{kind: "foreign", from: o.end, to: fi.Size(), bytes: b})
	}
	return found, nil
}

// maxForeign is how much of foreign bytes is kept; the rest is counted.
const maxForeign = 16 << 20

func readForeign(f *os.File, from, to int64) ([]byte, error) {
	b := make([]byte, min(to-from, maxForeign))
	n, err := f.ReadAt(b, from)
	if n == len(b) {
		err = nil
	}
	return b[:n], err
}

// restore puts our bytes back under the lane's name where the file was
// deleted or another one was put in its place; that one gets another name. The
// copy is whole before it has the name.
func (p *publisher) restore(lane string, o *owned) error {
	rel := layout.LaneRel(lane)
	dir, name := filepath.Split(beside(rel, ".tmp"))
	tmp := filepath.Join(dir, "."+name)
	if err := p.root.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := p.open(tmp)
	if err != nil {
		return err
	}
	if err := copyRange(f, o.f, o.end); err != nil {
		return errors.Join(err, f.Close())
	}
	if _, there := p.root.Lstat(rel); there == nil {
		err = p.putAside(rel, true)
	}
	if err == nil {
		if err = p.disk.Step(); err == nil {
			err = p.root.Rename(tmp, rel)
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("putting back %s: %w", rel, err), f.Close())
	}
	old := o.f
	o.f = f
	return old.Close()
}

func copyRange(dst, src *os.File, end int64) error {
	buf := make([]byte, 256<<10)
	for off := int64(0); off < end; {
		n, err := src.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
		if n == 0 {
			return err
		}
		if _, err := dst.WriteAt(buf[:n], off); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

// quick says whether a lane looks as we left it; three stats, no read.
func (o *owned) quick() (bool, error) {
	fi, err := o.f.Stat()
	if err != nil {
		return false, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return fi.Size() == o.end && (!ok || st.Nlink > 0), nil
}

// write puts derived bytes at their place.
func (p *publisher) write(o *owned, d *Derived) error {
	if _, err := p.disk.WriteAt(o.f, d.Bytes, d.From); err != nil {
		return fmt.Errorf("publishing to the lane %s at byte %d: %w", d.Lane, d.From, err)
	}
	o.end = d.From + int64(len(d.Bytes))
	return nil
}
