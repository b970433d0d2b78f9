package feed

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
	"stigmergy/contracts/exemplar"
	"stigmergy/exemplars"
)

// kind is the effect that a Feed does, lane where it answers.
const (
	kind = "exemplar.ingest"
	lane = "workers/exemplars"
)

// Topics of the answers.
const (
	ingested = "exemplar.ingested"
	refused  = "exemplar.refused"
)

// Kinds makes a Feed the worker of exemplar.ingest.
func (f *Feed) Kinds() []string { return []string{kind} }

// Do takes one packet in and says what came of it. Cut short anywhere, it ends
// the same when it is done again.
func (f *Feed) Do(ctx context.Context, e blackboard.Effect, report func(lane string, line []byte) error) error {
	position := contracts.GetString(e.Payload, "position")
	packet := contracts.Lookup(e.Payload, "packet").Raw
	ev := exemplars.Event{Position: position, Source: contracts.GetString(e.Payload, "source"), ID: contracts.GetString(e.Payload, "id"), Packet: packet}
	res, err := f.Ingest(ctx, ev)
	var no *exemplars.Refusal
	switch {
	case errors.As(err, &no):
		return f.refused(e.Key, position, packet, no, report)
	case err != nil:
		return err
	}
	if err := f.keep(ctx, position, packet); err != nil {
		return err
	}
	body, err := json.Marshal(res)
	if err != nil {
		return fmt.Errorf("reporting %s: %w", e.Key, err)
	}
	at := res.Ingested
	if !res.New { // it was taken in earlier; what is new is the event
		at = f.cfg.Now().UTC().Format(time.RFC3339Nano)
	}
	return f.report(ingested, e.Key, res.Scope, at, body, report)
}

// refused tells why a packet is not taken.
func (f *Feed) refused(key, position string, packet []byte, no *exemplars.Refusal, report func(string, []byte) error) error {
	id, _, err := exemplar.ID(packet)
	if err != nil {
		return fmt.Errorf("refusing %s: %w", position, err)
	}
	body, err := json.Marshal(struct {
		ExemplarID string                 `json:"exemplar_id"`
		Position   string                 `json:"position"`
		Reason     string                 `json:"reason"`
		Errors     []contracts.FieldError `json:"errors"`
	}{id, position, no.Reason, no.Errors})
	if err != nil {
		return fmt.Errorf("refusing %s: %w", position, err)
	}
	f.cfg.Log.Warn("an exemplar is refused", "position", position, "error", no)
	return f.report(refused, key, contracts.GetString(packet, "scope"), f.cfg.Now().UTC().Format(time.RFC3339Nano), body, report)
}

func (f *Feed) report(topic, key, subject, at string, body []byte, report func(string, []byte) error) error {
	var rnd [10]byte
	if _, err := rand.Read(rnd[:]); err != nil {
		return fmt.Errorf("reporting %s: %w", key, err)
	}
	return report(lane, contracts.Build{
		ID: contracts.UUIDv7(f.cfg.Now().UnixMilli(), rnd), Source: lane, Type: topic, Subject: subject, Time: at,
		Ext: []contracts.Attr{{Name: "effectkey", Value: key}}, Data: body,
	}.Append(nil))
}

// keep writes the packet of a run that has no place of its own, as a plan, to
// where the packet says that it lies. Only what the daemon itself derived may
// say so.
func (f *Feed) keep(ctx context.Context, position string, packet []byte) error {
	pos, err := contracts.ParsePosition(position)
	if err != nil || !layout.Owned(pos.Lane) {
		return nil
	}
	name := contracts.Lookup(packet, "artifacts", "exemplar_path").Text()
	err = f.with(ctx, func(s *exemplars.Store, root *os.Root) error { return s.Keep(root, name, packet) })
	if err != nil {
		return fmt.Errorf("keeping the packet of %s: %w", position, err)
	}
	return nil
}
