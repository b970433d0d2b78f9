package cli

import (
	"errors"

	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/daemon"
)

// signing looks at the keys, and whether signing has stopped.
func (d *doctor) signing() {
	halt, err := history.ReadHalt(d.l)
	if err != nil {
		d.fail("signing", "ls -l "+shellQuote(d.l.Private("unsigned")), "%v", err)
		return
	}
	if halt != nil {
		d.fail("signing", "stigmergy verify; then, if a person accepts the journal as it stands, stigmergy doctor --new-epoch", "it has stopped since %s: %s", halt.Time, halt.Reason)
	}
	key, err := history.Key(d.l)
	var bad *history.KeyError
	switch {
	case errors.Is(err, history.ErrNoKey):
		d.warn("signing", "stigmergy certify key", "the board has no key yet: the next start makes one")
	case errors.As(err, &bad):
		d.fail("signing", bad.Try, "%v", err)
	case err != nil:
		d.fail("signing", "restore .stigmergy/verifiers and .stigmergy/keys from a copy", "%v", err)
	case halt == nil:
		note, _, err := newestNote(d.l)
		if note == nil || err != nil {
			d.ok("signing", "nothing is signed yet; %s will", key.Public())
			return
		}
		d.ok("signing", "%s signs", key.Public())
	}
}

// newEpoch lets signing go on, by a person's word.
func (a *app) newEpoch(l layout.Layout) error {
	const doing = "beginning a new epoch"
	lock, err := daemon.Acquire(l)
	if err != nil {
		return daemonFault(err)
	}
	defer lock.Release()
	halt, err := history.ReadHalt(l)
	if err != nil {
		return err
	}
	if _, err := history.Key(l); err == nil && halt == nil {
		return &Fault{Doing: doing, Expected: "that signing has stopped", Found: "that it goes on", Try: "stigmergy doctor", Code: codeNone}
	}
	e, err := history.NewEpoch(l, nil, a.origin(l))
	if err != nil {
		return err
	}
	a.note("What was signed before, and why signing stopped, is kept in %s. The next start signs on.", l.Private("epochs"))
	return a.one(record{number("epoch", e.Epoch), number("from", e.From)})
}
