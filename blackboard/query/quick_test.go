package query

import (
	"bytes"
	"testing"

	"stigmergy/contracts"
)

// Where the quick reader finds a topic and a time, the scanner finds the same.
func FuzzQuickEnvelope(f *testing.F) {
	for _, s := range []string{
		`{"specversion":"1.0","id":"x","type":"hxo.plan","time":"2026-01-29T02:31:13Z","data":{"a":[1,{"type":"no"}]}}`,
		`{"data":{"s":"}\"]\\","n":-1.5e3},"b":true,"c":null,"topic":"a.b"}`,
		`{"a":"\\","type":"x"}`, `{"type":"x","time":null}`, `{"t\u0079pe":"x"}`, `{"type" : "x"}`, `{}`, `{"a":{},"type":"x","data":[]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var env contracts.Envelope
		if contracts.Scan(line, &env) != nil {
			return
		}
		for _, timed := range []bool{false, true} {
			topic, at, ok := quickEnvelope(line, timed)
			if !ok {
				continue
			}
			if !bytes.Equal(topic, env.Type.TextBytes(line)) {
				t.Fatalf("topic %q, scanned %q: %s", topic, env.Type.Text(line), line)
			}
			if timed && env.Time.IsString(line) != (at != nil) || at != nil && !bytes.Equal(at, env.Time.TextBytes(line)) {
				t.Fatalf("time %q, scanned %q: %s", at, env.Time.Text(line), line)
			}
		}
	})
}

func BenchmarkQuickEnvelope(b *testing.B) {
	line := []byte(`{"specversion":"1.0","id":"01KFVFTPG000000000000000000","source":"hxo/executor/07","type":"hxo.shard.done","time":"2026-01-26T00:00:00.123456Z","data":{"plan_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7","bytes":12345}}`)
	for b.Loop() {
		if _, _, ok := quickEnvelope(line, false); !ok {
			b.Fatal("not read")
		}
	}
}
