package exemplars

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Restored is a packet that was taken in before, with what came of it.
type Restored struct {
	Event
	ReceiptPath string
	Ingested    string // RFC 3339
}

// Restore puts rows back that the board tells of, and moves the cursor, in one
// transaction. With anew it empties the store first; old are the receipts of
// the rows that stood there: of a packet that was ingested a moment ago nothing
// else tells yet. A row that stands is left; a packet that no store would take
// is none.
func (s *Store) Restore(ctx context.Context, anew bool, fn func(old map[string]Receipt, put func(Restored) error) (cursor string, err error)) error {
	return s.told("restoring", s.change(ctx, func(tx *txn) error {
		old := map[string]Receipt{}
		if anew {
			board, err := meta(ctx, tx, "board_id")
			if err == nil {
				old, err = receiptsOf(ctx, tx)
			}
			if err == nil {
				err = empty(tx)
			}
			if err == nil {
				err = setMeta(tx, "board_id", board)
			}
			if err != nil {
				return err
			}
		}
		cursor, err := fn(old, func(r Restored) error { return restore(ctx, tx, r) })
		if err != nil {
			return err
		}
		return setMeta(tx, "cursor", cursor)
	}))
}

func receiptsOf(ctx context.Context, tx *txn) (map[string]Receipt, error) {
	rows, err := tx.QueryContext(ctx, "SELECT receipt_path, exemplar_id, position, ingested FROM exemplars")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]Receipt{}
	for rows.Next() {
		var r Receipt
		if err := rows.Scan(&r.Path, &r.ExemplarID, &r.Position, &r.TS); err != nil {
			return nil, err
		}
		out[r.ExemplarID] = r
	}
	return out, rows.Err()
}

func restore(ctx context.Context, tx *txn, from Restored) error {
	var refusal *Refusal
	r, err := newRow(from.Event)
	if err == nil {
		var old *row
		if old, err = find(ctx, tx, r); err == nil && old != nil {
			return nil
		}
	}
	if errors.As(err, &refusal) {
		return nil
	}
	if err != nil {
		return err
	}
	r.receipt, r.ingested = from.ReceiptPath, from.Ingested
	return r.insert(tx)
}

// Receipt is what a receipt tells, or the row that it is of.
type Receipt struct {
	Path, ExemplarID, Position, TS string
}

// Receipts reads the receipts below root, by the names of their exemplars.
func Receipts(root *os.Root) (map[string]Receipt, error) {
	out := map[string]Receipt{}
	dir, err := root.Open(ReceiptDir)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".receipt.json") {
			continue
		}
		var r receipt
		p := path.Join(ReceiptDir, name)
		if text, err := readSmall(root, p); err == nil && json.Unmarshal(text, &r) == nil && r.Receipt == "p6_exemplar_ingest" {
			out[r.ExemplarID] = Receipt{Path: p, ExemplarID: r.ExemplarID, Position: r.Position, TS: r.TS}
		}
	}
	return out, nil
}

// maxReceipt bounds what is read as a receipt.
const maxReceipt = 8 << 20

func readSmall(root *os.Root, name string) ([]byte, error) {
	fi, err := root.Lstat(name)
	if err != nil || !fi.Mode().IsRegular() {
		return nil, errors.Join(err, fs.ErrInvalid)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxReceipt))
	return bytes.TrimRight(text, "\x00"), err
}

// Keep writes a packet below root, unless something else stands there.
func (s *Store) Keep(root *os.Root, name string, packet []byte) error {
	return s.writeOnce(root, name, append(bytes.Clone(packet), '\n'))
}

// Count is how many exemplars there are.
func (s *Store) Count(ctx context.Context) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT count(*) FROM exemplars").Scan(&n)
	return n, s.told("counting", err)
}
