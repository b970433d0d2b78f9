package gitops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Below the repository's git directory a run keeps
//
//	stigmergy/lock            one run at a time changes references and index
//	stigmergy/runs/RUN.json   the run is under way: its bundle, and the commit
//	                          that it is about to publish
//	stigmergy/runs/RUN.*      its private indexes
//
// Both locks are the kernel's (flock): a killed run holds none.

// lockFile opens the lock of a repository.
func (r *repo) lockFile() (*os.File, error) {
	dir := r.file("stigmergy")
	if err := os.MkdirAll(filepath.Join(dir, "runs"), 0o777); err != nil {
		return nil, fmt.Errorf("opening the run's lock: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o666)
	if err != nil {
		return nil, fmt.Errorf("opening the run's lock: %w", err)
	}
	return f, nil
}

// hold takes the lock, and gives it back with the function returned.
func (r *repo) hold(ctx context.Context) (release func(), err error) {
	f, err := r.lockFile()
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			r.lock = f
			return func() { r.lock = nil; _ = f.Close() }, nil // closing gives it back
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return nil, errors.Join(fmt.Errorf("taking the run's lock %s: %w", f.Name(), err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-tick.C:
		}
	}
}

// marker says that a run is under way. Its file is locked as long as the run
// lives.
type marker struct {
	RunID   string   `json:"run_id"`
	Bundle  string   `json:"bundle"` // below the top
	Pending *pending `json:"pending"`

	file *os.File
	path string
}

// pending is a commit that is about to be published.
type pending struct {
	BatchID string `json:"batch_id"`
	Ref     string `json:"ref"`
	Before  string `json:"head_before"` // "" for the first commit
	Commit  string `json:"commit"`
}

func (r *repo) runFile(runID, suffix string) string {
	return r.file("stigmergy/runs/" + runID + suffix)
}

// mark makes the marker of a new run.
func (r *repo) mark(runID, bundle string) (*marker, error) {
	m := &marker{RunID: runID, Bundle: bundle, path: r.runFile(runID, ".json")}
	if err := os.MkdirAll(filepath.Dir(m.path), 0o777); err != nil {
		return nil, fmt.Errorf("noting the run: %w", err)
	}
	f, err := os.OpenFile(m.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("noting the run: %w", err)
	}
	m.file = f
	// Nobody keeps it: whoever looks for dead runs lets go of it at once.
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("noting the run: %w", err), m.end())
	}
	if err := m.save(); err != nil {
		return nil, errors.Join(err, m.end())
	}
	return m, nil
}

// save writes the marker in place: its name must stay that of the locked file.
// A torn one is taken for one without anything pending, which is why it is
// synced before a reference moves.
func (m *marker) save() error {
	text, err := json.Marshal(m)
	if err == nil {
		text = append(text, '\n')
		_, err = m.file.WriteAt(text, 0)
	}
	if err == nil {
		err = m.file.Truncate(int64(len(text)))
	}
	if err == nil && m.Pending != nil {
		err = m.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("noting the run in %s: %w", m.path, err)
	}
	return nil
}

// publishing notes the commit that is about to be published, or that none is.
func (m *marker) publishing(p *pending) error {
	m.Pending = p
	return m.save()
}

// end removes the marker and lets go of it.
func (m *marker) end() error {
	return errors.Join(os.Remove(m.path), m.file.Close())
}

// dead lists the markers of runs that ended without ending. The caller holds
// the lock, and each marker's own.
func (r *repo) dead() ([]*marker, error) {
	list, err := os.ReadDir(r.file("stigmergy/runs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for unfinished runs: %w", err)
	}
	var out []*marker
	for _, e := range list {
		runID, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || !e.Type().IsRegular() {
			continue
		}
		f, err := os.OpenFile(r.runFile(runID, ".json"), os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue // it ended this moment
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !exists(f.Name()) {
			_ = f.Close() // it lives, or ended this moment
			continue
		}
		m := &marker{}
		if err := json.NewDecoder(f).Decode(m); err != nil {
			m = &marker{}
		}
		m.RunID, m.file, m.path = runID, f, f.Name()
		out = append(out, m)
	}
	return out, nil
}

// release removes a lock of the index that certainly is a dead run's: a second
// name of one of its private files.
func (r *repo) release(runID string) {
	lock, err := os.Lstat(r.file("index.lock"))
	if err != nil {
		return
	}
	for _, path := range r.private(runID) {
		if fi, err := os.Lstat(path); err == nil && os.SameFile(fi, lock) {
			_ = os.Remove(r.file("index.lock")) // what cannot be removed is told when it is needed
		}
	}
}

// sweep removes a run's private files.
func (r *repo) sweep(runID string) {
	r.release(runID)
	for _, path := range r.private(runID) {
		_ = os.RemoveAll(path) // it takes room, and nothing else
	}
}

// private are a run's files that nobody else needs.
func (r *repo) private(runID string) []string {
	list, _ := filepath.Glob(r.runFile(globEscape(runID), ".*"))
	return slices.DeleteFunc(list, func(path string) bool { return strings.HasSuffix(path, ".json") })
}

func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}
