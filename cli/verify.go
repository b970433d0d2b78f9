package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"stigmergy/blackboard"
	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/seal"
	"stigmergy/daemon"
)

type verifyCmd struct {
	File           string   `arg:"" optional:"" placeholder:"FILE" help:"A proof that prove made, or a signed checkpoint; - for standard input. No board is needed then."`
	Key            []string `placeholder:"VKEY" help:"The verifier key that must have signed, as certify key prints it, or @FILE; may stand several times."`
	Since          string   `placeholder:"CHECKPOINT" help:"A signed checkpoint that was kept elsewhere: the board must continue it."`
	Plan           string   `placeholder:"PLAN" help:"Only this plan: its tree over what the board's lines say, its certificate, and every output in the store."`
	Sha256         bool     `name:"sha256" help:"Compare the flat SHA-256 of sealed segments too."`
	AllowDestroyed bool     `help:"Exit 0 where bytes are gone and the journal recorded it when it happened."`
	Remember       bool     `negatable:"" default:"true" help:"Where a daemon holds the board, post what it came to as an exemplar (--no-remember: do not)."`
	Line           string   `placeholder:"FILE" help:"The line that a proof is of, where it is too long to stand in the proof."`
}

// Help says the rest.
func (verifyCmd) Help() string {
	return `Recomputes everything from the bytes, offline, beside a daemon or without one, and ends in one verdict:

  ok           everything is as it was signed
  unanchored   the end is not under a checkpoint yet; what is before it is as it was signed
  pruned       segments were deleted, as retention says, and are still proved by root
  destroyed    bytes are gone, and that was recorded when it happened (--allow-destroyed)
  unsigned     there was a checkpoint, and there is none, or nobody knows its key
  rolled_back  an older board than a known checkpoint
  truncated    bytes are missing at the end of a file
  tampered     bytes are not those that were taken in, or signed

Certificates of plans are part of it: their trees, and every output in the store. --plan looks at one alone; one without a certificate is unsigned.

Exit 0 for the first three, 1 for the others, 2 if something could not be read. Without --key the board's own first key is believed: a key that you noted elsewhere proves more.`
}

// Run verifies a board or a file.
func (c *verifyCmd) Run(a *app) error {
	keys, err := verifierKeys(c.Key)
	if err != nil {
		return err
	}
	if c.File != "" {
		return c.file(a, keys)
	}
	l, err := a.board()
	if err != nil {
		return err
	}
	if c.Plan != "" {
		return c.plan(a, l, keys)
	}
	opt := blackboard.VerifyOptions{Layout: l, Keys: keys, SHA256: c.Sha256, Running: daemon.Held(l), Notify: a.progress("lines verified")}
	if c.Since != "" {
		if opt.Since, err = readGiven(a.in, c.Since, maxSmall); err != nil {
			return fmt.Errorf("reading the checkpoint to compare with: %w", err)
		}
	}
	if opt.Running {
		a.settle(l)
	}
	out, err := blackboard.Verify(a.ctx, opt)
	if err != nil {
		return a.stopped(&Fault{Doing: "verifying the board", Path: l.Dir, Err: err, Code: exitOr(err, codeUsage), Try: "stigmergy doctor"})
	}
	if err := a.verifyPlans(l, keys, out); err != nil {
		return a.stopped(&Fault{Doing: "verifying the plans", Path: l.Dir, Err: err, Code: exitOr(err, codeUsage), Try: "stigmergy doctor"})
	}
	if err := a.printVerified(out); err != nil {
		return err
	}
	if c.Remember {
		a.rememberVerified(l, "board", out.Verdict, fewFindings(out))
	}
	return c.status(out.Verdict)
}

// settle gives a daemon the time to sign what stands in the journal by now: what
// a verification before this one had posted, for one. A board that is written to
// all the while has an end that is not anchored yet, and that is said.
func (a *app) settle(l layout.Layout) {
	if n, err := history.Entries(l); err == nil && n > 0 && !history.Stopped(l) {
		_, _, _ = a.anchor(l, n-1) // what is wrong with a checkpoint is for the verification to say
	}
}

// status is what a verdict ends the program with.
func (c *verifyCmd) status(verdict blackboard.Verdict) error {
	switch verdict {
	case blackboard.VerdictOK, blackboard.VerdictUnanchored, blackboard.VerdictPruned:
		return nil
	case blackboard.VerdictDestroyed:
		if c.AllowDestroyed {
			return nil
		}
	}
	return exitWith(codeNone)
}

