package exemplars

import (
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
)

// The primary result codes of SQLite (https://sqlite.org/rescode.html) that
// somebody branches on.
const (
	sqliteReadOnly = 8
	sqliteIOErr    = 10
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteCantOpen = 14
	sqliteNotADB   = 26
)

func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// damaged tells whether the file is no good.
func damaged(err error) bool { return code(err) == sqliteCorrupt || code(err) == sqliteNotADB }

// diskError adds the errno that SQLite keeps to itself, for exit codes.
func diskError(err error) error {
	switch code(err) {
	case sqliteFull:
		return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	case sqliteIOErr:
		return fmt.Errorf("%w: %w", syscall.EIO, err)
	case sqliteReadOnly:
		return fmt.Errorf("%w: %w", syscall.EROFS, err)
	}
	return err
}
