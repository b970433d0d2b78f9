package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/merkle"
	"stigmergy/contracts/seal"
	"stigmergy/handlers"
)

// certifyOut publishes hxo.aggregate.certify, and asks Truth.
func (c *call) certifyOut(p *planRec, it *item) {
	c.tx.Emit("hxo", it.Topic, p.ID, []byte(it.Data))
	r := c.cert(p)
	if r.Phase != certAsked || r.Attempt != it.Attempt {
		return // ended before its turn came
	}
	if c.set.Truth == "outside" {
		c.tx.After(truthTimer(p), c.set.TruthTimeout.Milliseconds())
		return
	}
	c.askTruth(p, r, "truth", certify.EffectCertify)
}

// failedOut publishes hxo.aggregate.failed, and has the bad leaves looked for.
func (c *call) failedOut(p *planRec, it *item) {
	c.tx.Emit("hxo", it.Topic, p.ID, []byte(it.Data))
	if r := c.cert(p); r.Phase == certBisecting && r.Attempt == it.Attempt {
		c.askTruth(p, r, "bisect", certify.EffectBisect)
	}
}

func (c *call) askTruth(p *planRec, r *certRec, name, kind string) {
	a := certify.Ask{
		PlanID: p.ID, Attempt: r.Attempt, Root: r.Root, Shards: r.Size,
		Outputs: c.set.TruthOutputs, Note: r.Note, Last: r.Tries >= certify.Attempts,
	}
	if r.Suspect != "" {
		if err := json.Unmarshal([]byte(r.Suspect), &a.Suspect); err != nil {
			panic(err)
		}
	}
	payload, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	c.tx.Effect(kind, truthKey(name, p, r.Attempt), payload)
}

// verdict takes what Truth says.
func (c *call) verdict(ev *contracts.Event) {
	if ev.Pos.Lane == certify.LaneTruth {
		c.ownVerdict(ev)
		return
	}
	q := requestOf(ev)
	p := c.planByID(q.Plan)
	if p == nil {
		c.refuse(q, handlers.RejectUnknownPlan, "/data/plan_id", "a plan of this board", q.Plan, "stigmergy plan ls")
		return
	}
	if c.set.Truth != "outside" {
		c.reject(q, handlers.RejectPolicy, "truth is builtin: verdicts are the daemon's own, unless the settings say truth: outside", []byte("[]"))
		return
	}
	r := c.cert(p)
	suspect, ok := c.fits(q, p, r, ev)
	if !ok {
		return
	}
	c.tx.Cancel(truthTimer(p))
	if certified, _ := ev.Get("data.certified").Bool(); !certified {
		reason := ev.Get("data.reason").Text()
		if reason == "" {
			reason = "Truth does not certify it and gives no reason"
		}
		c.uncertified(p, r, clipTo(reason, 2000), suspect)
		return
	}
	r.Phase, r.Note = certSealing, ev.Get("data.note").Text()
	c.keepCert(p, r)
	c.askTruth(p, r, "sign", certify.EffectSign)
}

// maxNote bounds an outside Truth's note.
const maxNote = 16 << 10

// fits holds a verdict from outside to what was asked. suspect is JSON.
func (c *call) fits(q request, p *planRec, r *certRec, ev *contracts.Event) (suspect string, ok bool) {
	bad := func(reason, pointer, expected, got, hint string) (string, bool) {
		c.refuse(q, reason, pointer, expected, clip(got), hint)
		return "", false
	}
	attempt, _ := ev.Get("data.attempt").Int()
	root, note := ev.Get("data.merkle_root").Text(), ev.Get("data.note").Text()
	switch {
	case r.Phase != certAsked && int64(r.Attempt) == attempt:
		return bad(handlers.RejectDuplicate, "/data/attempt", "a verdict while certification "+strconv.Itoa(r.Attempt)+" waits for one", ev.Get("data.attempt").Text(), "it is decided: see the plan's hxo.aggregate events")
	case r.Phase != certAsked:
		return bad(handlers.RejectBadParameter, "/data/attempt", "an attempt that waits for a verdict", ev.Get("data.attempt").Text(), "none does")
	case int64(r.Attempt) != attempt:
		return bad(handlers.RejectBadParameter, "/data/attempt", strconv.Itoa(r.Attempt), ev.Get("data.attempt").Text(), "it is about another attempt than the one that waits")
	case root != r.Root:
		return bad(handlers.RejectBadParameter, "/data/merkle_root", r.Root, root, "it is about another tree than the one that waits")
	case len(note) > maxNote:
		return bad(handlers.RejectBadParameter, "/data/note", "at most "+strconv.Itoa(maxNote)+" bytes", strconv.Itoa(len(note)), "")
	}
	if note != "" {
		want := seal.Checkpoint{Origin: certify.Origin(c.set.Origin(c.tx.BoardID()), p.ID), Size: uint64(r.Size), Root: mustHash(r.Root)}
		if got, err := seal.PeekCheckpoint([]byte(note)); err != nil || got != want {
			return bad(handlers.RejectBadParameter, "/data/note", "a signed note of "+want.Text(), note, "it signs another text")
		}
	}
	return c.suspects(p, ev, bad)
}

