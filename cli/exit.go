package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// The exit statuses, the same for every command.
const (
	codeOK        = 0   // found, done
	codeNone      = 1   // nothing matched and the history is complete, or a check that says no
	codeUsage     = 2   // wrong use, or something could not be read
	codeHoles     = 3   // nothing matched and the history has recorded holes
	codeRefused   = 65  // refused by contract
	codeInternal  = 70  // a fault of the program
	codeDisk      = 74  // the disk failed
	codeBusy      = 75  // busy, throttled or no daemon: try later
	codePolicy    = 77  // refused by policy
	codeTimeout   = 124 // timed out
	codeHangup    = 129 // SIGHUP
	codeInterrupt = 130 // SIGINT
	codeTerm      = 143 // SIGTERM
)

// exitCode is the one place where an error becomes an exit status.
func exitCode(err error) int {
	var (
		fault *Fault
		quiet *quietError
		sig   *signalError
		parse *kong.ParseError
		path  *fs.PathError
		bad   *journal.DamageError
	)
	switch {
	case err == nil:
		return codeOK
	case errors.As(err, &quiet):
		return quiet.code
	case errors.Is(err, syscall.EPIPE):
		return codeOK // the reader of our output has had enough
	case errors.As(err, &sig):
		return sig.code()
	case diskFailed(err):
		return codeDisk
	case errors.As(err, &fault) && fault.Code != 0:
		return fault.Code
	case errors.Is(err, context.DeadlineExceeded):
		return codeTimeout
	case errors.As(err, &parse), errors.Is(err, layout.ErrNoBoard), errors.As(err, &path), errors.As(err, &bad):
		return codeUsage
	}
	return codeInternal
}

// diskFailed tells whether the disk is at fault rather than what was asked.
func diskFailed(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.EROFS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// quietError ends the program with a status and no word about it: what had to
// be said has been said, or the status is the answer.
type quietError struct{ code int }

func (e *quietError) Error() string { return "exit status " + itoa(e.code) }

// exitWith is nil for status 0.
func exitWith(code int) error {
	if code == codeOK {
		return nil
	}
	return &quietError{code}
}

// Fault is an error with everything that the one who meets it needs.
type Fault struct {
	Doing    string // what was being done
	Path     string // to which file
	Position string // where in it
	Expected string
	Found    string
	Try      string // the next command
	Err      error
	Code     int
}

// Error puts it in one sentence.
func (f *Fault) Error() string {
	var parts []string
	for _, s := range []string{f.Doing, f.Path, f.Position} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if f.Err != nil {
		parts = append(parts, f.Err.Error())
	}
	switch {
	case f.Expected != "" && f.Found != "":
		parts = append(parts, "expected "+f.Expected+", found "+f.Found)
	case f.Expected != "":
		parts = append(parts, "expected "+f.Expected)
	case f.Found != "":
		parts = append(parts, "found "+f.Found)
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Err }

func (f *Fault) json(code int) []byte {
	out, err := json.Marshal(struct {
		Error    string `json:"error"`
		Doing    string `json:"doing"`
		Path     string `json:"path"`
		Position string `json:"position"`
		Expected string `json:"expected"`
		Found    string `json:"found"`
		Try      string `json:"try"`
		Exit     int    `json:"exit"`
	}{f.Error(), f.Doing, f.Path, f.Position, f.Expected, f.Found, f.Try, code})
	if err != nil {
		return []byte(`{"error":"telling an error failed","exit":70}`)
	}
	return out
}

// asFault fills in what an error of the floors below says by its type.
func asFault(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		whole := *f
		if err.Error() != f.Error() {
			whole.Doing, whole.Expected, whole.Found, whole.Err = "", "", "", err
		}
		whole.spell()
		return &whole
	}
	f = &Fault{Err: err}
	if errors.Is(err, layout.ErrNoBoard) {
		f.Try = "stigmergy init"
	}
	var bad *journal.DamageError
	if errors.As(err, &bad) {
		return &Fault{Doing: "reading the journal", Path: bad.Path, Position: "byte " + strconv.FormatInt(bad.Offset, 10),
			Err: &spelled{bad.Err.Error(), err}, Try: "stigmergy doctor"}
	}
	f.spell()
	return f
}

// spell takes out of the cause what has a place of its own: the file, and,
// where nothing else says it, what was being done, with which all errors of the
// floors below begin.
func (f *Fault) spell() {
	if f.Err == nil {
		return
	}
	text := f.Err.Error()
	var path *fs.PathError
	if errors.As(f.Err, &path) && (f.Path == "" || f.Path == path.Path) {
		f.Path = path.Path
		text = strings.Replace(text, path.Op+" "+path.Path+": ", "", 1)
		text = strings.Replace(text, path.Path+": ", "", 1)
	}
	if f.Path != "" {
		text = strings.Replace(text, " "+f.Path+": ", ": ", 1)
	}
	if doing, rest, ok := strings.Cut(text, ": "); ok && f.Doing == "" && !strings.Contains(doing, "\"") {
		f.Doing, text = doing, rest
	} else if doing, rest, ok := cutQuoted(text); ok && f.Doing == "" {
		f.Doing, text = doing, rest
	}
	if text != f.Err.Error() {
		f.Err = &spelled{text, f.Err}
	}
}

// cutQuoted cuts at the first ": " behind a text in double quotes.
func cutQuoted(text string) (before, after string, ok bool) {
	at := strings.Index(text, "\": ")
	if at < 0 {
		return text, "", false
	}
	return text[:at+1], text[at+3:], true
}

// spelled is an error in fewer words.
type spelled struct {
	text string
	err  error
}

func (s *spelled) Error() string { return s.text }
func (s *spelled) Unwrap() error { return s.err }

// usage is a fault of the command line.
func usage(doing, expected, found, try string) error {
	return &Fault{Doing: doing, Expected: expected, Found: found, Try: try, Code: codeUsage}
}

// badUse makes an error of a parser below a fault of the command line.
func badUse(err error) error {
	if err == nil {
		return nil
	}
	return &Fault{Err: err, Code: codeUsage}
}
