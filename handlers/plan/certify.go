package plan

import (
	"encoding/json"
	"fmt"
	"strings"

	"stigmergy/contracts/certify"
	"stigmergy/contracts/merkle"
	"stigmergy/handlers"
)

// Certification. When the last shard that stands is done and published, the
// plan's tree is built, some blocks of leaves a call; hxo.aggregate.ready and
// certify are published, and Truth is asked. What it says ends the attempt:
//
//	building → asked → finalized
//	                 → bisecting → (bad shards are replayed) → building …
//
// with an outside Truth there is sealing between asked and finalized, while
// the board signs. Any of them is left for none when somebody aborts the plan
// or has shards replayed.

// Phases of a certification.
const (
	certNone      = ""
	certBuilding  = "building"
	certAsked     = "asked"
	certSealing   = "sealing"
	certBisecting = "bisecting"
	certReplaying = "replaying" // the shards whose outputs did not hold
	certFinal     = "finalized"
	certGivenUp   = "given up"
)

// certRec is how far the certification of a plan is.
type certRec struct {
	Attempt int    `json:"a"`
	Tries   int    `json:"t"` // attempts in a row that nobody asked for
	Phase   string `json:"p"`
	At      mark   `json:"at,omitzero"`  // while building
	Blocks  int    `json:"n,omitempty"`  // built
	Root    string `json:"r,omitempty"`  // claimed
	Size    int    `json:"z,omitempty"`  // leaves
	Note    string `json:"no,omitempty"` // the outside Truth's
	Suspect string `json:"su,omitempty"` // JSON: leaves that it named
}

func certKey(plan int) string { return fmt.Sprintf("v/%06x", plan) }

func (c *call) cert(p *planRec) *certRec {
	r := new(certRec)
	if v, ok := c.tx.Get(certKey(p.N)); ok && json.Unmarshal([]byte(v), r) != nil {
		return new(certRec)
	}
	return r
}

func (c *call) keepCert(p *planRec, r *certRec) {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	c.tx.Put(certKey(p.N), string(text))
}

// completed is called when every shard of a plan that stands is done and
// published: what follows is certification.
func (c *call) completed(p *planRec) {
	r := c.cert(p)
	if p.State != planDone || r.pending() {
		return
	}
	if r.Phase != certReplaying {
		r.Tries = 0
	}
	c.certifyAnew(p, r)
}

// pending tells that an attempt is under way.
func (r *certRec) pending() bool {
	switch r.Phase {
	case certBuilding, certAsked, certSealing, certBisecting:
		return true
	}
	return false
}

// certifyAnew begins the next attempt.
func (c *call) certifyAnew(p *planRec, r *certRec) {
	*r = certRec{Attempt: r.Attempt + 1, Tries: r.Tries + 1, Phase: certBuilding}
	c.build(p, r)
}

// uncertify ends an attempt because the plan is not what it was any more:
// somebody aborts it, or has shards replayed. What was begun is ended as
// failed. It is called before anything of that is published.
func (c *call) uncertify(p *planRec, reason string) {
	r := c.cert(p)
	published := r.Phase == certAsked || r.Phase == certSealing
	c.dropBlocks(p)
	c.tx.Cancel(truthTimer(p))
	for _, kind := range []string{"truth", "sign", "bisect"} {
		c.tx.Done(truthKey(kind, p, r.Attempt))
	}
	if published {
		c.say(p, item{Kind: itemEvent, Topic: "hxo.aggregate.failed", Data: string(c.aggregate(p, r).Str("reason", reason).Bytes())})
	}
	if r.Attempt > 0 {
		c.keepCert(p, &certRec{Attempt: r.Attempt, Phase: certNone, Root: r.Root, Size: r.Size})
	}
}

// aggregate begins the data of an event of the aggregate.
func (c *call) aggregate(p *planRec, r *certRec) *handlers.Object {
	return new(handlers.Object).Str("plan_id", p.ID).Str("merkle_root", r.Root).Int("attempt", int64(r.Attempt))
}

// A call builds so many blocks of leaves.
const blocksAtOnce = 32

// Block n of the tree: where it begins, and the hash over it.
type block struct {
	From mark   `json:"f"`
	Hash string `json:"h"`
}

func blockOf(plan, n int) string { return fmt.Sprintf("y/%06x/%05x", plan, n) }

func (c *call) dropBlocks(p *planRec) {
	c.tx.Range(fmt.Sprintf("y/%06x/", p.N), func(key, _ string) bool {
		c.tx.Delete(key)
		return true
	})
}

