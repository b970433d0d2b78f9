package exemplars

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Store is one board's exemplars. It may be used by many goroutines and, at
// the same time, by other processes.
type Store struct {
	db   *sql.DB
	path string
	// Step, if set, stands before every step that changes the disk, so that a
	// test can make each of them the last.
	Step func() error
}

// ErrNoStore is a board that has no store yet.
var ErrNoStore = errors.New("no exemplar was ingested yet")

// ErrDamaged is a store that cannot be read. It is a cache: `stigmergy
// exemplar rebuild` makes it anew.
var ErrDamaged = errors.New("the store of exemplars is damaged")

// version is that of the tables below. A store of another version is made
// anew, for it is a cache.
const version = 2

const schema = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE exemplars (
	n INTEGER PRIMARY KEY, exemplar_id TEXT NOT NULL UNIQUE, position TEXT NOT NULL,
	source TEXT NOT NULL, event_id TEXT NOT NULL,
	ts TEXT NOT NULL, scope TEXT NOT NULL, run_id TEXT NOT NULL, outcome TEXT NOT NULL,
	pushed INTEGER NOT NULL, clean INTEGER, batches INTEGER NOT NULL, committed INTEGER NOT NULL, failed_gates INTEGER NOT NULL,
	insertions INTEGER NOT NULL, deletions INTEGER NOT NULL,
	config_sha256 TEXT NOT NULL, receipt_path TEXT NOT NULL, ingested TEXT NOT NULL,
	UNIQUE (source, event_id)
);
CREATE INDEX receipt ON exemplars (receipt_path);
CREATE TABLE packets (n INTEGER PRIMARY KEY, packet TEXT NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(heading, body, content='', columnsize=0, tokenize="unicode61 remove_diacritics 2");
CREATE TABLE gate_day (
	day TEXT, scope TEXT, gate_id TEXT, passed INTEGER NOT NULL, failed INTEGER NOT NULL, skipped INTEGER NOT NULL, error INTEGER NOT NULL,
	duration_ms INTEGER NOT NULL, PRIMARY KEY (gate_id, scope, day)
) WITHOUT ROWID;
CREATE TABLE churn_day (
	day TEXT, scope TEXT, batch_id TEXT, runs INTEGER NOT NULL, commits INTEGER NOT NULL, insertions INTEGER NOT NULL, deletions INTEGER NOT NULL,
	PRIMARY KEY (batch_id, scope, day)
) WITHOUT ROWID;
CREATE TABLE outcome_day (
	day TEXT, scope TEXT, ok INTEGER NOT NULL, partial INTEGER NOT NULL, error INTEGER NOT NULL,
	clean INTEGER NOT NULL, first_clean INTEGER, last_clean INTEGER, PRIMARY KEY (day, scope)
) WITHOUT ROWID;
`

// tables are those that hold what was ingested; words is emptied its own way.
func tables() []string {
	return []string{"meta", "exemplars", "packets", "gate_day", "churn_day", "outcome_day"}
}

// Open opens the store, or makes it. One that belongs to another board, or has
// the tables of another version, is emptied: Cursor is then "".
func Open(path, boardID string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("opening the store of exemplars: %w", err)
	}
	s, err := open(path, url.Values{"mode": {"rwc"}}, "journal_mode(WAL)", "synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	if err := s.prepare(boardID); err != nil {
		return nil, errors.Join(s.told("opening", err), s.Close())
	}
	return s, nil
}

// OpenRead opens a store to look at it; ErrNoStore if there is none.
func OpenRead(path string) (*Store, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() == 0 {
		return nil, ErrNoStore
	}
	for _, mode := range []url.Values{{"mode": {"rw"}}, {"mode": {"ro"}, "immutable": {"1"}}} { // the second for a disk that nobody can write to
		var s *Store
		if s, err = open(path, mode); err != nil {
			return nil, err
		}
		var got int
		err = s.db.QueryRow("PRAGMA user_version").Scan(&got)
		switch {
		case err == nil && got == version:
			return s, nil
		case err == nil:
			err = ErrNoStore // an older program's: what writes next makes it anew
		}
		err = errors.Join(s.told("opening", err), s.Close())
		if c := code(err); c != sqliteReadOnly && c != sqliteCantOpen {
			break
		}
	}
	return nil, err
}

func open(path string, v url.Values, pragmas ...string) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening the store of exemplars: %w", err)
	}
	v.Set("_txlock", "immediate")
	v["_pragma"] = append(pragmas, "busy_timeout(30000)", "trusted_schema(0)", "cache_size(-8192)")
	dsn := url.URL{Scheme: "file", Path: abs, RawQuery: v.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("opening the store of exemplars %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // one connection: SQLite's lock decides between processes, this one between goroutines
	return &Store{db: db, path: path}, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// prepare makes the tables, and throws away what is not this board's.
func (s *Store) prepare(boardID string) error {
	return s.change(context.Background(), func(tx *txn) error {
		var got int
		if err := tx.QueryRow("PRAGMA user_version").Scan(&got); err != nil {
			return err
		}
		if got != version {
			if err := dropAll(tx); err != nil {
				return err
			}
			if _, err := tx.Exec(schema + fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
				return err
			}
		}
		owner, err := meta(context.Background(), tx, "board_id")
		if err != nil || owner == boardID {
			return err
		}
		if owner != "" {
			if err := empty(tx); err != nil {
				return err
			}
		}
		return setMeta(tx, "board_id", boardID)
	})
}

// dropAll removes the tables of another version.
func dropAll(tx *txn) error {
	for _, t := range append(tables(), "words") {
		if _, err := tx.Exec("DROP TABLE IF EXISTS " + t); err != nil {
			return err
		}
	}
	return nil
}

// empty removes every row.
func empty(tx *txn) error {
	for _, t := range tables() {
		if _, err := tx.Exec("DELETE FROM " + t); err != nil {
			return err
		}
	}
	_, err := tx.Exec("INSERT INTO words(words) VALUES ('delete-all')")
	return err
}

// change runs fn in one transaction, under the store's lock.
func (s *Store) change(ctx context.Context, fn func(*txn) error) error {
	begun, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	tx := &txn{ctx: ctx, Tx: begun, prepared: map[string]*sql.Stmt{}}
	if err = fn(tx); err == nil {
		err = s.step()
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// txn is a transaction that prepares each statement once.
type txn struct {
	*sql.Tx
	ctx      context.Context
	prepared map[string]*sql.Stmt
}

func (tx *txn) stmt(text string) (*sql.Stmt, error) {
	if st := tx.prepared[text]; st != nil {
		return st, nil
	}
	st, err := tx.PrepareContext(tx.ctx, text)
	if err == nil {
		tx.prepared[text] = st // closed with the transaction
	}
	return st, err
}

// put runs a statement that is run often.
func (tx *txn) put(text string, args ...any) error {
	st, err := tx.stmt(text)
	if err == nil {
		_, err = st.ExecContext(tx.ctx, args...)
	}
	return err
}

// get scans the row that a statement gives, which is run often.
func (tx *txn) get(text string, args []any, into ...any) error {
	st, err := tx.stmt(text)
	if err == nil {
		err = st.QueryRowContext(tx.ctx, args...).Scan(into...)
	}
	return err
}

func (s *Store) step() error {
	if s.Step == nil {
		return nil
	}
	return s.Step()
}

// Cursor is how far along the board the store is, as CatchUp left it; "" at
// the beginning.
func (s *Store) Cursor(ctx context.Context) (cursor string, err error) {
	cursor, err = meta(ctx, s, "cursor")
	return cursor, s.told("reading", err)
}

func meta(ctx context.Context, q querier, key string) (value string, err error) {
	err = q.scan(ctx, "SELECT value FROM meta WHERE key = ?", []any{key}, &value)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return value, err
}

func setMeta(tx *txn, key, value string) error {
	_, err := tx.Exec("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}

// told says what was being done, to which file, and whether the file is at
// fault.
func (s *Store) told(doing string, err error) error {
	if err == nil || errors.Is(err, ErrNoStore) {
		return err
	}
	var r *Refusal
	if errors.As(err, &r) {
		return err
	}
	if damaged(err) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("%s the store of exemplars %s: %w", doing, s.path, diskError(err))
}
