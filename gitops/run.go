package gitops

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options are what a run is asked for, and what it needs of its surroundings.
type Options struct {
	Dir     string // a folder of the working tree
	Root    string // the board's: paths in events are below it
	Config  string // path of the configuration; "": ConfigPath below the top
	Only    []string
	DryRun  bool
	Push    *bool  // nil: as HFO_GITOPS_PUSH or the configuration says
	Mode    string // of the push: each or end
	Branch  string // "": as HFO_GITOPS_BRANCH or the configuration says
	Request string // position of the gitops.run.request behind it

	AllowStaged   bool
	AllowDetached bool
	FailOnDirty   bool
	NoVerify      bool
	MaxFiles      int
	Hooks         bool
	StopOnGate    bool

	Argv    []string // the command line, for the receipt
	Environ []string
	Version string // of the tool
	Now     func() time.Time
	Rand    io.Reader

	// Emit appends an event to lane gitops; again tells that it may stand there.
	Emit func(e Event, again bool) error
	// Remember makes the run's packet from its bundle, and has it ingested.
	// It is called once the receipt is final, and may add files to the bundle.
	Remember func(ctx context.Context, f *Finished) error

	noGates bool // a replay: what the gates said then is on the receipt
}

// Runner is one run.
type Runner struct {
	opt     Options
	repo    *repo
	config  *Config
	log     *runLog
	receipt *Receipt
	marker  *marker
	bundle  string // the folder, absolute
	signs   bool   // commit.gpgSign
	hooked  bool   // a hook may have changed the index
	push    pushPlan
	pushed  bool
	seen    *seen
	fatal   error // of the disk or the board: the run stops
}

type pushPlan struct {
	enabled bool
	each    bool
}

// Prepare finds the repository and reads the configuration. Nothing is
// touched. A *Refusal in it becomes a run with a receipt.
func Prepare(opt Options) (*Runner, error) {
	u := &Runner{opt: opt, log: &runLog{}}
	r, err := open(opt.Dir, opt.Environ, opt.Hooks, u.log)
	if err != nil {
		return nil, err
	}
	u.repo, u.log.top = r, r.top
	if _, err := u.below(r.top); err != nil {
		return nil, err
	}
	path, name := u.configFile()
	text, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("reading the batches: %w", err)
	}
	var refusal *Refusal
	if u.config, refusal, err = ReadConfig(name, text); err != nil {
		var faults Faults
		if errors.As(err, &faults) && opt.Config != "" {
			for _, f := range faults {
				f.File = opt.Config // as the person named it
			}
		}
		return nil, err
	}
	if u.receipt, err = u.newReceipt(); err != nil {
		return nil, err
	}
	u.receipt.Refusal = refusal
	return u, nil
}

// below is a path below the board's root, with /.
func (u *Runner) below(path string) (string, error) { return Below(u.opt.Root, path) }

// ErrNotBelow says that a repository is not where the board looks for files.
var ErrNotBelow = errors.New("not below the board's root")

// Below is path relative to root; links are resolved first.
func Below(root, path string) (string, error) {
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	rel, err := filepath.Rel(root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", fmt.Errorf("%s is %w %s", path, ErrNotBelow, root)
	}
	return filepath.ToSlash(rel), nil
}

func (u *Runner) configFile() (path, name string) {
	if u.opt.Config == "" {
		return filepath.Join(u.repo.top, filepath.FromSlash(ConfigPath)), ConfigPath
	}
	path = u.opt.Config
	if !filepath.IsAbs(path) {
		path = filepath.Join(u.opt.Dir, path)
	}
	if rel, err := Below(u.repo.top, path); err == nil {
		return path, rel
	}
	return path, filepath.Base(path)
}

// maxConfig bounds the configuration.
const maxConfig = 8 << 20

func readBounded(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxConfig {
		return nil, &os.PathError{Op: "read", Path: path, Err: fmt.Errorf("expected a regular file of at most %d bytes", maxConfig)}
	}
	return os.ReadFile(path)
}

