package cli

import (
	"errors"
	"fmt"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
	"stigmergy/contracts/merkle"
	"stigmergy/contracts/seal"
	"stigmergy/daemon"
)

type proveCmd struct {
	What string `arg:"" placeholder:"POS|CAS_ID" help:"The position of a line, as ci@1:151, or a shard: its cas_id, or STAGE/CAS_ID."`
	Plan string `placeholder:"PLAN" help:"The plan that the shard stands in (default: the newest certified one that has it)."`
}

// Help says the rest.
func (proveCmd) Help() string {
	return `Prints a stand-alone proof (C2SP tlog-proof) that a line was taken in where its position says: from the line to the root of its batch, from the journal entry of that batch to a signed checkpoint. Anybody checks it with stigmergy verify FILE --key VKEY, or with docs/proofs.md and a shell.

Of a shard: that it gave its output, under the certificate of its plan.

-o json gives the same as one JSON object.

Where a witness has cosigned a checkpoint over the line (stigmergy certify cosign), the proof is under the newest of these, and carries its word.

Exit 1 if no line begins there, 75 if it is not under a checkpoint yet.`
}

// Run prints the proof.
func (c *proveCmd) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	if stage, cas, ok := shardName(c.What); ok {
		return c.shard(a, l, stage, cas)
	}
	pos, err := contracts.ParsePosition(c.What)
	if err != nil {
		return badUse(err)
	}
	proof, checkpoint, lp, err := a.proveLine(l, pos)
	if err != nil {
		return err
	}
	return a.printProof(proof, checkpoint, lp)
}

// proveLine proves a line under the newest checkpoint that is over it.
func (a *app) proveLine(l layout.Layout, pos contracts.Position) (*seal.Proof, seal.Checkpoint, *seal.LineProof, error) {
	none := seal.Checkpoint{}
	p, err := blackboard.ProveLine(l, pos)
	if errors.Is(err, blackboard.ErrNotTaken) {
		return nil, none, nil, &Fault{Doing: "proving a line", Position: pos.String(), Err: blackboard.ErrNotTaken, Try: "stigmergy query -o json (position), or stigmergy up", Code: codeNone}
	}
	if err != nil {
		return nil, none, nil, &Fault{Doing: "proving a line", Position: pos.String(), Err: err, Code: exitOr(err, codeUsage), Try: "stigmergy verify"}
	}
	note, checkpoint, err := a.anchor(l, p.Seq)
	if err != nil {
		return nil, none, nil, err
	}
	if note, checkpoint, err = witnessed(l, p.Seq, note, checkpoint); err != nil {
		return nil, none, nil, err
	}
	r, err := history.NewReader(l)
	if err != nil {
		return nil, none, nil, err
	}
	entry, err := r.Entry(p.Seq)
	if err != nil {
		return nil, none, nil, err
	}
	path, err := r.Prove(p.Seq, checkpoint.Size)
	if err != nil {
		return nil, none, nil, err
	}
	lp := seal.NewLineProof(pos, entry, p.Line, p.Index, p.Lines, p.Path)
	return &seal.Proof{Extra: lp.JSON(), Index: p.Seq, Path: path, Checkpoint: note}, checkpoint, lp, nil
}

// witnessed is, in place of a checkpoint over an entry, the newest one over it
// that witnesses cosigned, where one was kept and the key that signs now has
// signed it: its word is worth more, and the proof is the same.
func witnessed(l layout.Layout, seq uint64, note []byte, c seal.Checkpoint) ([]byte, seal.Checkpoint, error) {
	kept, err := history.Cosigned(l)
	if err != nil || len(kept) == 0 {
		return note, c, err
	}
	known, err := history.Verifiers(l)
	if err != nil {
		return note, c, err
	}
	key, err := seal.ParseVerifier(known[len(known)-1].Key)
	if err != nil {
		return note, c, err
	}
	for _, k := range kept {
		if w, _, err := seal.OpenCheckpoint(k.Note, key); err == nil && w.Size > seq && w.Size <= c.Size {
			return k.Note, w, nil
		}
	}
	return note, c, nil
}

// anchorWait is how long a running daemon is given to sign what is new.
const anchorWait = 3 * time.Second

// anchor is a signed checkpoint over an entry: the newest, or the head.
func (a *app) anchor(l layout.Layout, seq uint64) ([]byte, seal.Checkpoint, error) {
	until := a.now().Add(anchorWait)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, read := range []func(layout.Layout) ([]byte, error){history.ReadCheckpoint, history.ReadHead} {
			note, err := read(l)
			if err != nil {
				return nil, seal.Checkpoint{}, err
			}
			if c, err := seal.PeekCheckpoint(note); err == nil && c.Size > seq {
				return note, c, nil
			}
		}
		if !daemon.Held(l) || a.now().After(until) {
			return nil, seal.Checkpoint{}, &Fault{Doing: "proving", Expected: fmt.Sprintf("a checkpoint over entry %d", seq), Found: "that none is signed yet", Try: "stigmergy up --once", Code: codeBusy}
		}
		select {
		case <-a.ctx.Done():
			return nil, seal.Checkpoint{}, a.stopped(a.ctx.Err())
		case <-tick.C:
		}
	}
}

// proofObject is a proof as one JSON object.
type proofObject struct {
	Origin     string          `json:"origin"`
	Size       uint64          `json:"size"`
	Root       string          `json:"root"` // base64
	Index      uint64          `json:"index"`
	Leaf       string          `json:"leaf"` // hex
	Path       []string        `json:"path"` // hex
	Checkpoint string          `json:"checkpoint"`
	Proved     *seal.LineProof `json:"line_proof,omitempty"`
	Shard      string          `json:"shard_leaf,omitempty"`
	Proof      string          `json:"proof"` // the file's text
}

func (a *app) printProof(p *seal.Proof, c seal.Checkpoint, lp *seal.LineProof) error {
	if a.format() != "json" {
		_, err := a.out.Write(p.Text())
		return err
	}
	out := proofOf(p, c, lp.EntryLeaf())
	out.Proved = lp
	return a.object(out)
}

func proofOf(p *seal.Proof, c seal.Checkpoint, leaf merkle.Hash) proofObject {
	out := proofObject{Origin: c.Origin, Size: c.Size, Root: c.RootBase64(), Index: p.Index, Leaf: leaf.String(),
		Path: make([]string, len(p.Path)), Checkpoint: string(p.Checkpoint), Proof: string(p.Text())}
	for i, h := range p.Path {
		out.Path[i] = h.String()
	}
	return out
}
