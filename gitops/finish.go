package gitops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Finished is a run whose receipt is final.
type Finished struct {
	Receipt *Receipt
	Dir     string // the bundle, absolute
	Top     string // the repository's
	Below   string // the bundle below the board's root
	Base    string // the repository's top below the board's root
	Config  *Config
	Again   bool // the run is another, dead one's: parts of this may have been done

	sealed bool
}

// Place writes a file of the bundle; Seal brings it to disk.
func (f *Finished) Place(name string, data []byte) error {
	return placeFile(filepath.Join(f.Dir, name), data)
}

// Seal completes the bundle with its checksums, and returns once all of it is
// on disk: nobody is told of one that lost power could take away.
func (f *Finished) Seal() error {
	if f.sealed {
		return nil
	}
	err := checksums(f.Dir)
	if err == nil {
		err = syncBundle(f.Dir)
	}
	f.sealed = err == nil
	return err
}

// refused notes a run that began nothing.
func (u *Runner) refused() {
	reason := u.receipt.Refusal.Error()
	u.log.note("refused: %s", reason)
	for i := range u.receipt.Batches {
		b := &u.receipt.Batches[i]
		b.Outcome, b.Error = Skipped, &reason
		u.tell(b)
	}
}

// end looks at what is left, completes the bundle, and tells of the run.
func (u *Runner) end(ctx context.Context) error {
	r := u.receipt
	changed, err := u.repo.dirty("", nil)
	if err == nil {
		changed, err = u.repo.surface(u.tmp("surface"), changed)
	}
	if err == nil {
		n := len(changed)
		r.DirtyAfter = &n
	} else {
		r.Errors = append(r.Errors, err.Error())
	}
	if r.HeadAfter == nil {
		r.HeadAfter = r.HeadBefore
	}
	if ctx.Err() != nil {
		r.Broken = true
	}
	r.conclude(u.opt.FailOnDirty)
	now := stamp(u.opt.Now())
	r.Ended, r.TSEnd, r.State = &now, &now, Done
	u.log.note("outcome: %s", r.Outcome)
	err = u.complete(context.WithoutCancel(ctx), &Finished{Receipt: r, Dir: u.bundle, Top: u.repo.top, Config: u.config}, u.log.bytes())
	if err == nil {
		u.repo.sweep(r.RunID)
		err = u.marker.end()
	}
	return err
}

// conclude fixes outcome and exit code.
func (r *Receipt) conclude(failOnDirty bool) {
	skipped, planned, committed, failed := r.Counts()
	_ = skipped
	bad := failed > 0 || r.Push.Outcome == "failed" || r.Broken || len(r.Errors) > 0
	dirty := failOnDirty && !r.PlanOnly && r.DirtyAfter != nil && *r.DirtyAfter > 0
	switch {
	case r.Refusal != nil:
		r.Outcome, r.ExitCode = Error, ExitRefused
		return
	case !bad && !dirty:
		r.Outcome, r.ExitCode = OK, 0
		return
	case committed+planned > 0 || dirty && !bad:
		r.Outcome = Partial
	default:
		r.Outcome = Error
	}
	r.ExitCode = 1
}

// ExitRefused is the exit code of a run that a rail refused.
const ExitRefused = 77

// complete makes a bundle whole and tells of its run. All of it may be done a
// second time, after a crash.
func (u *Runner) complete(ctx context.Context, f *Finished, log []byte) error {
	var err error
	f.Below, f.Base = u.dir(f.Receipt.ProofDir), u.dir("")
	if log != nil {
		if err = f.Place(LogFile, log); err != nil {
			return fmt.Errorf("writing the log: %w", err)
		}
	}
	if f.Receipt.Files, err = hashes(f.Dir, ConfigFile, ProofDirFile, LogFile, RunIDFile); err != nil {
		return err
	}
	text, err := f.Receipt.encode()
	if err == nil {
		err = f.Place(ReceiptFile, text)
	}
	if err != nil {
		return fmt.Errorf("writing the receipt: %w", err)
	}
	if u.opt.Remember != nil {
		err = u.opt.Remember(ctx, f)
	}
	return errors.Join(err, f.Seal(), u.opt.Emit(u.runEvent(f.Receipt), f.Again), os.Chmod(filepath.Join(f.Dir, ReceiptFile), 0o444))
}