// newReceipt is the receipt as the options say it; nothing is known yet of
// what the batches hold.
func (u *Runner) newReceipt() (*Receipt, error) {
	o, c, r := u.opt, u.config, u.repo
	u.push = pushPlan{enabled: c.Push, each: o.Mode == "each"}
	if o.Push != nil {
		u.push.enabled = *o.Push
	}
	branch := or(o.Branch, c.Branch)
	if up := strings.ToUpper(branch); up == current || up == "AUTO" {
		branch = r.branch
	}
	rec := &Receipt{
		Contract: "gitops_receipt.v1", Version: 1, Scope: u.scope(), State: Running, Outcome: Error, ExitCode: 1,
		Tool: Tool{"stigmergy", o.Version}, Git: r.gitVer, RepoRoot: ".", Config: c.Path, ConfigSHA: c.SHA256, Request: o.Request,
		Branch: branch, Remote: c.Remote, PushEnabled: u.push.enabled, PushMode: or(o.Mode, "end"), PlanOnly: o.DryRun, NoVerify: o.NoVerify,
		Options: Shown{
			Argv: list(o.Argv), Batches: list(o.Only), DryRun: o.DryRun, AllowStaged: o.AllowStaged, AllowDetached: o.AllowDetached,
			FailOnDirty: o.FailOnDirty, MaxFiles: o.MaxFiles, Hooks: word(o.Hooks, "run", "off"), OnGateFailure: word(o.StopOnGate, "stop", "continue"), SecretGate: c.Secrets,
		},
		HeadBefore: optional(r.head), Commits: []string{}, Gates: []GateResult{}, Unmatched: []Unmatched{}, Recovered: []Recovered{}, Files: []FileHash{},
		Index: IndexResult{Left: []string{}},
		Push:  PushResult{Outcome: "none", Remote: c.Remote, Branch: branch, Mode: or(o.Mode, "end")},
	}
	for _, b := range c.Batches {
		if len(o.Only) > 0 && !slices.Contains(o.Only, b.ID) {
			continue
		}
		rec.Batches = append(rec.Batches, BatchResult{
			BatchID: b.ID, ID: b.ID, Type: b.Type, Message: b.Message, Pathspecs: b.Paths, Allow: b.Allow,
			Outcome: Skipped, Paths: []Change{}, Gates: []GateResult{}, Sample: []string{},
		})
	}
	if rec.Batches == nil {
		rec.Batches = []BatchResult{}
	}
	for _, id := range o.Only {
		if !slices.ContainsFunc(c.Batches, func(b Batch) bool { return b.ID == id }) {
			return nil, &UnknownBatch{ID: id, File: c.Path}
		}
	}
	return rec, nil
}

// UnknownBatch is a --batch that the configuration does not have.
type UnknownBatch struct{ ID, File string }

func (e *UnknownBatch) Error() string {
	return fmt.Sprintf("choosing batches: expected a batch_id of %s, found %q", e.File, e.ID)
}

func list(s []string) []string { return append([]string{}, s...) }

func word(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// scope is the configuration's, else the branch's name as far as it can stand
// in a folder's.
func (u *Runner) scope() string {
	if u.config.Scope != "" {
		return u.config.Scope
	}
	s := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z') {
			return r
		}
		return '-'
	}, u.repo.branch)
	s = strings.TrimLeft(s, ".-_")
	return or(s[:min(len(s), 100)], "detached")
}

// tmp is a private file of the run, in the git directory.
func (u *Runner) tmp(name string) string { return u.repo.runFile(u.receipt.RunID, "."+name) }

