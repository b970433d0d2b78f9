package exemplars

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"stigmergy/contracts"
)

// Window narrows a rollup: a scope (a name, or a pattern with * and ?), and
// days, as 2026-01-29, the first and the last one that count. What is empty
// narrows nothing.
type Window struct {
	Scope, Since, Until string
}

func (w Window) where() (text string, args []any) {
	var parts []string
	scope, pattern := scopeIs(w.Scope)
	for _, p := range []struct{ cond, value string }{{scope, pattern}, {"day >= ?", w.Since}, {"day <= ?", w.Until}} {
		if p.value != "" {
			parts, args = append(parts, p.cond), append(args, p.value)
		}
	}
	if len(parts) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}

// bound is an end of a window, for rows by n.
type bound struct {
	cond string
	n    int64
}

func (w Window) bounds() (out []bound) {
	for _, d := range []struct {
		cond, day string
		add       time.Duration
	}{{"n >= ?", w.Since, 0}, {"n < ?", w.Until, 24 * time.Hour}} {
		if d.day != "" {
			ns, _ := contracts.ParseTime([]byte(d.day + "T00:00:00Z"))
			out = append(out, bound{d.cond, (ns + int64(d.add)) / int64(time.Millisecond) << msBits})
		}
	}
	return out
}

// GateFailures is how often a gate failed. Rate is failed ÷ (passed + failed),
// nil where it never spoke.
type GateFailures struct {
	GateID     string   `json:"gate_id"`
	Rate       *float64 `json:"failure_rate"`
	Failed     int64    `json:"failed"`
	Passed     int64    `json:"passed"`
	Skipped    int64    `json:"skipped"`
	Error      int64    `json:"error"`
	DurationMS int64    `json:"duration_ms"` // of all its runs
}

// GateFailures is the failure rate by gate, the worst first.
func (s *Store) GateFailures(ctx context.Context, w Window) (out []GateFailures, err error) {
	where, args := w.where()
	err = s.each(ctx, "SELECT gate_id, sum(passed), sum(failed), sum(skipped), sum(error), sum(duration_ms) FROM gate_day"+where+
		" GROUP BY gate_id ORDER BY sum(failed) * 1.0 / max(sum(passed) + sum(failed), 1) DESC, sum(failed) DESC, gate_id", args, func(r *sql.Rows) error {
		var g GateFailures
		if err := r.Scan(&g.GateID, &g.Passed, &g.Failed, &g.Skipped, &g.Error, &g.DurationMS); err != nil {
			return err
		}
		if n := g.Passed + g.Failed; n > 0 {
			rate := float64(g.Failed) / float64(n)
			g.Rate = &rate
		}
		out = append(out, g)
		return nil
	})
	return out, s.told("adding up", err)
}

// Churn is what a batch changed over all its runs.
type Churn struct {
	BatchID    string `json:"batch_id"`
	Churn      int64  `json:"churn"` // insertions + deletions
	Insertions int64  `json:"insertions"`
	Deletions  int64  `json:"deletions"`
	Commits    int64  `json:"commits"`
	Runs       int64  `json:"runs"`
}

// Churn is what every batch changed, the most first.
func (s *Store) Churn(ctx context.Context, w Window) (out []Churn, err error) {
	where, args := w.where()
	err = s.each(ctx, "SELECT batch_id, sum(insertions), sum(deletions), sum(commits), sum(runs) FROM churn_day"+where+
		" GROUP BY batch_id ORDER BY sum(insertions) + sum(deletions) DESC, batch_id", args, func(r *sql.Rows) error {
		var c Churn
		err := r.Scan(&c.BatchID, &c.Insertions, &c.Deletions, &c.Commits, &c.Runs)
		c.Churn = c.Insertions + c.Deletions
		out = append(out, c)
		return err
	})
	return out, s.told("adding up", err)
}

// Outcomes is how many runs of a day, or of a scope, ended how.
type Outcomes struct {
	Key     string `json:"-"` // the day or the scope
	OK      int64  `json:"ok"`
	Partial int64  `json:"partial"`
	Error   int64  `json:"error"`
	Total   int64  `json:"total"`
}

// Outcomes counts by "day" (in UTC, in order) or "scope".
func (s *Store) Outcomes(ctx context.Context, w Window, by string) (out []Outcomes, err error) {
	if by != "scope" {
		by = "day"
	}
	where, args := w.where()
	err = s.each(ctx, "SELECT "+by+", sum(ok), sum(partial), sum(error) FROM outcome_day"+where+" GROUP BY "+by+" ORDER BY "+by, args, func(r *sql.Rows) error {
		var o Outcomes
		err := r.Scan(&o.Key, &o.OK, &o.Partial, &o.Error)
		o.Total = o.OK + o.Partial + o.Error
		out = append(out, o)
		return err
	})
	return out, s.told("adding up", err)
}

// MTBC is the mean time between clean surfaces: runs that were ok and left no
// tracked change. One clean run alone has none.
type MTBC struct {
	Scope       string   `json:"scope"`
	MTBCSeconds *float64 `json:"mtbc_seconds"`
	Clean       int64    `json:"clean"`
	First       string   `json:"first"`
	Last        string   `json:"last"`
}

// MTBC is that of every scope.
func (s *Store) MTBC(ctx context.Context, w Window) (out []MTBC, err error) {
	where, args := w.where()
	err = s.each(ctx, "SELECT scope, sum(clean), min(first_clean), max(last_clean) FROM outcome_day"+where+" GROUP BY scope HAVING sum(clean) > 0 ORDER BY scope", args, func(r *sql.Rows) error {
		var m MTBC
		var first, last int64
		if err := r.Scan(&m.Scope, &m.Clean, &first, &last); err != nil {
			return err
		}
		m.First, m.Last = time.UnixMilli(first).UTC().Format(time.RFC3339Nano), time.UnixMilli(last).UTC().Format(time.RFC3339Nano)
		if m.Clean > 1 {
			mean := float64(last-first) / 1000 / float64(m.Clean-1)
			m.MTBCSeconds = &mean
		}
		out = append(out, m)
		return nil
	})
	return out, s.told("adding up", err)
}
