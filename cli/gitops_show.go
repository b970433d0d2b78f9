package cli

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/gitops"
)

type gitopsShow struct {
	Commit string `arg:"" default:"HEAD" help:"A commit."`
}

// Help says the rest.
func (gitopsShow) Help() string {
	return "Which run and batch made the commit, where its bundle and its exemplar are, and at which positions of the board its events stand. Exit 1 if no run made it."
}

// Run finds the run behind a commit.
func (c *gitopsShow) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	opt, err := a.gitopsOptions(l)
	if err != nil {
		return err
	}
	t, err := gitops.Show(opt.Dir, c.Commit, a.environ)
	switch {
	case errors.Is(err, gitops.ErrNoRun), errors.Is(err, gitops.ErrNoCommit):
		return &Fault{Doing: "looking for the run behind " + quote(c.Commit), Err: err, Try: "git log --grep " + gitops.TrailerRun, Code: codeNone}
	case err != nil:
		return gitopsFault(err, opt.Root)
	}
	at, err := a.runPositions(t)
	if err != nil {
		return err
	}
	r := record{text("commit_sha", t.Commit), text("run_id", t.RunID), text("batch_id", t.BatchID)}
	if t.Receipt != nil {
		r = append(r, text("outcome", t.Receipt.Outcome), text("proof_dir", t.ProofDir), text("receipt_path", path.Join(t.ProofDir, gitops.ReceiptFile)),
			text("exemplar_path", path.Join(t.ProofDir, gitops.ExemplarFile)))
	} else {
		a.note("stigmergy: the bundle of %s is not in this working tree", t.RunID)
		r = append(r, cell{"outcome", nil}, cell{"proof_dir", nil}, cell{"receipt_path", nil}, cell{"exemplar_path", nil})
	}
	return a.one(append(r, orNull("batch_event", at["gitops.batch"]), orNull("run_event", at["gitops.run"]), orNull("exemplar_event", at["hfo.exemplar"]), orNull("exemplar_id", at["exemplar_id"])))
}

func orNull(name, s string) cell {
	if s == "" {
		return cell{name, nil}
	}
	return text(name, s)
}

// runPositions finds a run's events on the board, by topic.
func (a *app) runPositions(t *gitops.Trace) (map[string]string, error) {
	l, err := a.board()
	if err != nil {
		return nil, err
	}
	e, err := a.engine(l)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	topics, err := contracts.ParsePatterns([]string{"gitops.batch", "gitops.run", "hfo.exemplar"})
	if err != nil {
		return nil, err
	}
	where, err := query.ParseFilter("data.run_id=" + t.RunID)
	if err != nil {
		return nil, err
	}
	at := map[string]string{}
	_, err = e.Run(a.ctx, query.Request{Topics: topics, Where: []query.Filter{where}}, func(h *query.Hit) error {
		ev := h.Event()
		topic := strings.Clone(ev.TopicName)
		if topic == "gitops.batch" && ev.Get("data.batch_id").Text() != t.BatchID {
			return nil
		}
		if at[topic] == "" {
			at[topic] = h.Pos.String()
		}
		if id := ev.Get("data.exemplar_id").Text(); id != "" {
			at["exemplar_id"] = id
		}
		return nil
	})
	return at, queryFault(err)
}

type gitopsVerify struct {
	Bundle []string `arg:"" type:"path" help:"Proof bundles: folders."`
	Key    []string `placeholder:"VKEY" help:"Verifier keys of the attestation's signature, or @FILE (default: the board's own)."`
}

// Help says the rest.
func (gitopsVerify) Help() string {
	return "Checks a bundle offline: the receipt by its contract, every file by its hash, every commit by what it holds, the exemplar by its name, the attestation by its signature. Exit 1 if anything does not hold, 2 if a bundle cannot be read."
}

// Run verifies each.
func (c *gitopsVerify) Run(a *app) error {
	opt, err := a.verifyOptions(c.Key)
	if err != nil {
		return err
	}
	return a.verdicts(c.Bundle, func(dir string) (*gitops.Verdict, error) { return gitops.Verify(dir, opt) })
}

type gitopsReplay struct {
	Bundle []string `arg:"" optional:"" type:"path" help:"Proof bundles (default: the last five of this working tree)."`
	Key    []string `placeholder:"VKEY" help:"Verifier keys of the attestations' signatures, or @FILE (default: the board's own)."`
}

// Help says the rest.
func (gitopsReplay) Help() string {
	return "Holds historical bundles to what must hold of every bundle: all that gitops verify checks, the rails, and the run planned again on a clone at HEAD-before takes the same paths with the same content. Nothing is changed; gates are not asked again. Exit 1 if anything does not hold."
}

// Run replays each.
func (c *gitopsReplay) Run(a *app) error {
	opt, err := a.verifyOptions(c.Key)
	if err != nil {
		return err
	}
	if len(c.Bundle) == 0 {
		if c.Bundle, err = gitops.LastBundles(opt.Repo, a.environ, 5); err != nil {
			return gitopsFault(err, "")
		}
		if len(c.Bundle) == 0 {
			return &Fault{Doing: "looking for bundles", Expected: "bundles in " + gitops.ProofRoot, Found: "none", Try: "stigmergy gitops plan", Code: codeNone}
		}
	}
	return a.verdicts(c.Bundle, func(dir string) (*gitops.Verdict, error) { return gitops.Replay(a.ctx, dir, opt) })
}

// verdicts checks bundles and prints what was found: exit 1 if one does not hold.
func (a *app) verdicts(bundles []string, check func(dir string) (*gitops.Verdict, error)) error {
	p, code := a.printer(), codeOK
	for _, dir := range bundles {
		v, err := check(dir)
		if err != nil {
			return bundleFault(dir, err)
		}
		if !v.OK {
			code = codeNone
		}
		if err := printVerdict(p, v); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	return exitWith(code)
}

// printVerdict prints a row a finding.
func printVerdict(p *printer, v *gitops.Verdict) error {
	for _, f := range v.Findings {
		if err := p.add(record{text("bundle", path.Base(v.Bundle)), text("check", f.Check), text("result", f.Result), text("detail", f.Detail)}); err != nil {
			return err
		}
	}
	return nil
}

func bundleFault(dir string, err error) error {
	f := &Fault{Doing: "reading the bundle", Path: dir, Err: err, Code: codeUsage}
	if errors.Is(err, fs.ErrNotExist) {
		f.Expected, f.Try = "a folder with "+gitops.ReceiptFile, "ls "+gitops.ProofRoot
	}
	return f
}

// verifyOptions are a verification's: the repository is the one around here.
func (a *app) verifyOptions(keys []string) (gitops.VerifyOptions, error) {
	cwd, err := workingDir()
	if err != nil {
		return gitops.VerifyOptions{}, err
	}
	check, err := a.signatureCheck(keys)
	return gitops.VerifyOptions{Repo: cwd, Environ: a.environ, Signature: check}, err
}