// verifierKeys reads what --key gives: keys, or files with one a line.
func verifierKeys(args []string) ([]*seal.Verifier, error) {
	var out []*seal.Verifier
	for _, arg := range args {
		lines := []string{arg}
		path, isFile := strings.CutPrefix(arg, "@")
		if !isFile && !strings.Contains(arg, "+") {
			path, isFile = arg, true
		}
		if isFile {
			text, err := readGiven(nil, path, maxSmall)
			if err != nil {
				return nil, &Fault{Doing: "reading --key", Path: path, Err: errors.Unwrap(err), Expected: "a verifier key (NAME+HASH+BASE64) or a file with one", Try: "stigmergy certify key", Code: codeUsage}
			}
			lines = strings.Split(strings.TrimSpace(string(text)), "\n")
		}
		for _, line := range lines {
			v, err := seal.ParseVerifier(line)
			if err != nil {
				return nil, &Fault{Doing: "reading --key", Err: err, Try: "stigmergy certify key", Code: codeUsage}
			}
			out = append(out, v)
		}
	}
	return out, nil
}

func (a *app) printVerified(v *blackboard.Verified) error {
	if f := a.format(); f != "text" && f != "table" {
		return a.object(v)
	}
	signed := "no checkpoint"
	if v.Size > 0 {
		signed = fmt.Sprintf("a checkpoint of size %d, signed by %s", v.Size, visible(strings.Join(v.Signers, ", ")))
	}
	fmt.Fprintf(a.out, "%s: %d entries, %d lines in %d segments (%s); %s; %d checkpoints and %d tiles fit\n",
		v.Verdict, v.Entries, v.Lines, v.Segments, humanSize(v.Bytes), signed, v.Checkpoints, v.Tiles)
	if v.Unanchored > 0 && v.Verdict == blackboard.VerdictOK {
		fmt.Fprintf(a.out, "  the last %d entries are the checkpoint's own line\n", v.Unanchored)
	}
	for i := range v.Findings {
		f := &v.Findings[i]
		fmt.Fprintf(a.out, "  %s: %s%s\n", f.Verdict, visible(whereFound(f)), visible(f.Detail))
	}
	return nil
}

// whereFound is where a finding is, in words.
func whereFound(f *blackboard.Finding) string {
	var b strings.Builder
	switch {
	case f.Lane != "" && f.Segment > 0:
		fmt.Fprintf(&b, "lane %s, segment %d, ", f.Lane, f.Segment)
	case f.Lane != "":
		fmt.Fprintf(&b, "lane %s, ", f.Lane)
	}
	switch {
	case f.Line > 0 && f.LineTo > f.Line:
		fmt.Fprintf(&b, "one of the lines %d to %d, ", f.Line, f.LineTo)
	case f.Line > 0:
		fmt.Fprintf(&b, "line %d, ", f.Line)
	}
	switch {
	case f.Entry != nil && f.EntryTo != nil:
		fmt.Fprintf(&b, "one of the journal entries %d to %d, ", *f.Entry, *f.EntryTo)
	case f.Entry != nil:
		fmt.Fprintf(&b, "journal entry %d, ", *f.Entry)
	}
	if f.Path != "" {
		fmt.Fprintf(&b, "%s, ", f.Path)
	}
	if b.Len() == 0 {
		return ""
	}
	return strings.TrimSuffix(b.String(), ", ") + ": "
}

// fileVerdict is what verifying a file comes to.
type fileVerdict struct {
	Verdict  blackboard.Verdict `json:"verdict"`
	Kind     string             `json:"kind"` // proof, line, shard, checkpoint
	Origin   string             `json:"origin,omitempty"`
	Size     uint64             `json:"size,omitempty"`
	Root     string             `json:"root,omitempty"`
	Index    *uint64            `json:"index,omitempty"`
	Position string             `json:"position,omitempty"`
	Line     *string            `json:"line,omitempty"`
	PlanID   string             `json:"plan_id,omitempty"`
	StageID  string             `json:"stage_id,omitempty"`
	CASID    string             `json:"cas_id,omitempty"`
	Output   string             `json:"output_digest,omitempty"`
	Signers  []string           `json:"signers,omitempty"`
	Detail   string             `json:"detail,omitempty"`
}

