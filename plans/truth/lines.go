package truth

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/merkle"
	"stigmergy/contracts/plan"
)

// line takes in one line of a plan.
func (b Board) line(p *Plan, ev *contracts.Event) {
	switch ev.TopicName {
	case "plan.resolved":
		if ev.Pos.Lane == planLane {
			p.broken = cmp.Or(p.broken, b.resolved(p, ev))
		}
		return
	case "truth.verdict":
		p.verdict(ev)
		return
	}
	if ev.Pos.Lane != hxoLane {
		return // another bus's history
	}
	data := ev.Data()
	switch ev.TopicName {
	case "hxo.plan":
		p.ID, p.Name = contracts.GetString(data, "plan_id"), contracts.GetString(data, "plan_name")
	case "hxo.shard.created", "hxo.shard.claimed", "hxo.shard.failed":
		p.shard(data, false)
	case "hxo.shard.done":
		p.shard(data, true)
	case "hxo.aggregate.ready":
		b.ready(p, ev, data)
	case "hxo.aggregate.certify":
		p.certify(ev, data)
	case "hxo.aggregate.finalized", "hxo.aggregate.failed":
		p.ended(ev, data)
	}
}

// resolved notes which objects describe the plan's shards.
func (b Board) resolved(p *Plan, ev *contracts.Event) error {
	var r struct {
		Manifest string       `json:"manifest_sha256"`
		Parts    []plan.Chunk `json:"parts"`
	}
	if err := json.Unmarshal(ev.Data(), &r); err != nil {
		return fmt.Errorf("reading plan.resolved at %s: %w", ev.Pos, err)
	}
	for _, c := range r.Parts {
		p.chunks = append(p.chunks, c.SHA256)
	}
	if r.Manifest == "" || p.manifest {
		return nil
	}
	raw, err := b.CAS.Get(r.Manifest)
	if err != nil {
		return fmt.Errorf("reading the manifest that %s names: %w", ev.Pos, err)
	}
	var m plan.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("reading the manifest %s: %w", r.Manifest, err)
	}
	p.manifest = true
	for _, s := range m.Stages {
		p.Stages = append(p.Stages, s.StageID)
		for _, c := range s.Chunks {
			p.chunks = append(p.chunks, c.SHA256)
		}
	}
	return nil
}

// shard takes in an event of a shard: the last one counts, and of attempts the
// highest.
func (p *Plan) shard(data []byte, done bool) {
	var k key
	cas, stage, attempt := "", "", int32(1)
	var output merkle.Hash
	contracts.Members(data, func(name []byte, v contracts.Value) bool {
		switch string(name) {
		case "cas_id":
			cas = v.Text()
		case "stage_id":
			stage = v.Text()
		case "attempt":
			n, _ := v.Int()
			attempt = int32(n)
		case "output_digest":
			_, _ = hex.Decode(output[:], v.TextBytes()[:min(len(v.TextBytes()), 64)])
		}
		return true
	})
	at := slices.Index(p.Stages, stage)
	n, err := strconv.ParseUint(cas, 16, 64)
	if at < 0 || err != nil {
		return
	}
	k = key{uint16(at), n}
	i, known := p.index[k]
	if !known {
		i = int32(len(p.shards))
		p.index[k] = i
		p.shards = append(p.shards, shard{key: k})
	}
	s := &p.shards[i]
	if attempt < s.attempt {
		return // a late result of a fenced attempt
	}
	s.attempt, s.done = attempt, done
	if done {
		s.output = output
	}
}

// ready takes a snapshot of what stands.
func (b Board) ready(p *Plan, ev *contracts.Event, data []byte) {
	a := &Attempt{Number: attemptOf(data), Ready: ev.Pos}
	total, _ := contracts.GetInt(data, "total_shards")
	a.Shards = int(total)
	a.Claimed, a.Err = merkle.ParseHash(contracts.GetString(data, "merkle_root"))
	if a.Err == nil {
		a.Tree, a.Err = b.stand(p)
	}
	if last := p.Last(); last != nil && last.Tree != nil {
		last.Tree.drop()
	}
	p.Attempts = append(p.Attempts, a)
}

