package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/exemplar"
	"stigmergy/exemplars"
)

// known is what the board says of a packet that was taken in.
type known struct{ position, receipt, time string }

// catchUp brings the store to where the board is. Without anew it begins at
// the store's cursor, and what cannot be read is told and looked for again the
// next time; with anew, when rows would be lost by it, that is an error.
func (f *Feed) catchUp(ctx context.Context, store *exemplars.Store, root *os.Root, anew bool) error {
	e, err := query.Open(f.cfg.Layout, query.Options{Now: f.cfg.Now})
	if err != nil {
		return err
	}
	defer e.Close()
	at, err := store.Cursor(ctx)
	if err != nil {
		return err
	}
	from, err := query.ParseCursor(at)
	if at == "" || anew || err != nil {
		from = query.Cursor{}
	}
	taken, res, err := answers(ctx, e, from)
	var lost *query.LostError
	if errors.As(err, &lost) { // the board was set back: what the store knows beyond it is not the board's
		from, anew = query.Cursor{}, true
		taken, res, err = answers(ctx, e, from)
	}
	if err != nil {
		return err
	}
	whole, end, damaged := from.IsStart(), res.Cursor.String(), res.Damaged
	if !whole {
		if err := missing(ctx, store, taken); err != nil {
			return err
		}
	}
	return store.Restore(ctx, anew, func(old map[string]exemplars.Receipt, put func(exemplars.Restored) error) (string, error) {
		addKnown(taken, old)
		if len(taken) > 0 || whole {
			res, err := packets(ctx, e, root, taken, whole, put)
			if err != nil {
				return "", err
			}
			damaged = append(damaged, res.Damaged...)
		}
		if len(damaged) == 0 {
			return end, nil
		}
		d := damaged[0]
		if anew {
			return "", fmt.Errorf("reading exemplars from the board: %s at offset %d: %w; the rows stay as they were", d.Path, d.Offset, d.Err)
		}
		f.cfg.Log.Warn("exemplars may be missing from their store: the board cannot be read", "path", d.Path, "offset", d.Offset, "error", d.Err)
		return at, nil
	})
}

// answers are the packets that were taken in behind a cursor, by exemplar_id,
// and the cursor behind them.
func answers(ctx context.Context, e *query.Engine, from query.Cursor) (map[string]known, query.Result, error) {
	topics, err := contracts.ParsePatterns([]string{ingested})
	if err != nil {
		return nil, query.Result{}, err
	}
	taken := map[string]known{}
	res, err := e.Run(ctx, query.Request{Topics: topics, From: from, JournaledOnly: true}, func(h *query.Hit) error {
		ev := h.Event()
		id := ev.Get("data.exemplar_id").Text()
		if _, again := taken[id]; !again {
			taken[id] = known{ev.Get("data.position").Text(), ev.Get("data.receipt_path").Text(), ev.Get("data.ingested").Text()}
		}
		return nil
	})
	return taken, res, err
}

// missing leaves those of taken that the store has not.
func missing(ctx context.Context, store *exemplars.Store, taken map[string]known) error {
	for id := range taken {
		have, err := store.Has(ctx, id)
		if err != nil {
			return err
		}
		if have != nil {
			delete(taken, id)
		}
	}
	return nil
}

// addKnown adds what receipts tell of packets that nothing told of yet.
func addKnown(taken map[string]known, receipts map[string]exemplars.Receipt) {
	for id, r := range receipts {
		if _, told := taken[id]; !told {
			taken[id] = known{r.Position, r.Path, r.TS}
		}
	}
}

// packets puts back every packet that was taken in. With whole it also looks
// for those of which only a receipt tells, because no daemon has met them.
func packets(ctx context.Context, e *query.Engine, root *os.Root, taken map[string]known, whole bool, put func(exemplars.Restored) error) (res query.Result, err error) {
	topics, err := contracts.ParsePatterns([]string{exemplar.Topic})
	if err != nil {
		return res, err
	}
	if whole {
		receipts, err := exemplars.Receipts(root)
		if err != nil {
			return res, fmt.Errorf("reading the receipts of exemplars: %w", err)
		}
		addKnown(taken, receipts)
	}
	return e.Run(ctx, query.Request{Topics: topics}, func(h *query.Hit) error {
		ev := h.Event()
		id, _, err := exemplar.ID(ev.Data())
		k, ok := taken[id]
		if err != nil || !ok || k.position != "" && k.position != h.Pos.String() {
			return nil
		}
		delete(taken, id)
		return put(exemplars.Restored{
			Event:       exemplars.Event{Position: h.Pos.String(), Source: ev.Source(), ID: ev.ID(), Packet: bytes.Clone(ev.Data())},
			ReceiptPath: k.receipt, Ingested: k.time,
		})
	})
}