// Run does it: every batch in order, with its gates, commit, index, event; the
// push; the bundle; the last event. The receipt tells what became of it, also
// where an error comes back too.
func (u *Runner) Run(ctx context.Context) (*Receipt, error) {
	defer u.letGo()
	if err := u.begin(ctx); err != nil {
		return nil, err
	}
	r := u.receipt
	if r.Refusal == nil {
		u.batches(ctx)
	} else {
		u.refused()
	}
	if r.Refusal == nil && u.push.enabled && !r.PlanOnly && !u.push.each && u.fatal == nil && ctx.Err() == nil {
		u.doPush(ctx)
	}
	if err := u.end(ctx); err != nil && u.fatal == nil {
		u.fatal = err
	}
	if u.fatal == nil && ctx.Err() != nil {
		u.fatal = ctx.Err()
	}
	return r, u.fatal
}

// letGo lets the next run find this one, should it not have come to its end.
func (u *Runner) letGo() {
	if u.marker != nil {
		_ = u.marker.file.Close() // closed already where all went well
	}
}

// begin makes bundle and marker, finishes what a dead run left, and looks at
// the rails.
func (u *Runner) begin(ctx context.Context) error {
	r, now := u.receipt, u.opt.Now()
	release, err := u.repo.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	if r.ProofDir, err = makeBundle(u.repo.top, u.config.Root, r.Scope, now); err != nil {
		return err
	}
	u.bundle = filepath.Join(u.repo.top, filepath.FromSlash(r.ProofDir))
	var rnd [4]byte
	if _, err := io.ReadFull(u.opt.Rand, rnd[:]); err != nil {
		return fmt.Errorf("naming the run: %w", err)
	}
	r.RunID = filepath.Base(u.bundle) + "." + hex.EncodeToString(rnd[:])
	r.Started = stamp(now)
	r.TSStart = r.Started
	if u.marker, err = u.repo.mark(r.RunID, r.ProofDir); err != nil {
		return err
	}
	u.log.note("stigmergy gitops run %s", r.RunID)
	u.log.note("argv: %s", shellWords(u.opt.Argv))
	u.log.note("every git ran at the top of the working tree as: git %s …", shellWords(u.repo.guards()))
	for name, text := range map[string]string{RunIDFile: r.RunID + "\n", ProofDirFile: r.ProofDir + "\n", ConfigFile: string(u.config.Text)} {
		if err := placeFile(filepath.Join(u.bundle, name), []byte(text)); err != nil {
			return fmt.Errorf("writing the bundle: %w", err)
		}
	}
	if err := u.save(); err != nil {
		return err
	}
	if r.PlanOnly {
		if err := u.aside(); err != nil {
			return err
		}
	}
	if err := u.recover(ctx); err != nil {
		return err
	}
	return u.survey()
}

// aside lets a plan's objects go to a folder of its own, which is removed with
// it: the repository's store stays as it was.
func (u *Runner) aside() error {
	store, err := u.repo.line("rev-parse", "--git-path", "objects")
	if err != nil {
		return err
	}
	if !filepath.IsAbs(store) {
		store = filepath.Join(u.repo.top, store)
	}
	dir := u.tmp("objects")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("planning: %w", err)
	}
	u.repo.environ = append(u.repo.environ, "GIT_OBJECT_DIRECTORY="+dir, "GIT_ALTERNATE_OBJECT_DIRECTORIES="+quotedPath(store))
	return nil
}

// quotedPath is a path for a list that : separates.
func quotedPath(p string) string {
	if strings.ContainsAny(p, `:"\`) || strings.HasPrefix(p, `"`) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p) + `"`
	}
	return p
}

// save writes the receipt and the log as they are now.
func (u *Runner) save() error {
	if err := os.WriteFile(filepath.Join(u.bundle, LogFile), u.log.bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the log: %w", err)
	}
	text, err := u.receipt.encode()
	if err == nil {
		err = placeFile(filepath.Join(u.bundle, ReceiptFile), text)
	}
	if err != nil {
		return fmt.Errorf("writing the receipt: %w", err)
	}
	return nil
}
