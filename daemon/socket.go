package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
)

// socket answers the command line: HTTP over a Unix socket that only the
// daemon's user can open.
type socket struct {
	ln  net.Listener
	srv *http.Server
	dir *os.File
}

// listen binds through the folder's descriptor, so that a deep board does not
// meet the limit on the length of such names.
func (d *Daemon) listen() (*socket, error) {
	path, dir, err := short(d.cfg.Layout.Socket())
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", d.cfg.Layout.Socket(), err), dir.Close())
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", d.cfg.Layout.Socket(), err), dir.Close())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", d.cfg.Layout.Socket(), err), ln.Close(), dir.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", d.answer(d.status))
	mux.HandleFunc("POST /rotate", d.answer(d.rotate))
	mux.HandleFunc("POST /compact", d.answer(d.compact))
	mux.HandleFunc("POST /down", d.answer(func(*http.Request) (any, error) { d.down(); return map[string]bool{"ending": true}, nil }))
	for route, fn := range d.world.routes {
		mux.HandleFunc(route, d.answer(fn))
	}
	s := &socket{ln: ln, dir: dir, srv: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}
	go func() { _ = s.srv.Serve(ln) }() // ends with Close
	return s, nil
}

func (s *socket) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.srv.Close()
	}
	return errors.Join(err, s.dir.Close())
}

// maxSocketPath is what fits into a socket's address everywhere.
const maxSocketPath = 100

func short(path string) (string, *os.File, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, fmt.Errorf("reaching the daemon's socket: %w", err)
	}
	if len(path) <= maxSocketPath {
		return path, dir, nil
	}
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path), dir, nil
}

// reply is how an answer travels.
type reply struct {
	Error string `json:"error,omitempty"`
	None  bool   `json:"none,omitempty"` // blackboard.ErrNothing
	Data  any    `json:"data,omitempty"`
}

func (d *Daemon) answer(fn func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		data, err := fn(r)
		out := reply{Data: data}
		if err != nil {
			out = reply{Error: err.Error(), None: errors.Is(err, blackboard.ErrNothing)}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the client is gone: its loss
	}
}

func (d *Daemon) status(r *http.Request) (any, error) {
	var s blackboard.Status
	err := d.kernel.Do(r.Context(), func() error { s = d.kernel.Status(); return nil })
	return s, err
}

// Rotated is the answer to a rotation.
type Rotated struct {
	Lane    string `json:"lane"`
	Segment uint64 `json:"segment"`
}

func (d *Daemon) rotate(r *http.Request) (any, error) {
	out := Rotated{Lane: r.URL.Query().Get("lane")}
	err := d.kernel.Do(r.Context(), func() (err error) {
		out.Segment, err = d.kernel.Rotate(r.Context(), out.Lane)
		return err
	})
	return out, err
}

// compact waits until every segment that can be archived is.
func (d *Daemon) compact(r *http.Request) (any, error) {
	for {
		var left map[string]int
		waiting := false
		err := d.kernel.Do(r.Context(), func() error {
			left, waiting = d.kernel.Outstanding(), d.kernel.Archiving()
			return nil
		})
		if err != nil || !waiting {
			return left, err
		}
		select {
		case <-r.Context().Done():
			return left, r.Context().Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ErrNoDaemon says that nobody answers for the board: exit 75 where an answer
// is needed.
var ErrNoDaemon = errors.New("no daemon holds the board")

// Ask sends one request to the board's daemon.
func Ask(ctx context.Context, l layout.Layout, method, path string, into any) error {
	if !Held(l) {
		return fmt.Errorf("asking the daemon of %s: %w: run `stigmergy up`", l.Dir, ErrNoDaemon)
	}
	sock, dir, err := short(l.Socket())
	if err != nil {
		return err
	}
	defer dir.Close()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, l, sock) }}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://daemon"+path, nil)
	if err != nil {
		return fmt.Errorf("asking the daemon: %w", err)
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return fmt.Errorf("asking the daemon of %s: %w", l.Dir, err)
	}
	defer resp.Body.Close()
	return decode(resp.Body, into)
}

// dial connects to the daemon's door; one that holds the board already and is
// still on its way up is waited for, for a moment.
func dial(ctx context.Context, l layout.Layout, sock string) (net.Conn, error) {
	var d net.Dialer
	for give := time.Now().Add(comingUp); ; {
		conn, err := d.DialContext(ctx, "unix", sock)
		shut := errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)
		if !shut || time.Now().After(give) || !Held(l) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// comingUp is how long a daemon may hold the board before it answers.
const comingUp = 3 * time.Second

func decode(r io.Reader, into any) error {
	var out struct {
		reply
		Data json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(r).Decode(&out); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	switch {
	case out.None:
		return fmt.Errorf("%s: %w", out.Error, blackboard.ErrNothing)
	case out.Error != "":
		return errors.New(out.Error)
	case into == nil || out.Data == nil:
		return nil
	}
	return json.Unmarshal(out.Data, into)
}
