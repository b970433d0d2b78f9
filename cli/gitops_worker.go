package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stigmergy/blackboard"
	"stigmergy/daemon"
	"stigmergy/gitops"
)

// gitopsWorker runs the batcher for those who ask the board for it. It does
// what the command does, in the working tree that holds the board's root, and
// tells of it on the same lane; the gitops.run that it tells ends its effect.
type gitopsWorker struct {
	w *daemon.World
}

// Kinds is the batcher's.
func (*gitopsWorker) Kinds() []string { return []string{"gitops.run"} }

// gitopsRequest is the payload of such an effect.
type gitopsRequest struct {
	Request string `json:"request"`
	Config  string `json:"config"`
	DryRun  bool   `json:"dry_run"`
	Push    *bool  `json:"push"`
}

// Do runs once. What was interrupted by a crash or the daemon's end is begun
// anew then: the run that finds it finishes its receipt first. A file or
// repository that cannot be used is an answer, not a failure: a gitops.run with
// outcome error says why.
func (g *gitopsWorker) Do(ctx context.Context, e blackboard.Effect, _ func(lane string, line []byte) error) error {
	var req gitopsRequest
	if err := json.Unmarshal(e.Payload, &req); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer quiet.Close()
	a := &app{ctx: ctx, environ: g.w.Environ, now: time.Now, err: quiet, out: newOutput(quiet), line: &commandLine{Board: g.w.Layout.Dir}}
	events, err := a.gitopsEvents(g.w.Layout)
	if err != nil {
		return err
	}
	defer events.close()
	opt, err := a.gitopsOptions(g.w.Layout)
	if err != nil {
		return err
	}
	opt.Dir, opt.DryRun, opt.Push, opt.Request = opt.Root, req.DryRun, req.Push, req.Request
	opt.Argv = []string{"gitops.run.request", req.Request}
	if req.Config != "" {
		opt.Config = filepath.Join(opt.Root, filepath.FromSlash(req.Config))
	}
	opt.Emit, opt.Remember = events.emit, a.rememberRun(g.w.Layout, opt.Root)
	u, err := gitops.Prepare(opt)
	if unusable(err) {
		return events.emit(cannotRun(req.Request, err), true)
	}
	if err != nil {
		return err
	}
	_, err = u.Run(ctx)
	return err
}

// unusable tells whether trying again would come to the same.
func unusable(err error) bool {
	var faults gitops.Faults
	var git *gitops.GitError
	return errors.As(err, &faults) || errors.As(err, &git) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, gitops.ErrNoRepository) || errors.Is(err, gitops.ErrNotBelow)
}

// cannotRun answers a request that no run could begin for.
func cannotRun(request string, err error) gitops.Event {
	id := gitops.EventID("request", request)
	data, merr := json.Marshal(map[string]any{
		"run_id": id, "scope": "none", "outcome": gitops.Error, "counts": map[string]int{"skipped": 0, "planned": 0, "committed": 0, "error": 0},
		"proof_dir": "none", "exemplar_path": "", "pushed": false, "request": request, "error": strings.ToValidUTF8(err.Error()[:min(len(err.Error()), 1000)], ""),
	})
	if merr != nil {
		data = []byte("{}") // the contract refuses it, loudly
	}
	return gitops.Event{ID: id, Topic: "gitops.run", Subject: id, Data: data}
}
