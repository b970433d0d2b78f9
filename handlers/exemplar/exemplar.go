// Package exemplar is the handler that has operational runs remembered: every
// hfo.exemplar, on whichever lane, becomes one exemplar.ingest effect, and the
// store's worker answers it once, with exemplar.ingested or exemplar.refused.
//
// A packet that stands in the store already is answered by nothing: the same
// packet a hundred times is one effect and one event. One that cannot be taken
// is answered by board.rejected, for whoever posted it.
//
// A plan that is finalized, that failed because a shard did for the last time,
// or whose certification failed, leaves an exemplar too: it is derived here, on
// lane swarm, of what the board says of the plan.
package exemplar

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"stigmergy/contracts"
	packet "stigmergy/contracts/exemplar"
	"stigmergy/handlers"
)

// The effect of one packet, and how it ends.
const (
	Kind    = "exemplar.ingest"
	Lane    = "workers/exemplars"
	Ended   = "exemplar.ingested"
	Refused = "exemplar.refused"
)

// Keys of the handler's state.
const (
	idKey     = "i/" // short id → "" once it is ingested, "~" until then
	sourceKey = "s/" // hash of an explicit (source, id) → short id
	askedKey  = "a/" // short id → who asked, until it is answered
	planKey   = "p/" // plan_id → what its exemplar will say
	failedKey = "f/" // plan_id → it failed, and was not replayed since
	timesKey  = "n/" // plan_id → how often it failed so
)

// Handler has exemplars ingested.
type Handler struct{}

// New returns it.
func New() *Handler { return &Handler{} }

// Name is part of ids and keys.
func (*Handler) Name() string { return "exemplar" }

// Topics are packets, what the worker says of them, and how plans end.
func (*Handler) Topics() []string {
	return []string{packet.Topic, Ended, Refused, "hxo.plan", "hxo.plan.replay", "hxo.alert", "hxo.aggregate.finalized", "hxo.aggregate.failed"}
}

// Effects are the store's.
func (*Handler) Effects() []handlers.EffectKind {
	return []handlers.EffectKind{{Kind: Kind, Lane: Lane, Ends: []string{Ended, Refused}}}
}

// Tick is never asked for.
func (*Handler) Tick(*handlers.Tx, string) {}

// Handle is fed one event.
func (*Handler) Handle(tx *handlers.Tx, ev *contracts.Event) {
	switch ev.TopicName {
	case packet.Topic:
		posted(tx, ev)
	case Ended, Refused:
		answered(tx, ev)
	case "hxo.plan":
		planned(tx, ev)
	case "hxo.plan.replay":
		tx.Delete(failedKey + ev.Get("data.plan_id").Text())
	case "hxo.alert":
		planFailed(tx, ev)
	default:
		certified(tx, ev)
	}
}

// short is a name of the 128 bits that a hash begins with: state is kept for
// as long as the board lives.
func short(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum[:16]) }

// posted starts the effect of a packet that is not known yet.
func posted(tx *handlers.Tx, ev *contracts.Event) {
	data := ev.Data()
	id, _, err := packet.ID(data)
	if err != nil {
		reject(tx, ev, contracts.FieldError{Pointer: "/data", Keyword: "exemplar_id", Expected: "a packet that RFC 8785 gives a form to", Got: err.Error()})
		return
	}
	if e := packet.Misnamed(data, id); e != nil {
		reject(tx, ev, *e)
		return
	}
	sum, _ := hex.DecodeString(id) // 64 hex digits
	name := short(sum)
	if _, known := tx.Get(idKey + name); known {
		return
	}
	source := ""
	if ev.Env.ID.IsString(ev.Line) {
		hash := sha256.Sum256([]byte(ev.Source() + "\x00" + ev.ID()))
		source = short(hash[:])
		if _, taken := tx.Get(sourceKey + source); taken {
			tx.Reject(ev, &handlers.Rejection{Reason: handlers.RejectDuplicate, Errors: []contracts.FieldError{{
				Pointer: "/id", Keyword: "unique", Expected: "one packet from " + ev.Source() + " with id " + ev.ID(), Got: "a second one, with another content",
				Hint: "give the event an id of its own",
			}}})
			return
		}
		tx.Put(sourceKey+source, name)
	}
	tx.Put(idKey+name, "~")
	tx.Put(askedKey+name, string(new(handlers.Object).
		Position("position", ev.Pos).Str("request_id", ev.ID()).Str("lane", ev.Pos.Lane).Str("source", source).Bytes()))
	tx.Effect(Kind, "exemplar:"+id, new(handlers.Object).
		Position("position", ev.Pos).Str("source", ev.Source()).Str("id", ev.ID()).Raw("packet", data).Bytes())
}

func reject(tx *handlers.Tx, ev *contracts.Event, e contracts.FieldError) {
	tx.Reject(ev, &handlers.Rejection{Reason: handlers.RejectBadParameter, Errors: []contracts.FieldError{e}})
}

// answered notes what became of a packet. One that was refused is forgotten:
// once its sources are right, it may be posted again.
func answered(tx *handlers.Tx, ev *contracts.Event) {
	sum, err := hex.DecodeString(ev.Get("data.exemplar_id").Text())
	if err != nil || len(sum) != sha256.Size {
		return // its contract has 64 hex digits
	}
	name := short(sum)
	asked, _ := tx.Get(askedKey + name)
	tx.Delete(askedKey + name)
	if ev.TopicName == Ended {
		tx.Put(idKey+name, "")
		return
	}
	tx.Delete(idKey + name)
	ask := []byte(asked)
	if source := contracts.GetString(ask, "source"); source != "" {
		tx.Delete(sourceKey + source)
	}
	if asked == "" {
		return
	}
	tx.Emit("board", "board.rejected", contracts.GetString(ask, "lane"), new(handlers.Object).
		Str("position", contracts.GetString(ask, "position")).
		Str("request_topic", packet.Topic).
		Str("request_id", contracts.GetString(ask, "request_id")).
		Str("reason", ev.Get("data.reason").Text()).
		Raw("errors", rawErrors(ev)).Bytes())
}

// rawErrors are the errors of a refusal, as the worker told them.
func rawErrors(ev *contracts.Event) []byte {
	if v := contracts.Lookup(ev.Data(), "errors"); v.Kind == contracts.Array {
		return v.Raw
	}
	return []byte("[]")
}
