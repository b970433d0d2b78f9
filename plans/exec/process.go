package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// process is one process with its pipes.
type process struct {
	path      string
	argv      []string
	env       []string
	dir       string
	stdin     io.Reader // else stdinFile, else nothing
	stdinFile *os.File
	fork      *forker
	bufs      *sync.Pool

	proc   *os.Process
	theirs []*os.File // ends of pipes, until it has them
	ours   []*os.File
	open   atomic.Int32  // pipes that are not read to their ends, and their starter
	ends   chan struct{} // closed when none is
}

// ending is what a process came to.
type ending struct {
	err    error // it failed, and why
	stored error // its output could not be stored
}

// linger is how long a pipe may stay open after the end of a process and of
// its group.
const linger = time.Second

// run starts the process, takes in what it says, and returns when nothing of
// it is left: neither of its group nor of its pipes.
func (p *process) run(ctx context.Context, out io.Writer) ending {
	p.ends = make(chan struct{})
	p.open.Store(1)
	stdout, stderr, err := p.start()
	defer p.close(&p.ours)
	if err != nil {
		return ending{err: fmt.Errorf("starting %s: %w", p.path, err)}
	}
	said, sink := &tail{}, &sink{w: out, failed: p.kill}
	p.copy(sink, stdout)
	p.copy(said, stderr)
	exited := make(chan struct{})
	var reap func() (*os.ProcessState, error)
	go func() {
		reap = await(p.proc)
		close(exited)
	}()
	select {
	case <-exited:
	case <-ctx.Done():
		p.kill()
		<-exited
	}
	p.kill() // what it left behind; nobody else has the group's number before reap
	free := p.drain()
	state, err := reap()
	switch {
	case sink.err != nil:
		return ending{err: sink.err, stored: sink.err}
	case err != nil:
		return ending{err: fmt.Errorf("waiting for %s: %w", p.path, err)}
	case !state.Success():
		return ending{err: describe(state, said.String())}
	case !free:
		return ending{err: errors.New("it ended, but a process that it started and that left its process group still holds its output")}
	}
	return ending{}
}

// start makes the pipes and starts it.
func (p *process) start() (stdout, stderr *os.File, err error) {
	defer p.close(&p.theirs)
	stdin, err := p.input()
	if err != nil {
		return nil, nil, err
	}
	stdout, out, err := p.pipe()
	if err != nil {
		return nil, nil, err
	}
	stderr, errs, err := p.pipe()
	if err != nil {
		return nil, nil, err
	}
	p.proc, err = p.fork.start(p.path, p.argv, &os.ProcAttr{Dir: p.dir, Env: p.env, Files: []*os.File{stdin, out, errs}, Sys: attributes()})
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return stdout, stderr, err
}

// pipe is one that the process writes to.
func (p *process) pipe() (r, w *os.File, err error) {
	if r, w, err = os.Pipe(); err == nil {
		p.ours, p.theirs = append(p.ours, r), append(p.theirs, w)
	}
	return r, w, err
}

// input is the process's standard input.
func (p *process) input() (*os.File, error) {
	if p.stdinFile != nil {
		_, err := p.stdinFile.Seek(0, io.SeekStart)
		return p.stdinFile, err
	}
	if p.stdin == nil {
		f, err := os.Open(os.DevNull)
		if err == nil {
			p.theirs = append(p.theirs, f)
		}
		return f, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.ours, p.theirs = append(p.ours, w), append(p.theirs, r)
	p.open.Add(1)
	go func() {
		defer p.ended()
		_, _ = io.Copy(w, p.stdin) // a process need not read what it is given
		_ = w.Close()
	}()
	return r, nil
}

// copy takes in what comes out of a pipe, beside the caller.
func (p *process) copy(w io.Writer, r *os.File) {
	p.open.Add(1)
	go func() {
		defer p.ended()
		buf := p.bufs.Get().(*[]byte)
		defer p.bufs.Put(buf)
		for {
			n, err := r.Read(*buf)
			if n > 0 {
				if _, werr := w.Write((*buf)[:n]); werr != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
}

// ended tells that a pipe was read to its end.
func (p *process) ended() {
	if p.open.Add(-1) == 0 {
		close(p.ends)
	}
}

// drain waits until the pipes are read to their ends, and tells whether they
// were closed by then.
func (p *process) drain() bool {
	p.ended() // nobody starts to read any more
	late := time.NewTimer(linger)
	defer late.Stop()
	select {
	case <-p.ends:
		return true
	case <-late.C:
	}
	for _, f := range p.ours {
		_ = f.SetDeadline(time.Unix(1, 0)) // a pipe of ours can be given up
	}
	<-p.ends
	return false
}

// kill ends the whole group.
func (p *process) kill() {
	_ = syscall.Kill(-p.proc.Pid, syscall.SIGKILL) // it may be gone
}

func (p *process) close(list *[]*os.File) {
	for _, f := range *list {
		_ = f.Close() // a pipe's end
	}
	*list = nil
}

// describe says how a process failed.
func describe(state *os.ProcessState, said string) error {
	text := state.String() // exit status 3
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		text = "killed by signal: " + ws.Signal().String()
	}
	if said != "" {
		text += ": " + said
	}
	return errors.New(text)
}

// sink stores an output; when that fails, whoever writes it need not go on.
type sink struct {
	w      io.Writer
	failed func()
	err    error
}

// Write passes on.
func (s *sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err != nil {
		s.err = err
		s.failed()
	}
	return n, err
}
