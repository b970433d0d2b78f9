package exemplars_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"stigmergy/exemplars"
)

// FuzzWords: whatever is looked for, it is words and never an error; what a
// packet holds as one word is found.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"gitops_run", `"`, "a AND b", "NEAR(a b, 3)", "heading:x", "^x*", "-x", "naïve Ünï", "日本語", "\x00", "\xff\xfe", "a\"b*\"", "{x y}: z", "x'; DROP TABLE words; --"} {
		f.Add(s)
	}
	f.Add(strings.Repeat("many words ", 500))
	f.Add(strings.Repeat("one_word_of_many_parts", 500))
	p := newPlace(f)
	p.must(0, build(f, run(0, nil)))
	f.Fuzz(func(t *testing.T, words string) {
		for _, q := range []exemplars.Query{{Words: words}, {Words: "gitops", Window: exemplars.Window{Scope: words}}} {
			if _, err := p.s.Search(context.Background(), q); err != nil {
				t.Fatalf("%.200q: %v", words, err)
			}
		}
	})
}

// FuzzPacket: whatever is posted as a packet is taken or refused, and taken
// once.
func FuzzPacket(f *testing.F) {
	f.Add(build(f, run(0, nil)))
	f.Add(build(f, run(1, func(p *exemplars.Packet) {
		p.Gates, p.Batches = []exemplars.Gate{{GateID: "g", Outcome: "failed"}}, []exemplars.Batch{{BatchID: "b", Insertions: 1}}
	})))
	f.Add([]byte(`{"type":"hfo_exemplar_event","ts":"0000-01-01T00:00:00Z","scope":"\u0000","preflight_receipt_id":"","postflight_receipt_id":"","outcome":"ok","prompt_sha256":"` + sum +
		`","answer_sha256":"` + sum + `","tags":[],"keywords":[],"sources":[],"artifacts":{"exemplar_path":"x"},"batches":[{"batch_id":1},[],{"batch_id":"a","insertions":1e300}],"gates":{"a":1},"summary":[true]}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"a":`))
	p := newPlace(f)
	f.Fuzz(func(t *testing.T, packet []byte) {
		first, err := p.ingest(0, packet)
		var no *exemplars.Refusal
		if errors.As(err, &no) {
			if len(no.Errors) == 0 {
				t.Fatalf("%q: refused without a reason", packet)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", packet, err)
		}
		again, err := p.ingest(0, packet)
		if err != nil || again.ExemplarID != first.ExemplarID || again.ReceiptPath != first.ReceiptPath {
			t.Fatalf("%q: %+v, then %+v (%v)", packet, first, again, err)
		}
	})
}