// build goes on with the tree, and publishes what it comes to.
func (c *call) build(p *planRec, r *certRec) {
	var t merkle.Tree
	end := r.Blocks + blocksAtOnce
	from, at := r.At, r.At
	keep := func() {
		text, err := json.Marshal(block{from, t.Root().String()})
		if err != nil {
			panic(err)
		}
		c.tx.Put(blockOf(p.N, r.Blocks), string(text))
		r.Blocks++
		from = at
		t.Reset()
	}
	c.leaves(p, r.At, func(s *stood) bool {
		t.Add(c.leafOf(p, s).Hash())
		r.Size++
		at = mark{Stage: s.stage, After: s.cas(), Begun: true}
		if t.Size() == certify.BlockSize {
			keep()
		}
		return r.Blocks < end
	})
	if r.Blocks == end {
		r.At = at
		c.keepCert(p, r)
		c.tx.Continue("tree/" + planKey(p.N))
		return
	}
	if t.Size() > 0 {
		keep()
	}
	c.claimTree(p, r)
}

// buildMore goes on with a tree that took too long for one call.
func (c *call) buildMore(rest string) {
	p := c.plan(numbers(rest, 1)[0])
	if p == nil {
		return
	}
	if r := c.cert(p); r.Phase == certBuilding && p.State == planDone {
		c.build(p, r)
	}
}

// claimTree publishes the root of a tree that was built, and sample proofs.
func (c *call) claimTree(p *planRec, r *certRec) {
	var t merkle.Tree
	var blocks []block
	c.tx.Range(fmt.Sprintf("y/%06x/", p.N), func(_, v string) bool {
		var b block
		if err := json.Unmarshal([]byte(v), &b); err != nil {
			panic(err)
		}
		h, err := merkle.ParseHash(b.Hash)
		if err != nil {
			panic(err)
		}
		t.Add(h)
		blocks = append(blocks, b)
		return true
	})
	root := t.Root()
	samples := c.samples(p, r, root, blocks)
	r.Phase, r.Root, r.At = certAsked, root.String(), mark{}
	c.dropBlocks(p)
	c.keepCert(p, r)
	c.say(p, item{Kind: itemEvent, Topic: "hxo.aggregate.ready", Data: string(c.aggregate(p, r).Int("total_shards", int64(r.Size)).Bytes())})
	c.say(p, item{Kind: itemCertify, Topic: "hxo.aggregate.certify", Data: string(c.aggregate(p, r).Raw("sample_proofs", samples).Bytes()), Attempt: r.Attempt})
}

// samples is the JSON array of the proofs that the root draws.
func (c *call) samples(p *planRec, r *certRec, root merkle.Hash, blocks []block) []byte {
	tree := certify.Blocks{Size: uint64(r.Size)}
	whole := r.Size / certify.BlockSize
	for _, b := range blocks[:whole] {
		h, _ := merkle.ParseHash(b.Hash) // it was read before
		tree.Hashes = append(tree.Hashes, h)
	}
	read := map[uint64][]certify.Leaf{}
	leaves := func(n uint64) []certify.Leaf {
		if l, ok := read[n]; ok {
			return l
		}
		var l []certify.Leaf
		c.leaves(p, blocks[n].From, func(s *stood) bool {
			l = append(l, c.leafOf(p, s))
			return len(l) < certify.BlockSize
		})
		read[n] = l
		return l
	}
	nodes := tree.Nodes(func(n uint64) ([]merkle.Hash, error) {
		var out []merkle.Hash
		for _, l := range leaves(n) {
			out = append(out, l.Hash())
		}
		return out, nil
	})
	out := []byte{'['}
	for _, i := range certify.Samples(root, uint64(r.Size)) {
		s, err := certify.Prove(leaves(i / certify.BlockSize)[i%certify.BlockSize], i, uint64(r.Size), root, nodes)
		if err == nil {
			err = s.Check()
		}
		if err != nil {
			panic(fmt.Sprintf("proving leaf %d of plan %s: %v", i, p.ID, err))
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = s.AppendJSON(out)
	}
	return append(out, ']')
}

func truthTimer(p *planRec) string { return "truth/" + planKey(p.N) }

func truthKey(kind string, p *planRec, attempt int) string {
	return fmt.Sprintf("%s:%s/%d", kind, strings.ToLower(p.ID), attempt)
}
