package lanes

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// file is one regular file by its identity, held open where there are
// descriptors for it. An open descriptor is what lets a deleted file be read
// to its end; one that was closed for want of descriptors is opened again by
// name and compared.
type file struct {
	id   identity
	pool *pool

	path string // pool.mu: where to open it again; "" when it has no name
	refs int    // pool.mu
	pins int    // pool.mu: calls that are using fd now
	away bool   // pool.mu: it has a name, but none to open it by
	dead bool   // pool.mu: it was let go; the last pin closes it
	next *file  // pool.mu: ring, most recently used first; nil when closed
	prev *file
	fd   int // pool.mu; fixed while pinned
}

// pool is the open files of a Set, least recently used ones closed first.
type pool struct {
	open func(rel string) (int, stat, error)
	max  int

	mu   sync.Mutex
	ring file // mu: its next is the most recently used open file
	held int  // mu: open files
}

func newPool(max int, open func(string) (int, stat, error)) *pool {
	p := &pool{open: open, max: max}
	p.ring.next, p.ring.prev = &p.ring, &p.ring
	return p
}

// file makes a record of a file; fd may be -1.
func (p *pool) file(id identity, path string, fd int) *file {
	f := &file{id: id, pool: p, path: path, fd: -1, refs: 1}
	if fd >= 0 {
		p.mu.Lock()
		p.put(f, fd)
		p.mu.Unlock()
	}
	return f
}

// put makes fd f's descriptor, with p.mu held.
func (p *pool) put(f *file, fd int) {
	f.fd = fd
	p.held++
	p.front(f)
	p.evict(p.max)
}

func (p *pool) front(f *file) {
	if f.next != nil {
		f.next.prev, f.prev.next = f.prev, f.next
	}
	f.next, f.prev = p.ring.next, &p.ring
	f.next.prev, p.ring.next = f, f
}

// evict closes least recently used files until no more than max are open; in
// the last resort ones that were moved away. A deleted one stays: closed, it
// would be lost.
func (p *pool) evict(max int) {
	for _, away := range []bool{false, true} {
		for f := p.ring.prev; f != &p.ring && p.held > max; {
			prev := f.prev
			if (f.path != "" || away && f.away) && f.pins == 0 && f != p.ring.next {
				p.shut(f)
			}
			f = prev
		}
	}
}

// shut closes f's descriptor, with p.mu held, once nobody uses it.
func (p *pool) shut(f *file) {
	if f.next == nil || f.pins > 0 {
		return
	}
	f.next.prev, f.prev.next = f.prev, f.next
	f.next, f.prev = nil, nil
	unix.Close(f.fd)
	f.fd = -1
	p.held--
}

// ensure opens f if it is not open, by its name, and compares its identity.
func (f *file) ensure() error {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	return f.reopen()
}

// reopen is ensure with pool.mu held.
func (f *file) reopen() error {
	p := f.pool
	switch {
	case f.dead:
		return ErrNoFile
	case f.next != nil:
		if p.ring.next != f {
			p.front(f)
		}
		return nil
	case f.path == "":
		return ErrNoFile
	}
	fd, st, err := p.open(f.path)
	if full(err) {
		p.evict(p.held / 2)
		fd, st, err = p.open(f.path)
	}
	if missing(err) || err == nil && st.identity != f.id {
		if err == nil {
			unix.Close(fd)
		}
		return ErrNoFile
	}
	if err != nil {
		return err
	}
	p.put(f, fd)
	return nil
}

// full says that there was no descriptor to be had.
func full(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// isOpen says whether a descriptor is held now.
func (f *file) isOpen() bool {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	return f.next != nil
}

// named says under which path f can be opened again; "": under none, although
// it may have a name somewhere (away).
func (f *file) named(path string, away bool) {
	f.pool.mu.Lock()
	f.path, f.away = path, away
	f.pool.mu.Unlock()
}

func (f *file) retain() {
	f.pool.mu.Lock()
	f.refs++
	f.pool.mu.Unlock()
}

// release lets go of f; the last one closes it.
func (f *file) release() {
	p := f.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.refs--; f.refs == 0 {
		f.dead = true
		p.shut(f)
	}
}

// use runs fn with f's descriptor, which stays open until fn returns.
func (f *file) use(fn func(fd int) error) error {
	p := f.pool
	p.mu.Lock()
	err := f.reopen()
	if err == nil {
		f.pins++
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	defer f.unpin()
	return fn(f.fd)
}

func (f *file) unpin() {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	if f.pins--; f.dead {
		f.pool.shut(f)
	}
}

// ReadAt reads from the file's own start.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.use(func(fd int) error {
		n, err = pread(fd, p, off)
		return err
	})
	return n, err
}

// pread fills p as far as the file goes; io.EOF where it ends.
func pread(fd int, p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := unix.Pread(fd, p[n:], off+int64(n))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return n, err
		case m == 0:
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

// stat looks at the open file itself.
func (f *file) stat() (st stat, err error) {
	err = f.use(func(fd int) error {
		st, err = statFd(fd)
		return err
	})
	st.identity = f.id
	return st, err
}

// close closes all files.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for f := p.ring.next; f != &p.ring; {
		next := f.next
		f.dead = true
		p.shut(f)
		f = next
	}
}

// yield closes half of the files for somebody who needs descriptors.
func (p *pool) yield() {
	p.mu.Lock()
	p.evict(p.held / 2)
	p.mu.Unlock()
}

// count is how many files are held open.
func (p *pool) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// room says whether one more can be held open without closing another.
func (p *pool) room() bool { return p.count() < p.max }
