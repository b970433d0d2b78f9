package blackboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
)

// Open brings a board to where its journal says it is: the newest snapshot,
// then the entries behind it folded once more, what is missing on the owned
// lanes written again. Then it watches. The caller holds the board's lock.
func Open(opt Options) (k *Kernel, err error) {
	if opt.Clock == nil {
		opt.Clock = SystemClock{}
	}
	if opt.BootID == "" {
		opt.BootID = bootID()
	}
	if opt.Pause == 0 {
		opt.Pause = pause
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	k = &Kernel{opt: opt, layout: opt.Layout, disk: opt.Disk, log: opt.Log, fold: opt.Fold,
		cas: durable.CAS{Layout: opt.Layout, Disk: opt.Disk}, tails: newTails(), told: map[string]bool{},
		boot: opt.BootID, commands: make(chan func(), 16)}
	k.work = workers{k: k, mends: map[segmentKey]int64{}}
	k.snaps.files = snapshots{layout: k.layout, disk: k.disk}
	if k.id, err = k.layout.ID(); err != nil {
		return nil, err
	}
	if err := k.sameBoard(); err != nil {
		return nil, err
	}
	k.fold.CAS(k.cas.Get)
	if err := k.configure(); err != nil {
		return nil, err
	}
	if k.pub, err = newPublisher(k.layout, k.disk); err != nil {
		return nil, err
	}
	if err := k.bring(); err != nil {
		return nil, errors.Join(err, k.pub.close())
	}
	return k, nil
}

// sameBoard refuses a journal that was begun under another id: ids of events and
// the log's name are made of it, so all that came next would be another board's.
func (k *Kernel) sameBoard() error {
	var other error
	_, err := journal.Scan(k.layout, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if e.Kind == journal.Open && e.BoardID != k.id {
			other = fmt.Errorf("reading the board id %s: expected %s, as the journal begins, found %s: put that back", k.layout.BoardID(), e.BoardID, k.id)
		}
		return journal.Stop
	})
	if other != nil {
		return &SettingError{other}
	}
	if err != nil {
		k.log.Debug("the journal's begin cannot be read", "error", err) // recovery says what is to be said
	}
	return nil
}

// configure reads the settings and contracts that are to be in force.
func (k *Kernel) configure() error {
	c, text, faults := LoadConfig(k.layout, k.opt.Sources, nil)
	k.faults = faults
	if c == nil {
		errs := make([]error, len(faults))
		for i, f := range faults {
			errs[i] = f.Err
		}
		return &SettingError{errors.Join(errs...)}
	}
	k.put(c, text)
	return nil
}

// SettingError is a wrong setting at the start: exit 2.
type SettingError struct{ Err error }

func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *SettingError) Unwrap() error { return e.Err }

// bring recovers and starts watching.
func (k *Kernel) bring() (err error) {
	k.leftovers()
	if k.journal, err = journal.Create(k.layout, k.disk, k.config.Settings.SegmentMaxBytes); err != nil {
		return err
	}
	if k.set, err = lanes.New(k.layout, lanes.Options{Watch: !k.opt.Manual, Now: k.opt.Clock.Now}); err != nil {
		return fmt.Errorf("looking at the board: %w", err)
	}
	k.durable = readDurable(k.layout.Durable())
	k.now.Store(int64(k.journal.Next()))
	rec := &recovery{k: k}
	if err := rec.run(); err != nil {
		return errors.Join(err, k.set.Close(), k.journal.Close())
	}
	last := k.journal.Last()
	k.stamps = newStamps(k.opt.Clock, last.Time, last.ElapsedMS)
	if rec.rewrote { // nothing else syncs that
		k.durable = 0
	}
	k.sync = newSyncer(k.layout, k.disk, k.config.Settings.SyncInterval, k.journal.Next(), k.durable)
	if err := k.restore(rec); err != nil {
		return errors.Join(err, k.sync.close(), k.set.Close(), k.journal.Close())
	}
	k.work.init(k)
	if err := k.set.Start(); err != nil {
		return errors.Join(fmt.Errorf("watching the board: %w", err), k.abandon())
	}
	if err := rec.finish(); err != nil {
		return errors.Join(err, k.abandon())
	}
	k.ready = true
	return nil
}

// leftovers removes what a run that was killed was about to name: half a
// snapshot, half a compressed journal segment. A failure costs only the room.
func (k *Kernel) leftovers() {
	for _, dir := range []string{k.layout.Private(), k.layout.State(), k.layout.Journal()} {
		des, _ := os.ReadDir(dir)
		for _, d := range des {
			if strings.HasPrefix(d.Name(), ".") && strings.HasSuffix(d.Name(), ".tmp") {
				_ = os.Remove(filepath.Join(dir, d.Name()))
			}
		}
	}
}

// restore hands the tails to lanes, which finds out what changed.
func (k *Kernel) restore(rec *recovery) error {
	recs := rec.sorted()
	saved := make([]lanes.Saved, len(recs))
	for i, r := range recs {
		saved[i] = r.Saved
	}
	tails, err := k.set.Restore(saved)
	if err != nil {
		return fmt.Errorf("putting the lanes back: %w", err)
	}
	for i, t := range tails {
		r := recs[i]
		n := k.tails.add(k.layout, t, r.Stage)
		n.first, n.born, n.last, n.limit, n.copied, n.warned = r.First, r.Born, r.Last, r.Limit, r.Copied, r.Warned
		n.unsure, n.keep = r.Unsure, r.Keep
		n.scanned = t.Offset()
		if r.Stage == active && n.born != 0 || n.keep != 0 {
			k.tails.sooner(k.opt.Clock.Now())
		}
	}
	clear(k.tails.dirty) // lanes says which have more
	k.fold.Heads(func(lane string, _ uint64, off int64) {
		if off == 0 {
			off = -1 // rotated: its file comes with its next byte
		}
		k.set.Expect(lane, off)
	})
	return nil
}

// readDurable is how many entries were known to be on disk.
func readDurable(path string) uint64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	var d struct {
		Seq *uint64 `json:"seq"`
	}
	if json.Unmarshal(b, &d) != nil || d.Seq == nil {
		return 0
	}
	return *d.Seq + 1
}

// configOf reads a recorded configuration, once.
func (k *Kernel) configOf(version func() string) func(string) (*Config, error) {
	var mu sync.Mutex
	known := map[string]*Config{k.config.SHA256: k.config}
	return func(sum string) (*Config, error) {
		mu.Lock()
		defer mu.Unlock()
		if c := known[sum]; c != nil {
			return c, nil
		}
		text, err := k.cas.Get(sum)
		if err != nil {
			return nil, fmt.Errorf("reading the configuration in force: %w", err)
		}
		c, err := configFrom(text, version())
		if err == nil {
			known[sum] = c
		}
		return c, err
	}
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
