// Package autonomy is the built-in Autonomy: it answers hxo.autotune.signal
// with a genesis.heal on lane genesis, unless the setting autonomy is off and
// an agent plays it.
//
//	{"source":"autonomy","plan_id":"…","action":"split_shard","parameters":{"stage_id":"pack","split_factor":4}}
//
// A signal comes again and again until the cure works, so an action on a stage
// is not repeated for a while. Another partition is not for it to invent: to
// change_partitioner it has no answer, an agent or a person may have one.
package autonomy

import (
	"strconv"

	"stigmergy/contracts"
	"stigmergy/handlers"
)

// Handler is the state machine.
type Handler struct{}

// New returns it.
func New() *Handler { return &Handler{} }

// Name is part of ids and keys.
func (*Handler) Name() string { return "autonomy" }

// Topics are the signals.
func (*Handler) Topics() []string { return []string{"hxo.autotune.signal"} }

// How long an action on a stage is given to show, in milliseconds.
const (
	splitPause = 60_000
	widenPause = 5_000
	factor     = 4
)

// Handle answers a signal.
func (*Handler) Handle(tx *handlers.Tx, ev *contracts.Event) {
	if tx.Settings().Autonomy != "builtin" || ev.Pos.Lane != "hxo" {
		return
	}
	plan, stage, action := ev.Get("data.plan_id").Text(), ev.Get("data.stage_id").Text(), ev.Get("data.suggested_action").Text()
	parameters := new(handlers.Object).Str("stage_id", stage)
	pause := int64(splitPause)
	switch action {
	case "split_shard":
		parameters.Int("split_factor", factor)
	case "increase_concurrency":
		parameters.Int("by", 1)
		pause = widenPause
	default:
		return
	}
	key := plan + "/" + action + "/" + stage
	if v, ok := tx.Get(key); ok {
		last, _ := strconv.ParseInt(v, 10, 64)
		if tx.Now()-last < pause {
			return
		}
	}
	tx.Put(key, strconv.FormatInt(tx.Now(), 10))
	tx.Emit("genesis", "genesis.heal", plan, new(handlers.Object).Str("source", "autonomy").Str("plan_id", plan).
		Str("action", action).Raw("parameters", parameters.Bytes()).Bytes())
}

// Tick is never asked for.
func (*Handler) Tick(*handlers.Tx, string) {}
