package exemplars

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"stigmergy/contracts"
)

// row is a packet as the store keeps it.
type row struct {
	id, position, source, event string
	ts, scope, run, outcome     string
	config, receipt, ingested   string
	pushed                      bool
	clean                       *bool
	gates                       []Gate
	batches                     []Batch
	packet                      []byte // canonical
}

// take is what a row that stands there already says of the packet.
func (r *row) take(old *row) {
	if old != nil {
		r.position, r.source, r.event, r.receipt, r.ingested = old.position, old.source, old.event, old.receipt, old.ingested
	}
}

// readPacket reads what the store asks about. The contract leaves the shape of
// batches, gates and summary open: what is none of ours counts for nothing.
func readPacket(packet []byte) *row {
	get := func(key string) string { return contracts.GetString(packet, key) }
	r := &row{packet: packet, ts: get("ts"), scope: get("scope"), run: get("run_id"), outcome: get("outcome"), config: get("config_sha256")}
	summary := contracts.Lookup(packet, "summary").Raw
	r.pushed = contracts.GetBool(summary, "pushed")
	if clean, ok := contracts.Lookup(summary, "clean").Bool(); ok {
		clean = clean && r.outcome == "ok"
		r.clean = &clean
	}
	contracts.Elements(contracts.Lookup(packet, "gates").Raw, func(v contracts.Value) bool {
		if id := contracts.GetString(v.Raw, "gate_id"); id != "" {
			r.gates = append(r.gates, Gate{GateID: id, Outcome: contracts.GetString(v.Raw, "outcome"), DurationMS: count(v.Raw, "duration_ms")})
		}
		return true
	})
	contracts.Elements(contracts.Lookup(packet, "batches").Raw, func(v contracts.Value) bool {
		if id := contracts.GetString(v.Raw, "batch_id"); id != "" {
			r.batches = append(r.batches, Batch{
				BatchID: id, Outcome: contracts.GetString(v.Raw, "outcome"),
				Insertions: count(v.Raw, "insertions"), Deletions: count(v.Raw, "deletions"),
			})
		}
		return true
	})
	return r
}

// count is a member that is a number of things; an absurd one is none.
func count(object []byte, key string) int64 {
	n, ok := contracts.GetInt(object, key)
	if !ok || n < 0 || n > 1<<40 {
		return 0
	}
	return n
}

// msBits leaves room for so many exemplars of one millisecond.
const msBits = 14

// key is the row's n: the millisecond of ts, then the order in which they were
// ingested, see seat. Words and rows are then newest first by themselves.
func (r *row) key(tx *txn) (int64, error) {
	ns, _ := contracts.ParseTime([]byte(r.ts))
	base := (ns / int64(time.Millisecond)) << msBits
	var last sql.NullInt64
	if err := tx.get("SELECT max(n) FROM exemplars WHERE n >= ? AND n < ?", []any{base, base + 1<<msBits}, &last); err != nil {
		return 0, err
	}
	switch {
	case !last.Valid:
		return base, nil
	case last.Int64+1 < base+1<<msBits:
		return last.Int64 + 1, nil
	}
	var n int64 // the next milliseconds must do
	err := tx.QueryRow("SELECT a.n + 1 FROM exemplars a LEFT JOIN exemplars b ON b.n = a.n + 1 WHERE a.n >= ? AND b.n IS NULL ORDER BY a.n LIMIT 1", base).Scan(&n)
	return n, err
}

// seat is where the row belongs among those of its millisecond, n being the
// first free place behind them: what was ingested later moves on. Rows come in
// another order when they are put back than when they were ingested.
func (r *row) seat(tx *txn, n int64) (int64, error) {
	mine, _ := contracts.ParseTime([]byte(r.ingested))
	for ; n&(1<<msBits-1) > 0; n-- {
		var at string
		err := tx.get("SELECT ingested FROM exemplars WHERE n = ?", []any{n - 1}, &at)
		if errors.Is(err, sql.ErrNoRows) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		if theirs, _ := contracts.ParseTime([]byte(at)); theirs <= mine {
			return n, nil
		}
		if err := move(tx, n-1, n); err != nil {
			return 0, fmt.Errorf("moving a row on: %w", err)
		}
	}
	return n, nil
}

// move gives a row another n.
func move(tx *txn, from, to int64) error {
	var packet string
	if err := tx.get("SELECT packet FROM packets WHERE n = ?", []any{from}, &packet); err != nil {
		return err
	}
	heading, body := readPacket([]byte(packet)).words()
	return errors.Join(
		tx.put("UPDATE exemplars SET n = ? WHERE n = ?", to, from),
		tx.put("UPDATE packets SET n = ? WHERE n = ?", to, from),
		tx.put("INSERT INTO words (words, rowid, heading, body) VALUES ('delete', ?, ?, ?)", from, heading, body),
		tx.put("INSERT INTO words (rowid, heading, body) VALUES (?, ?, ?)", to, heading, body),
	)
}