func mustHash(s string) merkle.Hash {
	h, err := merkle.ParseHash(s)
	if err != nil {
		panic(err)
	}
	return h
}

// suspects are the leaves that an outside Truth names, as JSON: each a cas_id,
// or an object with cas_id and stage_id.
func (c *call) suspects(p *planRec, ev *contracts.Event, bad func(reason, pointer, expected, got, hint string) (string, bool)) (string, bool) {
	var list []certify.Shard
	n, wrong := 0, ""
	contracts.Elements(ev.Get("data.bad").Raw, func(v contracts.Value) bool {
		s := certify.Shard{CASID: v.Text()}
		if v.Kind == contracts.Object {
			s = certify.Shard{StageID: contracts.GetString(v.Raw, "stage_id"), CASID: contracts.GetString(v.Raw, "cas_id")}
		}
		found := false
		for i, st := range c.manifest(p).Stages {
			if s.StageID != "" && s.StageID != st.StageID {
				continue
			}
			if shard, ok := c.lookup(p, i, s.CASID); ok && func() bool { o := c.outcome(p.N, i, shard); return o.done() }() {
				found = true
				list = append(list, certify.Shard{StageID: st.StageID, CASID: s.CASID})
			}
		}
		if !found || len(list) > certify.MaxBad {
			wrong = string(v.Raw)
			return false
		}
		n++
		return true
	})
	if wrong != "" {
		return bad(handlers.RejectBadParameter, "/data/bad/"+strconv.Itoa(n), "a shard of the plan that stands (at most "+strconv.Itoa(certify.MaxBad)+")", wrong, "a cas_id, or {stage_id, cas_id}")
	}
	if len(list) == 0 {
		return "", true
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return string(text), true
}

// ownVerdict takes what the daemon's own Truth says: which question it answers
// stands in the effect's key.
func (c *call) ownVerdict(ev *contracts.Event) {
	var v certify.Verdict
	if json.Unmarshal(ev.Data(), &v) != nil {
		return
	}
	p := c.planByID(v.PlanID)
	if p == nil {
		return
	}
	r := c.cert(p)
	kind, _, _ := strings.Cut(ev.Env.EffectKey.Text(ev.Line), ":")
	if v.Attempt != r.Attempt || v.MerkleRoot != r.Root {
		return
	}
	switch {
	case kind == "truth" && r.Phase == certAsked, kind == "sign" && r.Phase == certSealing:
		if v.Certified && !r.isOf(v.Note) {
			v.Certified, v.Reason = false, "the note that came with the verdict is not over the claimed root"
		}
		if v.Certified {
			c.finalize(p, r, v.Note)
			return
		}
		c.uncertified(p, r, v.Reason, "")
	case kind == "bisect" && r.Phase == certBisecting:
		c.bisected(p, r, &v)
	}
}

// isOf tells whether a note is over what was claimed. Who signed it, and under
// which origin, is for those to check who have the key.
func (r *certRec) isOf(note string) bool {
	cp, err := seal.PeekCheckpoint([]byte(note))
	return err == nil && cp.Root.String() == r.Root && cp.Size == uint64(r.Size)
}

// truthSilent ends an attempt whose outside Truth says nothing.
func (c *call) truthSilent(rest string) {
	p := c.plan(numbers(rest, 1)[0])
	if p == nil {
		return
	}
	if r := c.cert(p); r.Phase == certAsked {
		c.uncertified(p, r, "no verdict within "+c.set.TruthTimeout.String()+" (truth: outside)", "")
	}
}

// finalize gives the plan its certificate.
func (c *call) finalize(p *planRec, r *certRec, note string) {
	r.Phase, r.Note, r.Suspect = certFinal, "", ""
	c.keepCert(p, r)
	cert := new(handlers.Object).Bool("certified", true).
		Str("certificate_id", certify.CertificateID(p.ID, mustHash(r.Root))).
		Str("merkle_root", r.Root).Int("tree_size", int64(r.Size)).Str("checkpoint", note)
	c.say(p, item{Kind: itemFinal, Topic: "hxo.aggregate.finalized", Data: string(cert.Bytes()), Attempt: r.Attempt})
}

// finalOut publishes hxo.aggregate.finalized: its times are those of now.
func (c *call) finalOut(p *planRec, it *item) {
	cert := handlers.Open([]byte(it.Data)).Str("timestamp", c.tx.Time()).Bytes()
	c.tx.Emit("hxo", it.Topic, p.ID, new(handlers.Object).Str("plan_id", p.ID).Raw("certificate", cert).
		Int("attempt", int64(it.Attempt)).Str("timestamp", c.tx.Time()).Bytes())
}

// uncertified ends an attempt that Truth does not certify.
func (c *call) uncertified(p *planRec, r *certRec, reason, suspect string) {
	r.Phase, r.Suspect = certBisecting, suspect
	c.keepCert(p, r)
	c.say(p, item{Kind: itemFailed, Topic: "hxo.aggregate.failed", Data: string(c.aggregate(p, r).Str("reason", reason).Bytes()), Attempt: r.Attempt})
}

// bisected has exactly those shards replayed whose outputs do not hold, and the
// plan certified again; after three attempts a person has to look.
func (c *call) bisected(p *planRec, r *certRec, v *certify.Verdict) {
	bad := v.Bad
	if v.BadSHA256 != "" {
		bad = c.allBad(v.BadSHA256)
	}
	r.Suspect = ""
	if r.Tries >= certify.Attempts {
		r.Phase = certGivenUp
		c.keepCert(p, r)
		c.alert(p, "certification_failed", "critical", "%d attempts to certify the plan have failed; of the last one: %s%s", r.Tries, v.Reason, firstOf(bad))
		return
	}
	var again []shardAt
	for _, b := range bad {
		stage := c.stageNamed(p, b.StageID)
		if stage < 0 {
			continue
		}
		if shard, ok := c.lookup(p, stage, b.CASID); ok {
			again = append(again, shardAt{stage, shard})
		}
	}
	if len(again) == 0 {
		c.certifyAnew(p, r)
		return
	}
	r.Phase = certReplaying
	c.keepCert(p, r)
	c.auditReplay(p, r, bad)
	c.replayShards(p, again)
}

func firstOf(bad []certify.Bad) string {
	if len(bad) == 0 {
		return ""
	}
	return ": " + bad[0].String()
}

// allBad are bad leaves that were too many for their verdict.
func (c *call) allBad(sha256 string) (bad []certify.Bad) {
	for line := range bytes.Lines(c.tx.CAS(sha256)) {
		var b certify.Bad
		if json.Unmarshal(line, &b) == nil {
			bad = append(bad, b)
		}
	}
	return bad
}

// auditReplay tells that Truth, and no person, has shards replayed.
func (c *call) auditReplay(p *planRec, r *certRec, bad []certify.Bad) {
	var ids []string
	for _, b := range bad[:min(len(bad), 100)] {
		ids = append(ids, b.CASID)
	}
	list, err := json.Marshal(ids)
	if err != nil {
		panic(err)
	}
	c.audit(p, "truth", "truth", "plan.replay", new(handlers.Object).Str("plan_id", p.ID).Raw("cas_ids", list).
		Int("shards", int64(len(bad))).Str("because", fmt.Sprintf("certification attempt %d failed", r.Attempt)))
}

// clipTo shortens a text at a rune's end.
func clipTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
