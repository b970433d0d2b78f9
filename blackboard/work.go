package blackboard

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// archiveLane is where the worker of segments reports.
const archiveLane = "workers/archive"

// workers do the outstanding effects. A job that fails is tried again; one
// that was under way in a crash is started again at the next start.
type workers struct {
	k     *Kernel
	jobs  map[string]*job
	mu    sync.Mutex
	done  []func(context.Context) error // results, for the kernel's goroutine
	busy  bool                          // the background worker is at work
	mends map[segmentKey]int64          // owned segments to be put right, up to an offset
	begun bool                          // the lanes were read to their ends once
	quit  context.CancelFunc
	ctx   context.Context
	wg    sync.WaitGroup
}

// job is one outstanding effect.
type job struct {
	Effect
	seg     segmentJob
	running bool
	worker  Worker             // of another room, if one does it
	cancel  context.CancelFunc // ends what that worker does
	nobodys bool               // no worker knows its kind
	tries   int
	next    time.Time // not before
}

// segmentJob is the payload of the three effects of a segment.
type segmentJob struct {
	Lane     string `json:"lane"`
	Segment  uint64 `json:"segment"`
	Reason   string `json:"reason,omitempty"`
	Bytes    int64  `json:"bytes"`
	Lines    int64  `json:"lines,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
	Root     string `json:"merkle_root,omitempty"`
	Gone     bool   `json:"gone,omitempty"`
	TimeFrom string `json:"time_first,omitempty"`
	TimeTo   string `json:"time_last,omitempty"`
}

func (w *workers) init(k *Kernel) {
	w.jobs = map[string]*job{}
	w.ctx, w.quit = context.WithCancel(context.Background())
	w.started(k.fold.Effects())
}

func (w *workers) close() {
	w.quit()
	w.wg.Wait()
}

// started takes on effects; what they point to is copied.
func (w *workers) started(effects []Effect) {
	for _, e := range effects {
		j := &job{Effect: Effect{Key: strings.Clone(e.Key), Kind: strings.Clone(e.Kind), Payload: append([]byte(nil), e.Payload...)}}
		if err := json.Unmarshal(j.Payload, &j.seg); err != nil {
			w.k.log.Error("reading an effect", "key", j.Key, "error", err)
			continue
		}
		w.jobs[j.Key] = j
	}
}

// ended lets go of effects that were answered.
func (w *workers) ended(keys []string) {
	for _, key := range keys {
		j := w.jobs[key]
		if j == nil {
			continue
		}
		delete(w.jobs, strings.Clone(key))
		if j.cancel != nil {
			j.cancel()
		}
		if j.Kind == "archive.archived" {
			w.archived(j.seg)
		}
	}
}

// post hands a result to the kernel's goroutine.
func (w *workers) post(fn func(context.Context) error) {
	w.mu.Lock()
	w.done = append(w.done, fn)
	w.mu.Unlock()
	w.k.wake()
}

func (w *workers) ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.done) > 0
}

func (w *workers) results() []func(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.done
	w.done = nil
	return out
}

// run does what can be done now. Effects begin only when every lane was read
// to its end once: an answer may stand there already.
func (w *workers) run(ctx context.Context) (did bool, err error) {
	for _, fn := range w.results() {
		did = true
		if err := fn(ctx); err != nil {
			return true, err
		}
	}
	if !w.begun {
		if len(w.k.tails.dirty) > 0 || did {
			return did, nil
		}
		w.begun = true
		w.leftovers()
	}
	did = w.mending() || did
	for _, j := range w.startable() {
		if w.busy && j.Kind != "archive.rotated" {
			continue
		}
		did = true
		if err := w.begin(ctx, j); err != nil {
			return true, err
		}
	}
	return did, nil
}

// startable are the jobs that are due, in the order of their keys.
func (w *workers) startable() []*job {
	if len(w.jobs) == 0 {
		return nil
	}
	now := w.k.opt.Clock.Now()
	var out []*job
	for _, j := range w.jobs {
		if !j.running && !now.Before(j.next) && (!w.busy || j.Kind == "archive.rotated") {
			out = append(out, j)
		}
	}
	sort.Slice(out, func(i, k int) bool { return out[i].Key < out[k].Key })
	return out
}

// due is when a job that waits is to be tried again.
func (w *workers) due() (at time.Time) {
	for _, j := range w.jobs {
		if !j.running && !w.busy && (at.IsZero() || j.next.Before(at)) {
			at = j.next
		}
	}
	return at
}

// Outstanding are the effects without an answer, by key, and how often each
// was tried; those that last for ever are left out unless they fail.
func (k *Kernel) Outstanding() map[string]int {
	out := map[string]int{}
	for key, j := range k.work.jobs {
		if j.tries > 0 || !j.lasts() {
			out[key] = j.tries
		}
	}
	return out
}

func (w *workers) begin(ctx context.Context, j *job) error {
	switch j.Kind {
	case "archive.rotated":
		j.running = true
		return w.report(ctx, "board.lane.rotated", j.Key, j.seg)
	case "archive.sealed":
		return w.seal(ctx, j)
	case "archive.archived":
		w.archive(j)
	default:
		w.lend(j)
	}
	return nil
}

// later tries a job again, after longer and longer pauses.
func (w *workers) later(j *job, err error) {
	j.running = false
	j.tries++
	wait := min(100*time.Millisecond<<min(j.tries, 6), 5*time.Second)
	j.next = w.k.opt.Clock.Now().Add(wait)
	if err != nil && j.tries%20 == 1 {
		w.k.log.Warn("an effect failed: it is tried again", "key", j.Key, "tries", j.tries, "error", err)
	}
}

// report appends a worker's line. It is input like any other: what it means
// is decided when it was journaled.
func (w *workers) report(ctx context.Context, topic, key string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("reporting %s: %w", key, err)
	}
	now := w.k.opt.Clock.Now().UTC()
	var rnd [10]byte
	if _, err := rand.Read(rnd[:]); err != nil {
		return fmt.Errorf("reporting %s: %w", key, err)
	}
	line := contracts.Build{
		ID: contracts.UUIDv7(now.UnixMilli(), rnd), Source: archiveLane, Type: topic, Subject: subjectOf(data),
		Time: now.Format(time.RFC3339Nano), Ext: []contracts.Attr{{Name: "effectkey", Value: key}}, Data: body,
	}.Append(nil)
	return w.k.insist(ctx, func() error { return w.k.AppendWorker(archiveLane, line) })
}

func subjectOf(data any) string {
	switch d := data.(type) {
	case segmentJob:
		return d.Lane
	case archivedData:
		return d.Lane
	}
	return ""
}

// AppendWorker appends one line to a worker lane, as any writer would: one
// write, at the end. A torn line of a crash before it is ended first.
func (k *Kernel) AppendWorker(lane string, line []byte) error {
	path := k.layout.Lane(lane)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("appending to lane %s: %w", lane, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return fmt.Errorf("appending to lane %s: %w", lane, err)
	}
	out := append(tornEnd(f), line...)
	_, err = k.disk.Write(f, append(out, '\n'))
	k.set.Hint(layout.LaneRel(lane))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("appending to lane %s: %w", lane, err)
	}
	return nil
}

// tornEnd is the newline that a file lacks at its end, if any.
func tornEnd(f *os.File) []byte {
	fi, err := f.Stat()
	if err != nil || fi.Size() == 0 {
		return nil
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], fi.Size()-1); err != nil || last[0] == '\n' {
		return nil
	}
	return []byte{'\n'}
}

// archived deletes a segment whose archive stands.
func (w *workers) archived(s segmentJob) {
	k := w.k
	k.stats.Segments.Add(1)
	t := k.tails.all[segmentKey{s.Lane, s.Segment}]
	if t != nil && t.unsure {
		until := k.opt.Clock.Now().Add(k.config.Settings.SealKeep)
		t.keep = until.UnixNano()
		k.tails.sooner(until)
		return
	}
	w.forget(t, s.Lane, s.Segment)
}

// forget lets go of an archived segment and deletes its file.
func (w *workers) forget(t *tail, lane string, segment uint64) {
	if t != nil {
		w.k.set.Drop(t.t)
		w.k.tails.drop(t)
	}
	w.remove(lane, segment)
}

func (w *workers) remove(lane string, segment uint64) {
	path := w.k.layout.Segment(lane, segment)
	if err := w.k.disk.Remove(path); err != nil {
		w.k.log.Warn("deleting an archived segment", "path", path, "error", err)
		return
	}
	_ = os.Remove(filepath.Join(w.k.layout.Dir, wholeRel(lane, segment))) // what it was copied out of
	for dir := filepath.Dir(path); dir != w.k.layout.Private("segments"); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil { // not empty
			break
		}
	}
}

// leftovers deletes segments whose archive was reported before a crash could
// delete them.
func (w *workers) leftovers() {
	k := w.k
	_ = k.layout.Stored(func(s layout.Stored) error {
		name := fmt.Sprintf("%s@%d", s.Lane, s.Segment)
		if s.Archive || k.tails.all[segmentKey{s.Lane, s.Segment}] != nil {
			return nil
		}
		for _, stage := range []string{"rotated:", "sealed:", "archived:"} {
			if w.jobs[stage+name] != nil {
				return nil
			}
		}
		if _, err := os.Lstat(k.layout.Archive(s.Lane, s.Segment)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		w.remove(s.Lane, s.Segment)
		return nil
	})
}

func hexSum(b [32]byte) string { return hex.EncodeToString(b[:]) }