// day is that of ts, in UTC.
func (r *row) day() string {
	ns, _ := contracts.ParseTime([]byte(r.ts))
	return time.Unix(0, ns).UTC().Format(time.DateOnly)
}

// insert puts the row in, with its words and its part of the sums.
func (r *row) insert(tx *txn) error {
	n, err := r.key(tx)
	if err == nil {
		n, err = r.seat(tx, n)
	}
	if err != nil {
		return err
	}
	var committed, failed int
	var added, deleted int64
	for _, b := range r.batches {
		added, deleted = added+b.Insertions, deleted+b.Deletions
		if b.Outcome == "committed" {
			committed++
		}
	}
	for _, g := range r.gates {
		if g.Outcome == "failed" {
			failed++
		}
	}
	err = tx.put("INSERT INTO exemplars VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		n, r.id, r.position, r.source, r.event, r.ts, r.scope, r.run, r.outcome, r.pushed, r.clean, len(r.batches), committed, failed,
		added, deleted, r.config, r.receipt, r.ingested)
	if err != nil {
		return fmt.Errorf("the row: %w", err)
	}
	if err = tx.put("INSERT INTO packets VALUES (?, ?)", n, string(r.packet)); err != nil {
		return fmt.Errorf("the packet: %w", err)
	}
	heading, body := r.words()
	if err = tx.put("INSERT INTO words (rowid, heading, body) VALUES (?, ?, ?)", n, heading, body); err != nil {
		return fmt.Errorf("the words: %w", err)
	}
	return r.sum(tx, n)
}

// sum adds the row, which has n, to the sums by day.
func (r *row) sum(tx *txn, n int64) error {
	day := r.day()
	is := func(a, b string) int {
		if a == b {
			return 1
		}
		return 0
	}
	clean, at := 0, any(nil)
	if r.clean != nil && *r.clean {
		clean, at = 1, n>>msBits
	}
	err := tx.put("INSERT INTO outcome_day VALUES (?, ?, ?, ?, ?, ?, ?7, ?7) ON CONFLICT DO UPDATE SET ok = ok + excluded.ok, partial = partial + excluded.partial, error = error + excluded.error, "+
		"clean = clean + excluded.clean, first_clean = min(coalesce(first_clean, excluded.first_clean), coalesce(excluded.first_clean, first_clean)), "+
		"last_clean = max(coalesce(last_clean, excluded.last_clean), coalesce(excluded.last_clean, last_clean))",
		day, r.scope, is(r.outcome, "ok"), is(r.outcome, "partial"), is(r.outcome, "error"), clean, at)
	if err != nil {
		return fmt.Errorf("the outcomes: %w", err)
	}
	for _, g := range r.gates {
		err = tx.put("INSERT INTO gate_day VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET passed = passed + excluded.passed, failed = failed + excluded.failed, "+
			"skipped = skipped + excluded.skipped, error = error + excluded.error, duration_ms = duration_ms + excluded.duration_ms",
			day, r.scope, g.GateID, is(g.Outcome, "passed"), is(g.Outcome, "failed"), is(g.Outcome, "skipped"), is(g.Outcome, "error"), g.DurationMS)
		if err != nil {
			return fmt.Errorf("the gates: %w", err)
		}
	}
	for _, b := range r.batches {
		err = tx.put("INSERT INTO churn_day VALUES (?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET runs = runs + 1, commits = commits + excluded.commits, "+
			"insertions = insertions + excluded.insertions, deletions = deletions + excluded.deletions",
			day, r.scope, b.BatchID, is(b.Outcome, "committed"), b.Insertions, b.Deletions)
		if err != nil {
			return fmt.Errorf("the churn: %w", err)
		}
	}
	return nil
}

// maxText bounds the words of one packet.
const maxText = 1 << 20

// words are the packet's strings: those that name the run, and all others.
func (r *row) words() (heading, body string) {
	var h, b strings.Builder
	add := func(to *strings.Builder, text string) {
		if b.Len()+h.Len()+len(text) < maxText {
			to.WriteString(text)
			to.WriteByte('\n')
		}
	}
	contracts.Members(r.packet, func(key []byte, v contracts.Value) bool {
		to := &b
		switch string(key) {
		case "scope", "run_id", "outcome", "tags", "keywords", "exemplar_id":
			to = &h
		case "type":
			return true
		}
		leaves(v, func(s string) { add(to, s) })
		return true
	})
	return h.String(), b.String()
}

// leaves gives every string in a value.
func leaves(v contracts.Value, fn func(string)) {
	switch v.Kind {
	case contracts.String:
		fn(v.Text())
	case contracts.Array:
		contracts.Elements(v.Raw, func(e contracts.Value) bool { leaves(e, fn); return true })
	case contracts.Object:
		contracts.Members(v.Raw, func(_ []byte, m contracts.Value) bool { leaves(m, fn); return true })
	}
}
