package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{exitWith(1), 1},
		{exitWith(0), 0},
		{fmt.Errorf("reading: %w", exitWith(3)), 3},
		{&Fault{Doing: "x", Code: 65}, 65},
		{fmt.Errorf("more: %w", &Fault{Code: 77}), 77},
		{fmt.Errorf("writing: %w", &fs.PathError{Op: "write", Path: "p", Err: syscall.ENOSPC}), 74},
		{&Fault{Code: 2, Err: syscall.EIO}, 74},
		{syscall.EDQUOT, 74},
		{syscall.EROFS, 74},
		{fmt.Errorf("x: %w", os.ErrNotExist), 70},
		{&fs.PathError{Op: "open", Path: "p", Err: os.ErrNotExist}, 2},
		{fmt.Errorf("x: %w", layout.ErrNoBoard), 2},
		{context.DeadlineExceeded, 124},
		{&signalError{syscall.SIGTERM}, 143},
		{&signalError{os.Interrupt}, 130},
		{&signalError{syscall.SIGHUP}, 129},
		{&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}, 0},
		{fmt.Errorf("opening: %w", &journal.DamageError{Path: "j", Err: errors.New("no entry")}), 2},
		{errors.New("nobody knows"), 70},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: exit %d, want %d", c.err, got, c.want)
		}
	}
}

func TestFaultAsJSON(t *testing.T) {
	f := asFault(fmt.Errorf("posting: %w", &fs.PathError{Op: "open", Path: "/b/ci.jsonl", Err: syscall.EACCES}))
	var got map[string]any
	if err := json.Unmarshal(f.json(exitCode(f)), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"error", "doing", "path", "position", "expected", "found", "try", "exit"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %q in %v", key, got)
		}
	}
	if got["path"] != "/b/ci.jsonl" || got["doing"] != "posting" || got["error"] != "posting: /b/ci.jsonl: permission denied" {
		t.Errorf("got %v", got)
	}
}

func TestFaultSentence(t *testing.T) {
	f := &Fault{Doing: "posting hxo.plan", Position: "/data/plan_id", Expected: "a UUID", Found: `"abc"`, Err: errors.New("contract")}
	if got, want := f.Error(), `posting hxo.plan: /data/plan_id: contract: expected a UUID, found "abc"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wrapped := asFault(fmt.Errorf("above: %w", &Fault{Doing: "below", Path: "p", Try: "this", Code: 65}))
	if wrapped.Try != "this" || wrapped.Error() != "above: p: below: p" {
		t.Errorf("%q %q", wrapped.Error(), wrapped.Try)
	}
}

// What a floor below was doing goes where a reader of the JSON looks for it.
func TestFaultIsSpelledOut(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}
	for _, c := range []struct {
		err               error
		doing, path, text string
	}{
		{badUse(errors.New(`reading the filter "a: b": it names no path`)), `reading the filter "a: b"`, "", `reading the filter "a: b": it names no path`},
		{&Fault{Doing: "reading the plan", Path: "x", Err: denied}, "reading the plan", "x", "reading the plan: x: permission denied"},
		{fmt.Errorf("checking: %w", denied), "checking", "x", "checking: x: permission denied"},
		{&Fault{Path: "/b", Err: errors.New("opening the board /b: not a directory")}, "opening the board", "/b", "opening the board: /b: not a directory"},
		{errors.New("alone"), "", "", "alone"},
	} {
		if f := asFault(c.err); f.Doing != c.doing || f.Path != c.path || f.Error() != c.text {
			t.Errorf("%v: doing %q, path %q, %s", c.err, f.Doing, f.Path, f.Error())
		}
	}
}

func TestWantsJSON(t *testing.T) {
	for want, lines := range map[bool][][]string{
		true:  {{"-o", "json"}, {"-ojson", "x"}, {"--output=json"}, {"x", "--output", "json"}, {"-o", "text", "-o", "json"}},
		false: {{}, {"-o"}, {"-o", "jsonl"}, {"--", "-o", "json"}, {"-ojsonl"}, {"--only", "json"}},
	} {
		for _, l := range lines {
			if wantsJSON(l) != want {
				t.Errorf("%q: want %v", l, want)
			}
		}
	}
}
