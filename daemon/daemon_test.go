package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
	"stigmergy/daemon"
	"stigmergy/handlers/all"
)

func TestMain(m *testing.M) {
	// lumberjack's mill goroutine never ends.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

// run is a daemon that runs until the test ends it.
type run struct {
	layout layout.Layout
	stderr bytes.Buffer
	ended  chan error
	stop   context.CancelFunc
}

func newLayout(t *testing.T, dir string) layout.Layout {
	t.Helper()
	l, _, err := layout.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func config(t *testing.T, l layout.Layout, stderr *bytes.Buffer) daemon.Config {
	t.Helper()
	fold, err := all.New()
	if err != nil {
		t.Fatal(err)
	}
	return daemon.Config{Layout: l, Fold: fold, Stderr: stderr, Version: "test"}
}

func start(t *testing.T, l layout.Layout) *run {
	t.Helper()
	r := &run{layout: l, ended: make(chan error, 1)}
	d, err := daemon.New(config(t, l, &r.stderr))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	up := make(chan struct{})
	go func() { close(up); r.ended <- d.Run(ctx) }()
	<-up
	t.Cleanup(func() { cancel() })
	// It answers when it runs; the socket stands before the first step.
	if err := d.Kernel().Do(t.Context(), func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *run) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, l layout.Layout, lane, text string) {
	t.Helper()
	f, err := os.OpenFile(l.Lane(lane), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestASecondDaemonIsToldWhoHoldsTheBoard(t *testing.T) {
	l := newLayout(t, filepath.Join(t.TempDir(), "board"))
	r := start(t, l)
	_, err := daemon.New(config(t, l, new(bytes.Buffer)))
	if !errors.Is(err, daemon.ErrBusy) || !strings.Contains(err.Error(), l.Dir) {
		t.Errorf("second daemon: %v", err)
	}
	if !daemon.Held(l) {
		t.Error("the board is not held")
	}
	r.end(t)
	if daemon.Held(l) {
		t.Error("the board is still held")
	}
}

// Who asks a daemon that holds the board and is still on its way up is answered
// once it is.
func TestADaemonOnItsWayUpIsWaitedFor(t *testing.T) {
	l := newLayout(t, filepath.Join(t.TempDir(), "board"))
	d, err := daemon.New(config(t, l, new(bytes.Buffer)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, answered, asking := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() {
		close(asking)
		answered <- daemon.Ask(ctx, l, "GET", "/status", nil)
		cancel()
	}()
	<-asking
	runtime.Gosched()
	go func() { ended <- d.Run(ctx) }()
	if err := errors.Join(<-answered, <-ended); err != nil {
		t.Error(err)
	}
}

// Who only looks whether a daemon is there holds the lock for a moment: that
// keeps none from starting.
func TestALookAtTheLockKeepsNoDaemonFromStarting(t *testing.T) {
	l := newLayout(t, filepath.Join(t.TempDir(), "board"))
	look, err := os.OpenFile(l.Lock(), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(look.Fd()), syscall.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	go look.Close()
	lock, err := daemon.Acquire(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestTheCommandLineIsAnswered(t *testing.T) {
	// Deeper than a socket's address can name.
	l := newLayout(t, filepath.Join(t.TempDir(), strings.Repeat("deep/", 30), "board"))
	if err := daemon.Ask(t.Context(), l, http.MethodGet, "/status", nil); !errors.Is(err, daemon.ErrNoDaemon) {
		t.Errorf("without a daemon: %v", err)
	}
	r := start(t, l)
	write(t, l, "ci", "{\"type\":\"build.done\"}\n")
	var rotated daemon.Rotated
	for rotated.Segment == 0 { // until the line is taken in
		err := daemon.Ask(t.Context(), l, http.MethodPost, "/rotate?lane=ci", &rotated)
		if err != nil && !errors.Is(err, blackboard.ErrNothing) {
			t.Fatal(err)
		}
	}
	if err := daemon.Ask(t.Context(), l, http.MethodPost, "/compact", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.Archive("ci", 1)); err != nil {
		t.Error(err)
	}
	var s blackboard.Status
	if err := daemon.Ask(t.Context(), l, http.MethodGet, "/status", &s); err != nil {
		t.Fatal(err)
	}
	if s.Archived != 1 || s.BoardID == "" || s.Seq == 0 {
		t.Errorf("status %+v", s)
	}
	if err := daemon.Ask(t.Context(), l, http.MethodPost, "/down", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func TestOnceDoesWhatIsThereAndEnds(t *testing.T) {
	l := newLayout(t, filepath.Join(t.TempDir(), "board"))
	write(t, l, "ci", "{\"type\":\"build.done\"}\nbad\n")
	var stderr bytes.Buffer
	cfg := config(t, l, &stderr)
	cfg.Once = true
	d, err := daemon.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.Lane("board"))
	if err != nil || bytes.Count(text, []byte("board.quarantined")) != 1 {
		t.Errorf("board: %s, %v", text, err)
	}
}

func TestAWrongSettingIsToldWithItsLine(t *testing.T) {
	l := newLayout(t, filepath.Join(t.TempDir(), "board"))
	if err := os.WriteFile(l.Settings(), []byte("# mine\nsegment: {max_bytes: lots}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := daemon.New(config(t, l, new(bytes.Buffer)))
	var bad *blackboard.SettingError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "2") || !strings.Contains(err.Error(), "max_bytes") {
		t.Errorf("wrong setting: %v", err)
	}
	if daemon.Held(l) {
		t.Error("the board is still held")
	}
}
