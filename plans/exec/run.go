package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"stigmergy/blackboard/durable"
	"stigmergy/contracts/plan"
)

// Runner runs tasks. It is safe for use by many goroutines.
type Runner struct {
	cas     durable.CAS
	scratch *scratch
	path    string // of commands
	fork    *forker
	count   atomic.Uint64
	bufs    sync.Pool
	publish *publisher

	mu    sync.Mutex // guards roots
	roots map[string]*os.Root
}

// New makes a runner on a board's store. Close it: only then is nothing left
// of what it ran.
func New(cas durable.CAS, environ []string) (*Runner, error) {
	s, err := newScratch(cas.Layout)
	if err != nil {
		return nil, fmt.Errorf("making the folder in which shards run: %w", err)
	}
	r := &Runner{cas: cas, scratch: s, path: "/usr/local/bin:/usr/bin:/bin", fork: newForker(), roots: map[string]*os.Root{}}
	r.publish = &publisher{cas: cas}
	r.bufs.New = func() any { b := make([]byte, 32<<10); return &b }
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, "PATH="); ok && v != "" {
			r.path = v
		}
	}
	return r, nil
}

// Close lets go of everything; nothing may run any more.
func (r *Runner) Close() error {
	r.fork.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, root := range r.roots {
		errs = append(errs, root.Close())
	}
	return errors.Join(append(errs, r.scratch.close())...)
}

// root is the folder in which input names resolve, opened once.
func (r *Runner) root(dir string) (*os.Root, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.roots[dir]; root != nil {
		return root, nil
	}
	root, err := os.OpenRoot(dir)
	if err == nil {
		r.roots[dir] = root
	}
	return root, err
}

// Run runs one task and stores its output. What went wrong stands in the
// result; an error says that the context ended, and that nothing came of it.
func (r *Runner) Run(ctx context.Context, t *Task) (Result, error) {
	res, object, err := r.Start(ctx, t)
	if err != nil || object == nil {
		return res, err
	}
	return r.Store(res, object), nil
}

// Store gives an output its name; the result is what there is to report.
func (r *Runner) Store(res Result, object *durable.Object) Result {
	if err := r.publish.put(object); err != nil {
		return Result{Error: storeError(err), Duration: res.Duration}
	}
	res.Digest = object.Name()
	return res
}

// Start runs a task to its end. A good result comes with the object that holds
// its output, which goes to Store.
func (r *Runner) Start(ctx context.Context, t *Task) (Result, *durable.Object, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, nil, err
	}
	root, err := r.root(t.Root)
	if err != nil {
		return fail("opening the folder of the inputs: %v", err), nil, nil
	}
	list, err := r.sources(t, root)
	defer closeAll(list)
	if err != nil {
		return fail("%v", err), nil, nil
	}
	dir, err := r.scratch.make(r.count.Add(1))
	if err != nil {
		return fail("making the folder in which the shard runs: %v", err), nil, nil
	}
	defer r.scratch.remove(dir)
	p, err := r.prepare(t, list, dir)
	if err != nil {
		return fail("%v", err), nil, nil
	}
	res, object, err := r.run(ctx, t, p)
	if object != nil {
		for i := range list {
			if err := list[i].changed(); err != nil {
				object.Discard()
				return Result{Error: err.Error(), Duration: res.Duration}, nil, nil
			}
		}
	}
	return res, object, err
}

// prepare makes the process of a task, not yet started.
func (r *Runner) prepare(t *Task, list []source, dir string) (*process, error) {
	p := &process{dir: dir, fork: r.fork, bufs: &r.bufs}
	var names []string
	var err error
	if plan.WantsInputs(t.Job.Argv) {
		if names, err = paths(list, parts(dir)); err != nil {
			return nil, fmt.Errorf("preparing the inputs: %w", err)
		}
	}
	if p.argv, err = t.argv(names); err != nil {
		return nil, err
	}
	p.env = r.environ(t, p.dir)
	if p.path, err = command(p.argv[0], t.Root, p.env); err != nil {
		return nil, fmt.Errorf("starting %s: %w", strconv.Quote(p.argv[0]), err)
	}
	if t.Job.Stdin {
		if len(list) == 1 && list[0].whole() {
			p.stdinFile = list[0].file
		} else {
			p.stdin = stdin(list)
		}
	}
	return p, nil
}

// environ is all that a process sees.
func (r *Runner) environ(t *Task, cwd string) []string {
	vars := map[string]string{"PATH": r.path, "HOME": cwd, "TMPDIR": cwd, "LC_ALL": "C", "TZ": "UTC"}
	for k, v := range t.Job.Env {
		vars[k] = v
	}
	vars[mark] = r.scratch.dir
	out := make([]string, 0, len(vars))
	for k, v := range vars {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return out
}

// run runs a prepared process to its end.
func (r *Runner) run(ctx context.Context, t *Task, p *process) (Result, *durable.Object, error) {
	limited, cancel := ctx, context.CancelFunc(func() {})
	if t.Timeout > 0 {
		limited, cancel = context.WithTimeout(ctx, t.Timeout)
	}
	defer cancel()
	object := r.cas.New()
	begin := time.Now()
	end := p.run(limited, object)
	res := Result{Duration: time.Since(begin), Bytes: object.Size()}
	switch {
	case ctx.Err() != nil:
		object.Discard()
		return Result{}, nil, ctx.Err()
	case end.err == nil && limited.Err() == nil:
		res.OK = true
		return res, object, nil
	case end.stored != nil:
		res.Error = storeError(end.stored)
	case limited.Err() != nil:
		res.Error = "timeout after " + t.Timeout.String()
	default:
		res.Error = end.err.Error()
	}
	object.Discard()
	return res, nil, nil
}

// storeError says why an output could not be stored, a full disk by its name.
func storeError(err error) string {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, full) {
			return "disk full: " + err.Error()
		}
	}
	return err.Error()
}
