package blackboard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
	"sync"
	"syscall"
	"time"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
)

// syncer brings to the disk what the kernel wrote, beside it, and says how far
// that has come: .stigmergy/durable names the last seq whose sources, entry
// and owned bytes are there.
type syncer struct {
	layout   layout.Layout
	disk     *durable.Disk
	interval time.Duration
	flushing sync.Mutex // guards file and stale, and is taken before mu
	file     *os.File   // durable

	mu      sync.Mutex
	dirty   map[string]bool // paths
	seq     uint64          // committed: entries below it are written
	synced  uint64          // entries below it are on disk
	stale   bool            // what an earlier run wrote may not be on disk
	moves   int             // files that were renamed while they may have been dirty
	waiters int             // somebody waits: the interval is for nobody's sake
	failed  error           // for ever: a failed fsync says nothing of what stands
	cond    *sync.Cond
	wake    chan struct{}
	urgent  chan struct{}
	quit    chan struct{}
	done    chan struct{}
}

// maxFiles is how many files are synced one by one; more take one syncfs.
const maxFiles = 64

// newSyncer begins where the board stands: next is the seq to come, durable
// what is known to be on disk.
func newSyncer(l layout.Layout, disk *durable.Disk, interval time.Duration, next, durable uint64) *syncer {
	s := &syncer{layout: l, disk: disk, interval: interval, dirty: map[string]bool{}, seq: next, synced: durable, stale: durable < next,
		wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	s.cond = sync.NewCond(&s.mu)
	go s.loop()
	return s
}

// mark says that entries below seq are written, and to which files.
func (s *syncer) mark(seq uint64, paths ...string) {
	s.mu.Lock()
	for _, p := range paths {
		s.dirty[p] = true
	}
	s.seq = max(s.seq, seq)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// moved says that a file that may be dirty has another name now, and somebody
// else's file may have taken the old one.
func (s *syncer) moved(to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moves++
	s.dirty[to] = true
}

func (s *syncer) loop() {
	defer close(s.done)
	timer := time.NewTimer(0)
	<-timer.C
	for {
		select {
		case <-s.quit:
			return
		case <-s.wake:
		}
		timer.Reset(s.pause())
		select {
		case <-s.quit:
			return
		case <-s.urgent:
			timer.Stop()
		case <-timer.C:
		}
		_ = s.flush() // kept in failed
	}
}

// pause is how long changes are gathered before they are synced: not at all
// while somebody waits for them.
func (s *syncer) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiters > 0 {
		return 0
	}
	return s.interval
}

// flush syncs what is dirty now. One at a time: a second one would find nothing
// dirty and call durable what the first is still syncing.
func (s *syncer) flush() error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.mu.Lock()
	if s.failed != nil || len(s.dirty) == 0 && s.seq == s.synced {
		defer s.mu.Unlock()
		return s.failed
	}
	paths, seq, moves := s.dirty, s.seq, s.moves
	s.dirty = map[string]bool{}
	s.mu.Unlock()

	err := s.sync(paths)
	if err == nil && s.since(moves) { // another file may have been synced by its name
		err = s.disk.SyncFS(s.layout.Dir)
	}
	if err == nil {
		err = s.write(seq)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.failed == nil {
		s.failed = &DiskError{Doing: "syncing the board", Err: err}
	}
	if err == nil {
		s.synced = max(s.synced, seq)
	}
	s.cond.Broadcast()
	return s.failed
}

// since says whether files were renamed since there had been so many.
func (s *syncer) since(moves int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moves != moves
}

func (s *syncer) sync(paths map[string]bool) error {
	if len(paths) > maxFiles || s.stale {
		err := s.disk.SyncFS(s.layout.Dir)
		s.stale = s.stale && err != nil
		return err
	}
	names := make([]string, 0, len(paths))
	for p := range paths {
		names = append(names, p)
	}
	sort.Strings(names)
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	open := make(chan struct{}, maxAtOnce)
	for i, p := range names {
		open <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = s.syncFile(p)
			<-open
		}()
	}
	wg.Wait()
	all := false
	for i, err := range errs {
		if errors.Is(err, errOther) {
			all, errs[i] = true, nil
		}
	}
	if err := errors.Join(errs...); err != nil || !all {
		return err
	}
	return s.disk.SyncFS(s.layout.Dir)
}

// maxAtOnce is how many files are open for syncing: descriptors may be few.
const maxAtOnce = 8

// errOther asks for a sync of everything instead.
var errOther = errors.New("the file cannot be synced by its name")

func (s *syncer) syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	for _, e := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.ELOOP, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, e) { // no longer the file that was read, or no descriptor to be had: nothing failed yet
			return errOther
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(s.disk.Sync(f), f.Close())
}

// write notes how far the disk has come. One sector, written in place: a torn
// one reads as nothing, which only asks for more care at recovery.
func (s *syncer) write(seq uint64) error {
	if s.file == nil {
		f, err := os.OpenFile(s.layout.Durable(), os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		s.file = f
	}
	text := fmt.Sprintf("{\"seq\":%d}", seq-1)
	_, err := s.disk.WriteAt(s.file, []byte(fmt.Sprintf("%-63s\n", text)), 0)
	return err
}

// wait blocks until every entry below seq is on disk.
func (s *syncer) wait(ctx context.Context, seq uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.synced >= seq || s.failed != nil {
		return s.failed
	}
	s.waiters++
	defer func() { s.waiters-- }()
	for _, ch := range []chan struct{}{s.wake, s.urgent} { // what an earlier run wrote waits for nobody's mark
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	stop := context.AfterFunc(ctx, s.cond.Broadcast)
	defer stop()
	for s.synced < seq && s.failed == nil && ctx.Err() == nil {
		s.cond.Wait()
	}
	if s.failed == nil && s.synced < seq {
		return ctx.Err()
	}
	return s.failed
}

// grown is wait for who has time: it does not make the syncer hurry.
func (s *syncer) grown(ctx context.Context, seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.cond.Broadcast)
	defer stop()
	for s.synced < seq && s.failed == nil && ctx.Err() == nil {
		s.cond.Wait()
	}
	if s.failed == nil && s.synced < seq {
		return ctx.Err()
	}
	return s.failed
}

// err is why syncing failed.
func (s *syncer) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *syncer) close() error {
	close(s.quit)
	<-s.done
	err := s.flush()
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
	}
	return err
}

// DiskError is a disk that failed: exit 74.
type DiskError struct {
	Doing string
	Err   error
}

func (e *DiskError) Error() string {
	return fmt.Sprintf("%s: %v; nothing more is acknowledged: check the disk, then start again", e.Doing, e.Err)
}

// Unwrap gives the cause.
func (e *DiskError) Unwrap() error { return e.Err }