func attemptOf(data []byte) int {
	n, ok := contracts.GetInt(data, "attempt")
	if !ok {
		return 1
	}
	return int(n)
}

// stand is the tree over the shards that stand now.
func (b Board) stand(p *Plan) (*Tree, error) {
	if p.broken = cmp.Or(p.broken, b.describe(p)); p.broken != nil {
		return nil, p.broken
	}
	t := &Tree{plan: p.ID, stages: p.Stages}
	for _, s := range p.shards {
		if !s.done {
			continue
		}
		sum, ok := p.sums[s.cas]
		if !ok {
			return nil, fmt.Errorf("shard %s/%016x stands in no manifest of the plan", p.Stages[s.stage], s.cas)
		}
		t.leaves = append(t.leaves, leaf{s.key, sum, s.output})
	}
	slices.SortFunc(t.leaves, func(a, b leaf) int {
		return cmp.Or(cmp.Compare(a.stage, b.stage), cmp.Compare(a.cas, b.cas))
	})
	t.hash()
	return t, nil
}

// describe reads the chunks that were not read yet.
func (b Board) describe(p *Plan) error {
	for _, name := range p.chunks {
		raw, err := b.CAS.Get(name)
		if err != nil {
			return fmt.Errorf("reading the descriptions of the plan's shards: %w", err)
		}
		for line := range bytes.SplitSeq(bytes.TrimSuffix(raw, []byte("\n")), []byte("\n")) {
			sum, err := merkle.ParseHash(contracts.GetString(line, "sha256"))
			if err != nil {
				return fmt.Errorf("reading the descriptions in %s: %w", name, err)
			}
			p.sums[casOf(sum)] = sum
		}
	}
	p.chunks = nil
	return nil
}

// casOf is a cas_id as a number: the first eight bytes of the hash.
func casOf(sum merkle.Hash) (n uint64) {
	for _, b := range sum[:8] {
		n = n<<8 | uint64(b)
	}
	return n
}

// of is the attempt that an event is about: the newest, if its root is that.
func (p *Plan) of(data []byte) *Attempt {
	a := p.Last()
	if a == nil || a.Number != attemptOf(data) {
		return nil
	}
	return a
}

func (p *Plan) certify(ev *contracts.Event, data []byte) {
	a := p.of(data)
	if a == nil {
		return
	}
	a.Certify = ev.Pos
	if root := contracts.GetString(data, "merkle_root"); root != a.Claimed.String() {
		a.SampleErr = fmt.Errorf("hxo.aggregate.certify at %s is of the root %s, hxo.aggregate.ready of %s", ev.Pos, root, a.Claimed)
	}
	contracts.Elements(contracts.Lookup(data, "sample_proofs").Raw, func(v contracts.Value) bool {
		s, err := certify.ParseSample(v.Raw)
		if err != nil {
			a.SampleErr = cmp.Or(a.SampleErr, err)
			return false
		}
		a.Samples = append(a.Samples, s)
		return true
	})
	if a.SampleErr == nil {
		a.SampleErr = certify.CheckSamples(p.ID, a.Claimed, a.Samples)
	}
}

func (p *Plan) ended(ev *contracts.Event, data []byte) {
	a := p.of(data)
	if a == nil {
		return
	}
	a.End, a.Line = ev.Pos, bytes.Clone(ev.Line)
	a.Reason = contracts.GetString(data, "reason")
	if c := contracts.Lookup(data, "certificate"); c.Exists() {
		a.Certificate = new(Certificate)
		if json.Unmarshal(c.Raw, a.Certificate) != nil {
			a.Certificate = &Certificate{}
		}
	}
}

// verdict keeps what a bisection found: it comes behind hxo.aggregate.failed.
func (p *Plan) verdict(ev *contracts.Event) {
	a := p.of(ev.Data())
	if a == nil || ev.Pos.Lane != truthLane || !contracts.Lookup(ev.Data(), "comparisons").Exists() {
		return
	}
	f := &Found{Position: ev.Pos.String()}
	if json.Unmarshal(ev.Data(), f) == nil {
		a.Found = f
	}
}
