// Package exemplar is the packet that an operational run leaves behind, the
// data of an hfo.exemplar event: what was asked, what came of it, what it was
// made from, each by its hash.
//
//	{"type":"hfo_exemplar_event","ts":"2026-01-29T02:31:13Z","scope":"gitops_run__gen88-v4",
//	 "preflight_receipt_id":"…","postflight_receipt_id":"…","outcome":"ok",
//	 "prompt_sha256":"…","answer_sha256":"…","tags":["gitops"],"keywords":[],
//	 "sources":["artifacts/proofs/…/run.log"],"artifacts":{"exemplar_path":"…/exemplar.json"},
//	 "exemplar_id":"…"}
//
// The first twelve members are the origin's, required as it types them; ours
// stand beside them, and whatever else stands there is kept and is part of the
// packet's name. That name, exemplar_id, is the SHA-256 of the packet's
// RFC 8785 form without exemplar_id:
//
//	jq -cSj 'del(.exemplar_id)' exemplar.json | sha256sum
package exemplar

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"stigmergy/contracts"
	"stigmergy/contracts/jcs"
)

// Topic is the events that carry a packet; Type is what a packet calls itself.
const (
	Topic = "hfo.exemplar"
	Type  = "hfo_exemplar_event"
)

// Dir is where packets lie that no run wrote to a place of its own.
const Dir = "artifacts/exemplars"

// ErrNoObject is a packet that is no JSON object.
var ErrNoObject = errors.New("a packet is one JSON object")

// ID is a packet's name, whether or not it states it, and the packet without
// exemplar_id in canonical form.
func ID(packet []byte) (id string, canonical []byte, err error) {
	if !contracts.Valid(packet) {
		return "", nil, jcs.ErrNotJSON
	}
	flat := contracts.AppendCompact(nil, packet)
	if contracts.ValueOf(flat).Kind != contracts.Object {
		return "", nil, ErrNoObject
	}
	rest, stated := without(flat, "exemplar_id")
	if stated > 1 {
		return "", nil, errors.New(`the key "exemplar_id" stands twice in one object`)
	}
	canonical, err = jcs.Append(nil, rest)
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), canonical, nil
}

// without is an object without a member, and how often that stood there.
func without(object []byte, key string) (out []byte, found int) {
	out = append(make([]byte, 0, len(object)), '{')
	contracts.Members(object, func(k []byte, v contracts.Value) bool {
		if string(k) == key {
			found++
			return true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(contracts.AppendString(out, k), ':')
		out = append(out, v.Raw...)
		return true
	})
	return append(out, '}'), found
}

// Seal is a packet in canonical form with its exemplar_id. A name that it
// states already must be the right one.
func Seal(packet []byte) (sealed []byte, id string, err error) {
	id, canonical, err := ID(packet)
	if err != nil {
		return nil, "", err
	}
	if e := Misnamed(packet, id); e != nil {
		return nil, id, fmt.Errorf("exemplar_id: expected %s, the SHA-256 of the packet without it, found %s", id, e.Got)
	}
	sealed, err = jcs.Append(nil, contracts.SetMember(canonical, "exemplar_id", contracts.AppendString(nil, id)))
	return sealed, id, err
}

// Misnamed tells of a packet that states another name than its own.
func Misnamed(packet []byte, id string) *contracts.FieldError {
	v := contracts.Lookup(contracts.AppendCompact(nil, packet), "exemplar_id")
	if !v.Exists() || v.Kind == contracts.String && v.Text() == id {
		return nil
	}
	return &contracts.FieldError{
		Pointer: "/data/exemplar_id", Keyword: "exemplar_id", Expected: id, Got: v.Text(),
		Hint: "it is the SHA-256 of the packet's RFC 8785 form without exemplar_id; or leave it out",
	}
}
