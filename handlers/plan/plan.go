// Package plan is the handler that makes shards of plans, has them run, and
// knows how far they are: the state machine of HXO.
//
// It derives on lane hxo
//
//	hxo.plan              one for every plan that was accepted
//	hxo.shard.*           created, claimed, then done or failed: for each attempt
//	hxo.aggregate.*       ready and certify when all is done, then finalized or failed
//	hxo.autotune.signal   a stage that is slow, or waits
//	hxo.audit, hxo.alert  who asked for what, and what a person should know of
//	blueprint.events      job kinds that were accepted
//
// and board.rejected for every request that cannot be granted.
//
// # State
//
// A plan has a number, from 1; its stages and the shards of a stage have
// numbers from 0, shards in the order of their cas_ids and, behind them, the
// parts that splits made. A shard that was never claimed costs nothing: it lies
// between two numbers of its stage.
//
//	id/PLAN_ID            → plan        p/PLAN             → planRec
//	s/PLAN/STAGE          → stageRec    k/PLAN/STAGE/SHARD → chunk of parts that begin there
//	o/PLAN/STAGE/BLOCK    → outcomes of 16 shards
//	l/PLAN/STAGE/SHARD    → lease       e/DUE/PLAN/STAGE/SHARD   when to look at it
//	g/PLAN/STAGE/SHARD    → to be run again; b/DUE/PLAN/STAGE/SHARD after a pause
//	r/PLAN/STAGE          → it has shards to be claimed
//	c/NUMBER              → claim that waits
//	m/DESCRIPTION         → where this work was done last
//	x/PLAN/NUMBER         → event that waits to be published
//	j/PLAN/NUMBER         → shards to be created again
//	w/PLAN                → the plan has such events, or shards to be created
//	t/PLAN                → when something happened to it last
//	a/PLAN/STAGE          → its last results
//	z/PLAN/STAGE/SIGNAL   → it was published once
//	h/PLAN/STAGE/SHARD    → the parts that stand for a shard
//	q/EFFECTKEY           → what an answer of a worker is about
//	v/PLAN                → certRec            y/PLAN/BLOCK → 256 leaves of a tree that is being built
package plan

import (
	"strings"

	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// Handler is the state machine.
type Handler struct{}

// New returns it.
func New() *Handler { return &Handler{} }

// Name is part of ids and keys.
func (*Handler) Name() string { return "plan" }

// Topics are the requests about plans and the answers of workers.
func (*Handler) Topics() []string {
	return []string{
		"hxo.plan.submit", "hxo.plan.abort", "hxo.plan.replay", "plan.resolved",
		"federation.claim", "federation.result", "federation.heartbeat",
		"genesis.heal", "genesis.intent", "blueprint.events", "truth.verdict", "hxo.audit",
	}
}

// Effects are what plans need of the world.
func (*Handler) Effects() []handlers.EffectKind {
	resolved, verdict := []string{"plan.resolved"}, []string{"truth.verdict"}
	return []handlers.EffectKind{
		{Kind: spec.EffectResolve, Lane: spec.LanePlan, Ends: resolved},
		{Kind: spec.EffectCached, Lane: spec.LanePlan, Ends: resolved},
		{Kind: spec.EffectSplit, Lane: spec.LanePlan, Ends: resolved},
		{Kind: spec.EffectRepartition, Lane: spec.LanePlan, Ends: resolved},
		{Kind: spec.EffectRun, Lane: spec.LaneExec, Ends: []string{"federation.result"}, Also: []string{"federation.heartbeat"}},
		{Kind: certify.EffectCertify, Lane: certify.LaneTruth, Ends: verdict},
		{Kind: certify.EffectSign, Lane: certify.LaneTruth, Ends: verdict},
		{Kind: certify.EffectBisect, Lane: certify.LaneTruth, Ends: verdict},
	}
}

// Handle answers one event.
func (*Handler) Handle(tx *handlers.Tx, ev *contracts.Event) {
	c := begin(tx)
	switch ev.TopicName {
	case "hxo.plan.submit":
		c.submit(ev)
	case "hxo.plan.abort":
		c.abort(ev)
	case "hxo.plan.replay":
		c.replay(ev)
	case "genesis.heal":
		c.heal(ev)
	case "genesis.intent":
		c.intent(ev)
	case "blueprint.events":
		c.register(ev)
	case "hxo.audit":
		c.heard(ev)
	case "plan.resolved":
		c.resolved(ev)
	case "federation.claim":
		c.claim(ev)
	case "federation.result":
		c.result(ev)
	case "federation.heartbeat":
		c.heartbeat(ev)
	case "truth.verdict":
		c.verdict(ev)
	}
	c.end()
}

// Tick goes on with what waits for time to pass.
func (*Handler) Tick(tx *handlers.Tx, timer string) {
	c := begin(tx)
	name, rest, _ := strings.Cut(timer, "/")
	switch name {
	case "release":
		c.release()
	case "leases":
		c.leases()
	case "claims":
		c.claimsEnd()
	case "again":
		c.againDue()
	case "check":
		c.checkMore(rest)
	case "slo":
		c.slo(rest)
	case "stall":
		c.stalled(rest)
	case "tree":
		c.buildMore(rest)
	case "truth":
		c.truthSilent(rest)
	}
	c.end()
}
