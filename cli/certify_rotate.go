package cli

import (
	"fmt"
	"net/url"
	"os"
	"os/user"

	"stigmergy/blackboard"
	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/seal"
	"stigmergy/daemon"
	"stigmergy/daemon/signer"
)

// rotatedKey is the daemon's answer.
type rotatedKey struct {
	Key string `json:"key"`
}

type certifyRotate struct{}

// Help says the rest.
func (certifyRotate) Help() string {
	return "One checkpoint is signed by both keys, the old one names the new one, and hxo.audit (key.rotate) records who asked. Prints the new verifier key. Who knows the old key can follow: verify --key OLD goes on to hold. Without a daemon the board is brought up for as long as that takes."
}

// Run rotates the key through the daemon, or in its place.
func (c *certifyRotate) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	const doing = "rotating the board's key"
	who := a.getenv("USER")
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	var out rotatedKey
	if daemon.Held(l) {
		err = a.ask(l, doing, "POST", "/key?user="+url.QueryEscape(who), &out)
	} else {
		out.Key, err = a.rotateKey(l, who)
	}
	if err != nil {
		return keyFault(err)
	}
	if out.Key == "" {
		return &Fault{Doing: doing, Expected: "a board that was signed", Found: "one without a line", Try: "stigmergy up --once", Code: codeNone}
	}
	if a.format() == "json" {
		return a.one(record{text("key", out.Key)})
	}
	_, err = fmt.Fprintln(a.out, out.Key)
	return err
}

// rotateKey brings the board up, asks its signer, and lets go.
func (a *app) rotateKey(l layout.Layout, who string) (key string, err error) {
	if _, err := a.settings(l, nil); err != nil {
		return "", err
	}
	var s *signer.Signer
	d, err := a.daemonWith(l, nil, true, func(w *daemon.World) ([]blackboard.Worker, error) {
		all, err := workers(w)
		for _, one := range all {
			if found, ok := one.(*signer.Signer); ok {
				s = found
			}
		}
		return all, err
	})
	if err != nil {
		return "", err
	}
	done, result := s.Ask(who)
	if err := daemonFault(d.Do(a.ctx, func(*blackboard.Kernel) error { return nil })); err != nil {
		return "", err
	}
	select {
	case <-done:
		return result()
	default: // nothing was ever taken in
		return "", nil
	}
}

type certifyShow struct {
	Plan string `arg:"" optional:"" name:"plan" help:"A plan, by its plan_id, the beginning of one, or its name: its attempts and its certificate."`
}

// Help says the rest.
func (certifyShow) Help() string {
	return `Without a plan the board's newest signed checkpoint: keep a copy where nobody who can write to the board can change it, verify --since compares with it later. Exit 1 if nothing was signed yet.

With a plan every attempt to certify it: the root that was claimed, what Truth said, which leaves did not hold and ran again; and the certificate. -o raw prints its signed checkpoint alone. Exit 1 if it has none. What is shown is what the board's lines say; stigmergy verify --plan recomputes it.`
}

// Run prints the note, or shows the plan.
func (c *certifyShow) Run(a *app) error {
	if c.Plan != "" {
		return a.showCertification(&planArg{Plan: c.Plan})
	}
	l, err := a.board()
	if err != nil {
		return err
	}
	note, cp, err := newestNote(l)
	if err != nil {
		return err
	}
	if a.format() == "json" {
		return a.one(record{text("origin", cp.Origin), number("size", cp.Size), text("root", cp.RootBase64()), text("note", string(note))})
	}
	_, err = a.out.Write(note)
	return err
}

// newestNote is the newest checkpoint, which must be there.
func newestNote(l layout.Layout) ([]byte, seal.Checkpoint, error) {
	note, err := history.ReadCheckpoint(l)
	if err != nil {
		return nil, seal.Checkpoint{}, err
	}
	if note == nil {
		return nil, seal.Checkpoint{}, &Fault{Doing: "reading the newest checkpoint", Path: l.Checkpoint(), Found: "that nothing was signed yet", Try: "stigmergy up --once", Code: codeNone}
	}
	cp, err := seal.PeekCheckpoint(note)
	if err != nil {
		return nil, cp, &Fault{Doing: "reading the newest checkpoint", Path: l.Checkpoint(), Err: err, Try: "stigmergy verify", Code: codeUsage}
	}
	return note, cp, nil
}

type certifyExport struct {
	Dir string `arg:"" placeholder:"DIR" help:"Where to; what stands there of the same log is kept."`
}

// Help says the rest.
func (certifyExport) Help() string {
	return "Writes checkpoint, tile/LEVEL/… and tile/entries/…: the layout of c2sp.org/tlog-tiles, for any static web server and any client or monitor of such logs. Repeating it adds what is new."
}

// Run exports.
func (c *certifyExport) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	note, _, err := newestNote(l)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	out, err := history.Export(l, c.Dir, note)
	if err != nil {
		return &Fault{Doing: "exporting the log", Path: c.Dir, Err: err, Try: "stigmergy verify", Code: exitOr(err, codeUsage)}
	}
	return a.one(record{text("dir", c.Dir), number("size", out.Size), text("root", out.Root), number("written", out.Written), number("kept", out.Kept)})
}
