package daemon

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"

	"stigmergy/blackboard/layout"
)

// maxHeld is how much of the log waits for a run's first deed.
const maxHeld = 64 << 10

// logFile is the daemon's own log. It holds back what is said until something
// happens that is worth a file: a run that takes nothing in writes nothing.
type logFile struct {
	mu   sync.Mutex
	out  *lumberjack.Logger
	held bytes.Buffer
	open bool
}

func newLogFile(l layout.Layout) *logFile {
	return &logFile{out: &lumberjack.Logger{Filename: l.Private("log", "daemon.log"), MaxSize: 10, MaxBackups: 3}}
}

// Write implements io.Writer.
func (f *logFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open {
		return f.out.Write(p)
	}
	if f.held.Len() < maxHeld {
		f.held.Write(p)
	}
	return len(p), nil
}

// release writes what was held back and holds back no more.
func (f *logFile) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open {
		return
	}
	f.open = true
	_, _ = f.out.Write(f.held.Bytes()) // a log that cannot be written must not stop the board
	f.held = bytes.Buffer{}
}

// Close closes the file.
func (f *logFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		return nil
	}
	return f.out.Close()
}

// both sends what is at least a warning to standard error too.
type both struct {
	file, err slog.Handler
	release   func()
}

func newLogger(f *logFile, stderr io.Writer) *slog.Logger {
	return slog.New(&both{
		file:    slog.NewTextHandler(f, nil),
		err:     slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: noTime}),
		release: f.release,
	})
}

func noTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func (b *both) Enabled(ctx context.Context, l slog.Level) bool { return b.file.Enabled(ctx, l) }

func (b *both) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		b.release()
		if err := b.err.Handle(ctx, r.Clone()); err != nil {
			return err
		}
	}
	return b.file.Handle(ctx, r)
}

func (b *both) WithAttrs(a []slog.Attr) slog.Handler {
	return &both{b.file.WithAttrs(a), b.err.WithAttrs(a), b.release}
}

func (b *both) WithGroup(g string) slog.Handler {
	return &both{b.file.WithGroup(g), b.err.WithGroup(g), b.release}
}
