package exemplars

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"stigmergy/contracts"
	"stigmergy/contracts/exemplar"
)

// Event is a packet that was posted.
type Event struct {
	Position string // of the hfo.exemplar event, for ever
	Source   string // the event's
	ID       string // the event's
	Packet   []byte // its data
}

// Result is what came of a packet.
type Result struct {
	ExemplarID  string `json:"exemplar_id"`
	Scope       string `json:"scope"`
	Outcome     string `json:"outcome"`
	ReceiptPath string `json:"receipt_path"`
	New         bool   `json:"new"` // this event brought it
	Position    string `json:"position"`
	Ingested    string `json:"ingested"` // when, RFC 3339
}

// Ingest takes a packet in, once: by content, and by (source, id). It checks
// the packet, its name and its sources below root, puts it into the store and
// writes its receipt. A packet that is not taken is a *Refusal.
func (s *Store) Ingest(ctx context.Context, root *os.Root, ev Event, now time.Time) (Result, error) {
	r, err := newRow(ev)
	if err != nil {
		return Result{}, err
	}
	old, err := find(ctx, s, r)
	if err != nil {
		return Result{}, s.told("reading", err)
	}
	if old == nil {
		if err := CheckSources(ctx, root, r.packet); err != nil {
			return Result{}, err
		}
	}
	r.ingested = now.UTC().Format(time.RFC3339Nano)
	err = s.change(ctx, func(tx *txn) error {
		old, err := find(ctx, tx, r)
		if err != nil || old != nil {
			r.take(old)
			return err
		}
		if r.receipt, err = receiptName(tx, root, r.id, now); err != nil {
			return err
		}
		return r.insert(tx)
	})
	if err != nil {
		return Result{}, s.told("ingesting "+ev.Position+" into", err)
	}
	if err := s.writeReceipt(root, r); err != nil {
		return Result{}, fmt.Errorf("writing the receipt %s: %w", r.receipt, err)
	}
	return Result{
		ExemplarID: r.id, Scope: r.scope, Outcome: r.outcome, ReceiptPath: r.receipt,
		New: r.position == ev.Position, Position: r.position, Ingested: r.ingested,
	}, nil
}

// querier is a transaction, or none.
type querier interface {
	scan(ctx context.Context, text string, args []any, into ...any) error
}

func (s *Store) scan(ctx context.Context, text string, args []any, into ...any) error {
	return s.db.QueryRowContext(ctx, text, args...).Scan(into...)
}

func (tx *txn) scan(_ context.Context, text string, args []any, into ...any) error {
	return tx.get(text, args, into...)
}

// find is the row that stands for the packet already, or nil. Another packet
// from the same event is a Refusal: whoever wrote it would think it stored.
func find(ctx context.Context, q querier, r *row) (*row, error) {
	old := &row{}
	const text = "SELECT exemplar_id, position, source, event_id, receipt_path, ingested FROM exemplars " +
		"WHERE exemplar_id = ?1 OR source = ?2 AND event_id = ?3 ORDER BY exemplar_id = ?1 DESC LIMIT 1"
	err := q.scan(ctx, text, []any{r.id, r.source, r.event}, &old.id, &old.position, &old.source, &old.event, &old.receipt, &old.ingested)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case old.id != r.id:
		return nil, &Refusal{Reason: "duplicate", Errors: []contracts.FieldError{{
			Pointer: "/id", Keyword: "unique", Expected: "one packet from " + r.source + " with id " + r.event,
			Got: "another packet than that of " + old.position, Hint: "give the event an id of its own",
		}}}
	}
	return old, nil
}

// Has is what came of a packet earlier; nil if it is not in the store.
func (s *Store) Has(ctx context.Context, exemplarID string) (*Result, error) {
	var res *Result
	err := s.db.QueryRowContext(ctx, "SELECT scope, outcome, receipt_path, position, ingested FROM exemplars WHERE exemplar_id = ?", exemplarID).
		Scan(scanResult(&res, exemplarID)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, s.told("reading", err)
	}
	return res, nil
}

func scanResult(res **Result, id string) []any {
	*res = &Result{ExemplarID: id}
	r := *res
	return []any{&r.Scope, &r.Outcome, &r.ReceiptPath, &r.Position, &r.Ingested}
}

// newRow reads what the store keeps of an event, or refuses its packet.
func newRow(ev Event) (*row, error) {
	if errs := Check(ev.Packet); len(errs) > 0 {
		return nil, &Refusal{Reason: "bad_parameter", Errors: errs}
	}
	sealed, id, err := exemplar.Seal(ev.Packet)
	if err != nil {
		e := contracts.FieldError{Pointer: "/data", Keyword: "exemplar_id", Expected: "a packet that RFC 8785 gives a form to", Got: err.Error()}
		if m := exemplar.Misnamed(ev.Packet, id); id != "" && m != nil {
			e = *m
		}
		return nil, &Refusal{Reason: "bad_parameter", Errors: []contracts.FieldError{e}}
	}
	r := readPacket(sealed)
	r.id, r.position, r.source, r.event = id, ev.Position, ev.Source, ev.ID
	return r, nil
}