// file verifies a proof or a checkpoint, without a board.
func (c *verifyCmd) file(a *app, keys []*seal.Verifier) error {
	text, err := readGiven(a.in, c.File, seal.MaxProof)
	if err != nil {
		return fmt.Errorf("reading what is to be verified: %w", err)
	}
	if len(keys) == 0 {
		if keys, err = a.ownKeys(); err != nil {
			return err
		}
	}
	out := &fileVerdict{Verdict: blackboard.VerdictOK}
	if seal.IsProof(text) {
		err = c.proof(a, text, keys, out)
	} else {
		out.Kind = "checkpoint"
		err = out.checkpoint(text, keys)
	}
	var fault *Fault
	if errors.As(err, &fault) {
		return err
	}
	if err != nil {
		out.Verdict, out.Detail = blackboard.VerdictTampered, err.Error()
	}
	if err := a.printFileVerdict(out); err != nil || out.Verdict == blackboard.VerdictOK {
		return err
	}
	return exitWith(codeNone)
}

// ownKeys are the keys of the board that is found, where no --key was given.
func (a *app) ownKeys() ([]*seal.Verifier, error) {
	need := &Fault{Doing: "verifying a file", Expected: "--key with the verifier key of who signed it", Try: "stigmergy certify key (where it was made)", Code: codeUsage}
	l, err := a.board()
	if err != nil {
		return nil, need
	}
	known, err := history.Verifiers(l)
	if err != nil {
		return nil, need
	}
	return history.Trusted(known)
}

func (f *fileVerdict) checkpoint(signed []byte, keys []*seal.Verifier) error {
	cp, o, err := seal.OpenCheckpoint(signed, keys...)
	if err != nil {
		return err
	}
	f.Origin, f.Size, f.Root = cp.Origin, cp.Size, cp.RootBase64()
	for _, k := range o.Signed {
		f.Signers = append(f.Signers, k.String())
	}
	return nil
}

// proof checks the two steps of a line's proof.
func (c *verifyCmd) proof(a *app, text []byte, keys []*seal.Verifier, out *fileVerdict) error {
	out.Kind = "proof"
	p, err := seal.ParseProof(text)
	if err != nil {
		return err
	}
	if err := out.checkpoint(p.Checkpoint, keys); err != nil {
		return err
	}
	out.Index = &p.Index
	if certify.IsShardProof(p.Extra) {
		return out.shard(p, keys)
	}
	lp, err := seal.ParseLineProof(p.Extra)
	if err != nil {
		return err
	}
	out.Kind, out.Position, out.Line = "line", lp.Position, lp.Line
	if _, err := p.Check(lp.EntryLeaf(), keys...); err != nil {
		return err
	}
	var line []byte
	if c.Line != "" {
		if line, err = readGiven(a.in, c.Line, maxGivenLine); err != nil {
			return fmt.Errorf("reading --line: %w", asPath(err))
		}
		line = []byte(strings.TrimSuffix(string(line), "\n"))
	}
	err = lp.Check(p.Index, line)
	if errors.Is(err, seal.ErrNoLine) {
		return &Fault{Doing: "verifying a proof", Path: c.File, Position: lp.Position, Err: err, Expected: "--line FILE with the line", Try: "stigmergy verify " + c.File + " --line FILE", Code: codeUsage}
	}
	return err
}

// maxGivenLine is how long a line may be that is given beside its proof.
const maxGivenLine = 1 << 30

// asPath makes sure that an unreadable file is a fault and no verdict.
func asPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return &Fault{Path: path.Path, Err: path.Err, Code: codeUsage}
	}
	return err
}

func (a *app) printFileVerdict(f *fileVerdict) error {
	if format := a.format(); format != "text" && format != "table" {
		return a.object(f)
	}
	if f.Verdict != blackboard.VerdictOK {
		_, err := fmt.Fprintf(a.out, "%s: %s\n", f.Verdict, visible(f.Detail))
		return err
	}
	what := "the checkpoint"
	if f.CASID != "" {
		what = "shard " + f.StageID + "/" + f.CASID + " of plan " + f.PlanID + " gave the output " + f.Output + ", which stands under the certificate"
	} else if f.Position != "" {
		what = "the line at " + f.Position + " stands in journal entry " + fmt.Sprint(*f.Index) + ", which stands under the checkpoint"
	}
	_, err := fmt.Fprintf(a.out, "ok: %s of size %d of %s, signed by %s\n", visible(what), f.Size, visible(f.Origin), visible(strings.Join(f.Signers, ", ")))
	return err
}
