package cli

import (
	"context"
	"errors"

	"stigmergy/exemplars"
)

type exemplarRollup struct {
	Runs         rollupRuns     `cmd:"" help:"The last runs with what came of them."`
	GateFailures rollupGates    `cmd:"" name:"gate-failures" help:"How often each gate failed: failed ÷ (passed + failed)."`
	Churn        rollupChurn    `cmd:"" help:"What each batch changed: insertions + deletions."`
	MTBC         rollupMTBC     `cmd:"" name:"mtbc" help:"Mean time between clean surfaces: runs that were ok and left no tracked change."`
	Outcomes     rollupOutcomes `cmd:"" help:"How many runs ended how."`
}

// rollupFlags narrow every rollup.
type rollupFlags struct {
	Scope string `placeholder:"SCOPE" help:"Only this scope; * and ? match, as 'gitops_run*'."`
	Since string `short:"S" placeholder:"TIME" help:"From the day of this time on (UTC): 2026-01-29T00:00:00Z, -7d, yesterday."`
	Until string `short:"U" placeholder:"TIME" help:"Up to the day of this time."`
}

func (f *rollupFlags) window(a *app) (w exemplars.Window, err error) {
	w.Scope = f.Scope
	for _, p := range []struct {
		flag string
		day  *string
	}{{f.Since, &w.Since}, {f.Until, &w.Until}} {
		t, err := a.timeFlag(p.flag)
		if err != nil {
			return w, err
		}
		if !t.IsZero() {
			*p.day = t.UTC().Format("2006-01-02")
		}
	}
	return w, nil
}

// rollup prints the rows of one.
func (a *app) rollup(f *rollupFlags, rows func(ctx context.Context, s *exemplars.Store, w exemplars.Window) ([]record, error)) error {
	w, err := f.window(a)
	if err != nil {
		return err
	}
	s, err := a.exemplarStore()
	if err != nil {
		return err
	}
	p := a.printer()
	found, err := rows(a.ctx, s, w)
	for i := 0; err == nil && i < len(found); i++ {
		err = p.add(found[i])
	}
	if err = errors.Join(a.stopped(storeFault(err)), p.close(), s.Close()); err != nil {
		return err
	}
	if len(found) == 0 {
		return exitWith(codeNone)
	}
	return nil
}

type rollupRuns struct {
	rollupFlags
	Last int `default:"20" placeholder:"N" help:"The last N; 0: all."`
}

// Run lists runs.
func (c *rollupRuns) Run(a *app) error {
	if c.Last < 0 {
		return usage("listing runs", "a number", itoa(c.Last), "")
	}
	return a.rollup(&c.rollupFlags, func(ctx context.Context, s *exemplars.Store, w exemplars.Window) (out []record, err error) {
		found, err := s.Search(ctx, exemplars.Query{Window: w, Limit: c.Last})
		for _, e := range found {
			out = append(out, record{
				text("ts", e.TS), text("run_id", e.RunID), text("scope", e.Scope), text("outcome", e.Outcome), flag("pushed", e.Pushed), value("clean", e.Clean),
				number("batches", e.Batches), number("committed", e.Committed), number("failed_gates", e.FailedGates),
				number("insertions", e.Insertions), number("deletions", e.Deletions), text("exemplar_id", e.ExemplarID),
			})
		}
		return out, err
	})
}

type rollupGates struct{ rollupFlags }

// Run adds gates up.
func (c *rollupGates) Run(a *app) error {
	return a.rollup(&c.rollupFlags, func(ctx context.Context, s *exemplars.Store, w exemplars.Window) (out []record, err error) {
		found, err := s.GateFailures(ctx, w)
		for _, g := range found {
			out = append(out, record{
				text("gate_id", g.GateID), value("failure_rate", g.Rate), number("failed", g.Failed), number("passed", g.Passed),
				number("skipped", g.Skipped), number("error", g.Error), number("duration_ms", g.DurationMS),
			})
		}
		return out, err
	})
}

type rollupChurn struct{ rollupFlags }

// Run adds batches up.
func (c *rollupChurn) Run(a *app) error {
	return a.rollup(&c.rollupFlags, func(ctx context.Context, s *exemplars.Store, w exemplars.Window) (out []record, err error) {
		found, err := s.Churn(ctx, w)
		for _, b := range found {
			out = append(out, record{
				text("batch_id", b.BatchID), number("churn", b.Churn), number("insertions", b.Insertions), number("deletions", b.Deletions),
				number("commits", b.Commits), number("runs", b.Runs),
			})
		}
		return out, err
	})
}

type rollupMTBC struct{ rollupFlags }

// Run tells the time between clean runs.
func (c *rollupMTBC) Run(a *app) error {
	return a.rollup(&c.rollupFlags, func(ctx context.Context, s *exemplars.Store, w exemplars.Window) (out []record, err error) {
		found, err := s.MTBC(ctx, w)
		for _, m := range found {
			out = append(out, record{
				text("scope", m.Scope), value("mtbc_seconds", m.MTBCSeconds), number("clean", m.Clean), text("first", m.First), text("last", m.Last),
			})
		}
		return out, err
	})
}

type rollupOutcomes struct {
	rollupFlags
	By string `enum:"day,scope" default:"day" placeholder:"FIELD" help:"day (UTC) or scope."`
}

// Run counts outcomes.
func (c *rollupOutcomes) Run(a *app) error {
	return a.rollup(&c.rollupFlags, func(ctx context.Context, s *exemplars.Store, w exemplars.Window) (out []record, err error) {
		found, err := s.Outcomes(ctx, w, c.By)
		for _, o := range found {
			out = append(out, record{text(c.By, o.Key), number("ok", o.OK), number("partial", o.Partial), number("error", o.Error), number("total", o.Total)})
		}
		return out, err
	})
}
