package exemplars

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"stigmergy/contracts"
)

// ReceiptDir is where receipts lie, below root.
const ReceiptDir = "artifacts/exemplar_ingest"

// receipt is what an ingest receipt says. All of it follows from the row.
type receipt struct {
	Version      int             `json:"version"`
	Receipt      string          `json:"receipt"`
	TS           string          `json:"ts_utc"`
	ExemplarID   string          `json:"exemplar_id"`
	Scope        string          `json:"scope"`
	RunID        string          `json:"run_id,omitempty"`
	Outcome      string          `json:"outcome"`
	Position     string          `json:"position"`
	Source       string          `json:"source"`
	EventID      string          `json:"event_id"`
	ExemplarPath string          `json:"exemplar_path"`
	SourceHashes json.RawMessage `json:"source_hashes"`
	Rows         int             `json:"rows"`
}

// receiptName chooses the name of a new receipt: that of the second, and with
// the exemplar's name where the second has one already.
func receiptName(tx *txn, root *os.Root, id string, now time.Time) (string, error) {
	base := path.Join(ReceiptDir, "p6_exemplar_ingest_"+now.UTC().Format("20060102T150405Z"))
	for _, name := range []string{base + ".receipt.json", base + "_" + id[:12] + ".receipt.json"} {
		var taken int
		if err := tx.QueryRow("SELECT count(*) FROM exemplars WHERE receipt_path = ?", name).Scan(&taken); err != nil {
			return "", err
		}
		_, err := root.Lstat(name)
		if taken == 0 && errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("choosing a receipt's name: %w", err)
		}
	}
	return base + "_" + id + ".receipt.json", nil
}

func (r *row) receiptText() ([]byte, error) {
	hashes := contracts.Lookup(r.packet, "source_hashes").Raw
	if len(hashes) == 0 {
		hashes = []byte("[]")
	}
	text, err := json.MarshalIndent(receipt{
		Version: 1, Receipt: "p6_exemplar_ingest", TS: r.ingested, ExemplarID: r.id, Scope: r.scope, RunID: r.run, Outcome: r.outcome,
		Position: r.position, Source: r.source, EventID: r.event,
		ExemplarPath: contracts.Lookup(r.packet, "artifacts", "exemplar_path").Text(), SourceHashes: hashes, Rows: 1,
	}, "", "  ")
	return append(text, '\n'), err
}

// writeReceipt writes the row's receipt unless it stands. What stands there in
// part is of a run that was killed over it, and is completed; anything else
// under that name is somebody's and stays.
func (s *Store) writeReceipt(root *os.Root, r *row) error {
	text, err := r.receiptText()
	if err != nil {
		return err
	}
	return s.writeOnce(root, r.receipt, text)
}

// writeOnce makes a file below root of bytes that are the same each time.
func (s *Store) writeOnce(root *os.Root, name string, text []byte) (err error) {
	dir := path.Dir(name)
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > int64(len(text)) {
		return err
	}
	old, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if unfinished(old, text) {
		if err = s.step(); err != nil {
			return err
		}
		if _, err = f.WriteAt(text, 0); err != nil {
			return err
		}
	}
	if err = s.step(); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	return syncDir(root, dir)
}

// unfinished tells whether old is what a crash left of text: its beginning,
// and zeros where power was cut.
func unfinished(old, text []byte) bool {
	old = bytes.TrimRight(old, "\x00")
	return len(old) < len(text) && bytes.HasPrefix(text, old)
}

func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
