package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/settings"
	"stigmergy/daemon"
)

type doctorCmd struct {
	What     string `arg:"" optional:"" enum:",order" default:"" help:"order: hold every event of every plan to the order that HXO promises, attempt by attempt, and to nothing else."`
	NewEpoch bool   `help:"Let signing go on over the journal as it stands, after it has stopped: what was signed before is kept as evidence."`
}

// Help says the rest.
func (doctorCmd) Help() string {
	return "Findings are OK, WARN or FAIL, each with the command that repairs it. Exit 1 if one is FAIL. Reads the whole journal; archives are opened, not read (stigmergy archive check does). doctor order reads the events of lane hxo instead; exit 1 if one stands where it may not."
}

// finding is one thing that was looked at.
type finding struct {
	level  string // OK, WARN, FAIL
	what   string
	detail string
	repair string
}

// doctor looks at one thing after the other.
type doctor struct {
	a   *app
	l   layout.Layout
	set *settings.Settings
	out []finding
}

func (d *doctor) ok(what, format string, args ...any) { d.add("OK", what, "", format, args...) }
func (d *doctor) warn(what, repair, format string, args ...any) {
	d.add("WARN", what, repair, format, args...)
}
func (d *doctor) fail(what, repair, format string, args ...any) {
	d.add("FAIL", what, repair, format, args...)
}
func (d *doctor) add(level, what, repair, format string, args ...any) {
	d.out = append(d.out, finding{level, what, fmt.Sprintf(format, args...), repair})
}

// Run looks at everything and prints what it found, the worst first.
func (c doctorCmd) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	if c.What == "order" {
		return a.order(l)
	}
	if c.NewEpoch {
		return a.newEpoch(l)
	}
	d := &doctor{a: a, l: l}
	for _, look := range []func(){d.settings, d.contracts, d.permissions, d.daemon, d.journal, d.signing, d.lanes, d.archives, d.objects, d.disk, d.watches, d.gitops} {
		look()
		if a.ctx.Err() != nil {
			return a.stopped(a.ctx.Err())
		}
	}
	rank := map[string]int{"FAIL": 0, "WARN": 1, "OK": 2}
	sort.SliceStable(d.out, func(i, j int) bool { return rank[d.out[i].level] < rank[d.out[j].level] })
	p := a.printer()
	failed := false
	for _, f := range d.out {
		failed = failed || f.level == "FAIL"
		if err := p.add(record{text("level", f.level), text("what", f.what), text("finding", f.detail), text("repair", f.repair)}); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil || !failed {
		return err
	}
	return exitWith(codeNone)
}

func (d *doctor) settings() {
	text, err := readSmall(d.l.Settings())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.fail("settings", "chmod +r "+shellQuote(d.l.Settings()), "%v", err)
	}
	var faults []settings.Fault
	d.set, faults = settings.Load(text, d.a.environ, nil)
	for _, f := range faults {
		d.fail("settings", "mend "+f.Where(), "%s", f.Error())
	}
	for name, meant := range settings.Strange(d.a.environ) {
		d.warn("settings", "unset "+name, "%s sets nothing; %s was probably meant", name, meant)
	}
	if len(faults) == 0 {
		changed := 0
		d.set.Each(func(_, _, origin string) {
			if origin != "default" {
				changed++
			}
		})
		d.ok("settings", "all can be used; %d differ from their defaults", changed)
	}
}

func (d *doctor) contracts() {
	reg, faults, err := d.a.registry(d.l)
	if err != nil {
		d.fail("contracts", "chmod -R u+rX "+shellQuote(d.l.Contracts()), "%v", err)
		return
	}
	for _, f := range faults {
		d.fail("contracts", "stigmergy contracts check "+shellQuote(f.path), "%s:%d: %s", f.path, f.fault.Line, f.fault.Error)
	}
	d.ok("contracts", "%d topics have one in force", len(reg.Topics()))
}

func (d *doctor) permissions() {
	keys := d.l.Private("keys")
	if fi, err := os.Stat(keys); err == nil && fi.Mode().Perm()&0o077 != 0 {
		d.fail("permissions", "chmod 700 "+shellQuote(keys), "others may look into %s (%v)", keys, fi.Mode().Perm())
	}
	for _, dir := range []string{d.l.Dir, d.l.Private(), d.l.Journal(), d.l.State()} {
		f, err := os.CreateTemp(dir, ".doctor-*")
		if err != nil {
			d.fail("permissions", "ls -ld "+shellQuote(dir), "%s cannot be written: %v", dir, err)
			return
		}
		_ = f.Close()
		if err := os.Remove(f.Name()); err != nil {
			d.fail("permissions", "rm "+shellQuote(f.Name()), "%v", err)
			return
		}
	}
	if _, err := d.l.ID(); err != nil {
		d.fail("identity", "restore .stigmergy/board_id from a copy of the board; without it nothing here can be proved", "%v", err)
	}
	d.ok("permissions", "the board can be written")
}

func (d *doctor) daemon() {
	if !daemon.Held(d.l) {
		d.warn("daemon", "stigmergy up", "none holds the board; lines wait until one does")
		return
	}
	st, err := d.a.daemonStatus(d.l)
	if err != nil {
		d.fail("daemon", "stigmergy down; stigmergy up", "one holds the board but does not answer: %v", err)
		return
	}
	if st.Paused != "" {
		d.fail("daemon", "df -h "+shellQuote(d.l.Dir), "it is paused: %s", st.Paused)
	}
	if st.Watch.Polling != "" {
		d.warn("watching", "sysctl fs.inotify.max_user_watches fs.inotify.max_user_instances", "it polls: %s", st.Watch.Polling)
	}
	for key, tries := range st.Outstanding {
		if tries > 3 {
			d.fail("effects", "less "+shellQuote(d.l.Private("log", "daemon.log")), "%s was tried %d times", key, tries)
		}
	}
	d.ok("daemon", "it holds the board%s", daemon.Holder(d.l))
}

