package gitops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// The outcomes of a gate.
const (
	GatePassed  = "passed"
	GateFailed  = "failed"  // it ended with another status than 0
	GateSkipped = "skipped" // none of its paths is in the batch
	GateError   = "error"   // it could not be started, or took too long
)

// GateResult is what a gate said of a batch.
type GateResult struct {
	BatchID    string   `json:"batch_id,omitempty"`
	GateID     string   `json:"gate_id"`
	Outcome    string   `json:"outcome"`
	DurationMS float64  `json:"duration_ms"`
	ExitCode   *int     `json:"exit_code"`
	Detail     string   `json:"detail,omitempty"`
	Findings   []string `json:"findings,omitempty"` // of the secret gate: PATH:LINE: shape
}

// ok tells whether the batch may go on.
func (g GateResult) ok() bool { return g.Outcome == GatePassed || g.Outcome == GateSkipped }

// gates asks all gates about a snapshot; the first that does not pass ends it,
// and those behind it are skipped.
func (u *Runner) gates(ctx context.Context, b Batch, s *snapshot) ([]GateResult, error) {
	out := []GateResult{}
	bad := false
	if u.opt.noGates {
		return out, nil
	}
	if u.config.Secrets {
		begun := time.Now()
		found, err := u.repo.secrets(s.changes)
		if err != nil {
			return nil, err
		}
		g := GateResult{GateID: SecretGate, Outcome: GatePassed, DurationMS: ms(time.Since(begun)), Findings: found}
		if len(found) > 0 {
			bad = true
			g.Outcome, g.Detail = GateFailed, fmt.Sprintf("%d places look like secrets (none is shown), as %s", len(found), found[0])
			u.log.note("gate %s: %s: %s", g.GateID, g.Detail, strings.Join(found, ", "))
		}
		out = append(out, g)
	}
	for _, g := range u.config.Gates {
		if bad || !concerns(g, s.changes) {
			out = append(out, GateResult{GateID: g.ID, Outcome: GateSkipped})
			continue
		}
		res := u.ask(ctx, g, b, s)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		bad = bad || !res.ok()
		out = append(out, res)
	}
	return out, nil
}

func concerns(g Gate, changes []Change) bool {
	if len(g.Paths) == 0 {
		return true
	}
	for _, c := range changes {
		if anyGlob(g.Paths, c.Path) {
			return true
		}
	}
	return false
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// ask runs one gate in the top folder, in a process group of its own that is
// killed as a whole. The batch's paths stand in the file that GITOPS_PATHS
// names, each ended by a NUL.
func (u *Runner) ask(ctx context.Context, g Gate, b Batch, s *snapshot) GateResult {
	res := GateResult{GateID: g.ID, Outcome: GateError}
	list := u.tmp("paths")
	if err := os.WriteFile(list, nul(paths(s.changes)), 0o666); err != nil {
		res.Detail = err.Error()
		return res
	}
	defer os.Remove(list)
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	argv := make([]string, len(g.Argv))
	for i, a := range g.Argv {
		argv[i] = strings.ReplaceAll(a, "{batch_id}", b.ID)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = u.repo.top
	cmd.Env = append(scrub(u.opt.Environ), "GITOPS_RUN_ID="+u.receipt.RunID, "GITOPS_BATCH_ID="+b.ID, "GITOPS_PATHS="+list)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	out := &tail{max: maxShown}
	cmd.Stdout, cmd.Stderr = out, out
	begun := time.Now()
	err := cmd.Run()
	took := time.Since(begun)
	res.DurationMS = ms(took)
	var exit *exec.ExitError
	switch {
	case err == nil:
		res.Outcome, res.ExitCode = GatePassed, new(int)
	case ctx.Err() != nil:
		res.Detail = "took longer than " + g.Timeout.String()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left behind
	case errors.As(err, &exit) && exit.Exited():
		code := exit.ExitCode()
		res.Outcome, res.ExitCode, res.Detail = GateFailed, &code, fmt.Sprintf("exit status %d", code)
	default:
		res.Detail = err.Error()
	}
	u.log.program(argv, out.bytes(), or(res.Detail, "0"), took)
	return res
}

// tail keeps the end of what is written to it.
type tail struct {
	max int
	buf bytes.Buffer
	cut int64
}

// Write takes p; of all that came the last max bytes are kept.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > t.max {
		t.cut += int64(len(p) - t.max)
		p = p[len(p)-t.max:]
	}
	if over := t.buf.Len() + len(p) - t.max; over > 0 {
		t.cut += int64(over)
		t.buf.Next(over)
	}
	t.buf.Write(p)
	return n, nil
}

func (t *tail) bytes() []byte {
	if t.cut == 0 {
		return t.buf.Bytes()
	}
	return append([]byte(fmt.Sprintf("… %d bytes before\n", t.cut)), t.buf.Bytes()...)
}
