package cli

import (
	"bufio"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// output is standard output: buffered, but never holding a line back for long,
// so that the first match of a long search is seen at once.
type output struct {
	file  *os.File
	tty   bool
	width int // columns of the terminal

	mu    sync.Mutex // guards what follows
	w     *bufio.Writer
	err   error // the first failed write
	armed bool  // a flush is under way
}

// flushDelay is the longest that a written line stays in the buffer.
const flushDelay = 20 * time.Millisecond

func newOutput(f *os.File) *output {
	o := &output{file: f, w: bufio.NewWriterSize(f, 64<<10)}
	o.width, o.tty = terminal(f)
	return o
}

// terminal tells whether f is a terminal, and its width.
func terminal(f *os.File) (width int, tty bool) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	if ws.Col == 0 {
		return 80, true
	}
	return int(ws.Col), true
}

// terminalSize is a terminal's columns and lines.
func terminalSize(f *os.File) (width, height int) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return 80, 24
	}
	return int(ws.Col), int(ws.Row)
}

// Write buffers p; it reaches the file within flushDelay.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	o.err = err
	if !o.armed && err == nil {
		o.armed = true
		time.AfterFunc(flushDelay, func() { _ = o.flush() }) // the error is kept for the next call
	}
	return n, err
}

// flush writes out what is buffered.
func (o *output) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.armed = false
	if o.err == nil {
		o.err = o.w.Flush()
	}
	return o.err
}