func (d *doctor) journal() {
	n := uint64(0)
	_, err := journal.Scan(d.l, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if e.Seq != n {
			return fmt.Errorf("expected entry %d, found entry %d", n, e.Seq)
		}
		n++
		return d.a.ctx.Err()
	})
	var damage *journal.DamageError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.ok("journal", "it is empty")
	case errors.As(err, &damage):
		d.fail("journal", "restore "+shellQuote(damage.Path)+" from a copy", "%v", err)
	case err != nil:
		d.fail("journal", "restore the journal from a copy", "behind entry %d: %v", n, err)
	default:
		d.ok("journal", "%d entries, none missing", n)
	}
}

// unfinishedOld is how long a last line may wait for its newline before that
// is odd.
const unfinishedOld = time.Minute

func (d *doctor) lanes() {
	state, err := blackboard.Peek(d.l)
	if err != nil {
		return // the journal was told
	}
	lanes, err := d.a.lanes(d.l, state)
	if err != nil {
		d.fail("lanes", "stigmergy doctor", "%v", err)
		return
	}
	for _, s := range lanes {
		switch {
		case s.Problem != "":
			d.warn("lanes", "rm or rename "+shellQuote(filepath.Join(d.l.Dir, s.Path)), "%s is no lane: %s", s.Path, s.Problem)
		case s.Unreadable:
			d.fail("lanes", "chmod +r "+shellQuote(filepath.Join(d.l.Dir, s.Path)), "%s cannot be read", s.Path)
		case s.UnfinishedBytes > 0 && s.age > unfinishedOld:
			d.warn("lanes", "echo >> "+shellQuote(filepath.Join(d.l.Dir, s.Path)), "the last line of %s waits for its newline since %s (%d bytes at %d)",
				s.Path, humanAge(s.age), s.UnfinishedBytes, s.Size-s.UnfinishedBytes)
		}
	}
	d.ok("lanes", "%d", len(lanes))
}

func (d *doctor) archives() {
	c, err := archive.OpenCatalog(d.l, archive.NewDecoder())
	if err != nil {
		d.fail("archives", "ls -lR "+shellQuote(filepath.Join(d.l.Dir, "archive")), "%v", err)
		return
	}
	for _, e := range c.Entries() {
		switch {
		case e.Err != nil:
			d.fail("archives", "stigmergy archive check "+shellQuote(e.Path), "%s: %v", e.Path, e.Err)
		case !e.Summary.Indexed:
			d.warn("archives", "stigmergy reindex "+segmentName(e.Lane, e.Segment), "%s has no index: searching it is slow", e.Path)
		}
	}
	if seals, err := d.a.seals(d.l); err == nil { // else the journal was told
		missing, _ := missingArchives(d.l, nil, c.Entries(), seals) // fails for the journal only, which was told
		for _, e := range missing {
			d.fail("archives", "restore "+shellQuote(e.Path)+" from a copy", "%s is not there, though %s was archived", e.Path, segmentName(e.Lane, e.Segment))
		}
	}
	waiting := 0
	_ = d.l.Stored(func(s layout.Stored) error { // what cannot be listed was told above
		if !s.Archive {
			waiting++
		}
		return nil
	})
	if waiting > 0 {
		d.warn("segments", "stigmergy compact", "%d rotated segments are not archived yet", waiting)
	}
	d.ok("archives", "%d", len(c.Entries()))
}

func (d *doctor) objects() {
	n, bad := 0, 0
	store := durable.CAS{Layout: d.l}
	err := store.Each(func(name string, _ int64) error {
		n++
		if _, err := store.Get(name); err != nil {
			bad++
			d.fail("objects", "restore "+shellQuote(d.l.Blob(name))+" from a copy", "%v", err)
		}
		return d.a.ctx.Err()
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.fail("objects", "ls -lR "+shellQuote(d.l.CAS()), "%v", err)
	}
	if bad == 0 {
		d.ok("objects", "%d, each as its name says", n)
	}
}

func (d *doctor) disk() {
	free, all, err := diskFree(d.l.Dir)
	switch {
	case err != nil:
		d.warn("disk", "df -h "+shellQuote(d.l.Dir), "%v", err)
	case free < 64<<20:
		d.fail("disk", "df -h "+shellQuote(d.l.Dir), "%s free", humanSize(free))
	case free < 1<<30 || free < all/50:
		d.warn("disk", "df -h "+shellQuote(d.l.Dir), "%s free of %s", humanSize(free), humanSize(all))
	default:
		d.ok("disk", "%s free of %s", humanSize(free), humanSize(all))
	}
}

// watches looks whether the system has watches left to give.
func (d *doctor) watches() {
	for _, name := range []string{"max_user_watches", "max_user_instances"} {
		raw, err := os.ReadFile("/proc/sys/fs/inotify/" + name)
		if err != nil {
			return // another system
		}
		if n := parseInt(raw); n < 128 {
			d.warn("watching", "sysctl -w fs.inotify."+name+"=8192", "fs.inotify.%s is %d: the board may have to be polled", name, n)
		}
	}
}
