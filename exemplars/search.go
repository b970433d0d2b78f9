package exemplars

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"stigmergy/contracts"
)

// Exemplar is one row of the store.
type Exemplar struct {
	ExemplarID   string          `json:"exemplar_id"`
	TS           string          `json:"ts"`
	Scope        string          `json:"scope"`
	RunID        string          `json:"run_id"`
	Outcome      string          `json:"outcome"`
	Pushed       bool            `json:"pushed"`
	Clean        *bool           `json:"clean"`
	Batches      int64           `json:"batches"`
	Committed    int64           `json:"committed"`
	FailedGates  int64           `json:"failed_gates"`
	Insertions   int64           `json:"insertions"`
	Deletions    int64           `json:"deletions"`
	ConfigSHA256 string          `json:"config_sha256"`
	ReceiptPath  string          `json:"receipt_path"`
	Position     string          `json:"position"`
	Source       string          `json:"source"`
	EventID      string          `json:"event_id"`
	Ingested     string          `json:"ingested"`
	Packet       json.RawMessage `json:"packet"`
}

// Member is one member of the packet, as JSON; nil if it has none.
func (e *Exemplar) Member(key string) []byte { return contracts.Lookup(e.Packet, key).Raw }

// Query selects exemplars; what is empty selects all.
type Query struct {
	// Words must all stand in the packet, whole or as a word's beginning. They
	// are words, not query syntax: gitops_run finds gitops_run__gen88-v4. What
	// is beyond 64 words is not looked for.
	Words string
	Window
	Outcome string
	Pushed  bool // only what was pushed
	Limit   int  // 0: no limit
}

// Search gives what the query selects, best first: those that have every word
// among what names them (scope, run_id, outcome, tags, keywords, id), then
// those that have them anywhere, then those in which words only begin so. What
// is equal stands newest first.
func (s *Store) Search(ctx context.Context, q Query) ([]Exemplar, error) {
	if strings.TrimSpace(q.Words) == "" {
		out, err := s.rows(ctx, "", q, nil)
		return out, s.told("searching", err)
	}
	var out []Exemplar
	seen := map[string]bool{}
	for _, match := range matches(q.Words) {
		limited := q
		if q.Limit > 0 {
			limited.Limit = q.Limit + len(seen) // the better ones are found again
		}
		found, err := s.rows(ctx, match, limited, nil)
		if err != nil {
			return nil, s.told("searching", err)
		}
		for _, e := range found {
			if !seen[e.ExemplarID] && (q.Limit == 0 || len(out) < q.Limit) {
				seen[e.ExemplarID] = true
				out = append(out, e)
			}
		}
		if q.Limit > 0 && len(out) == q.Limit {
			break
		}
	}
	return out, nil
}

// maxWords is how many words are looked for: SQLite takes no more than so many
// at a time, and nobody needs them.
const maxWords = 64

// minPrefix is the shortest beginning of a word that finds it: shorter ones
// would read half of the index.
const minPrefix = 3

// matches are the expressions of FTS5 for some words, the best first. Every
// word is quoted, so that none of it is syntax; the tokenizer makes a phrase of
// gitops_run.
func matches(words string) []string {
	var exact, begun []string
	for _, w := range strings.Fields(strings.ReplaceAll(words, "\x00", " ")) {
		n := 0
		for _, r := range w {
			if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Co, r) {
				n++
			}
		}
		if n == 0 {
			continue // punctuation alone is no word
		}
		quoted := `"` + strings.ReplaceAll(w, `"`, `""`) + `"`
		if len(exact) == maxWords {
			break
		}
		exact = append(exact, quoted)
		if n >= minPrefix {
			quoted += "*"
		}
		begun = append(begun, quoted)
	}
	if len(exact) == 0 {
		return nil
	}
	all := strings.Join(exact, " AND ")
	return []string{"heading : (" + all + ")", all, strings.Join(begun, " AND ")}
}

const columns = "e.exemplar_id, e.ts, e.scope, e.run_id, e.outcome, e.pushed, e.clean, e.batches, e.committed, e.failed_gates, e.insertions, e.deletions, " +
	"e.config_sha256, e.receipt_path, e.position, e.source, e.event_id, e.ingested, p.packet"

// rows runs one selection, newest first.
func (s *Store) rows(ctx context.Context, match string, q Query, fn func(Exemplar) error) (out []Exemplar, err error) {
	from, order := "exemplars e JOIN packets p ON p.n = e.n", "e.n"
	var where []string
	var args []any
	if match != "" {
		// CROSS keeps SQLite from beginning with the exemplars.
		from, order = "words CROSS JOIN exemplars e ON e.n = words.rowid CROSS JOIN packets p ON p.n = e.n", "words.rowid"
		where, args = append(where, "words MATCH ?"), append(args, match)
	}
	bounds := q.bounds()
	if q.Scope != "" {
		cond, arg := scopeIs(q.Scope)
		where, args = append(where, "e."+cond), append(args, arg)
		last, err := s.lastDay(ctx, cond, arg)
		if err != nil || last == nil {
			return nil, err
		}
		bounds = append(bounds, *last)
	}
	for _, b := range bounds {
		where, args = append(where, "e."+b.cond), append(args, b.n)
	}
	if q.Outcome != "" {
		where, args = append(where, "e.outcome = ?"), append(args, q.Outcome)
	}
	if q.Pushed {
		where = append(where, "e.pushed = 1")
	}
	text := "SELECT " + columns + " FROM " + from
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	text += " ORDER BY " + order + " DESC"
	if q.Limit > 0 {
		text, args = text+" LIMIT ?", append(args, q.Limit)
	}
	if fn == nil {
		fn = func(e Exemplar) error { out = append(out, e); return nil }
	}
	return out, s.each(ctx, text, args, func(r *sql.Rows) error {
		var e Exemplar
		var packet string
		if err := r.Scan(&e.ExemplarID, &e.TS, &e.Scope, &e.RunID, &e.Outcome, &e.Pushed, &e.Clean, &e.Batches, &e.Committed, &e.FailedGates,
			&e.Insertions, &e.Deletions, &e.ConfigSHA256, &e.ReceiptPath, &e.Position, &e.Source, &e.EventID, &e.Ingested, &packet); err != nil {
			return err
		}
		e.Packet = json.RawMessage(packet)
		return fn(e)
	})
}

// lastDay is the end of the day of the newest row of some scopes, and a day of
// room; nil: there is no row. What is newer need not be looked through.
func (s *Store) lastDay(ctx context.Context, cond, arg string) (*bound, error) {
	var day sql.NullString
	err := s.db.QueryRowContext(ctx, "SELECT max(day) FROM outcome_day WHERE "+cond, arg).Scan(&day)
	if err != nil || !day.Valid {
		return nil, err
	}
	b := Window{Until: day.String}.bounds()[0]
	b.n += int64(24*time.Hour/time.Millisecond) << msBits
	return &b, nil
}

// each gives every row of a query.
func (s *Store) each(ctx context.Context, text string, args []any, fn func(*sql.Rows) error) error {
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// maxGlob is how long a pattern SQLite compares; a longer one is a name.
const maxGlob = 10_000

// scopeIs is the condition that a scope is pattern: * and ? match, and nothing
// else is special.
func scopeIs(pattern string) (cond, arg string) {
	if !strings.ContainsAny(pattern, "*?") || len(pattern) > maxGlob {
		return "scope = ?", pattern
	}
	return "scope GLOB ?", strings.ReplaceAll(pattern, "[", "[[]")
}
