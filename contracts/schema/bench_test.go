package schema

import (
	"os"
	"testing"
)

const benchDone = `{"plan_id":"0b6b1c1e-7f5a-4b1e-9c3d-2f4a5b6c7d8e","stage_id":"pack_backend","cas_id":"def4560123456789","output_digest":"aaaaaaaa0123456789abcdef0123456789abcdef0123456789abcdef01234567","bytes":28137}`

func BenchmarkShardDone(b *testing.B) {
	text, err := os.ReadFile("../schemas/hxo.shard.done.schema.json")
	if err != nil {
		b.Fatal(err)
	}
	s, oracle := pair(b, text)
	for _, c := range []struct {
		name string
		s    *Schema
	}{{"compiled", s}, {"library", oracle}} {
		b.Run(c.name, func(b *testing.B) {
			data := []byte(benchDone)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if c.s.Check(data) != nil {
					b.Fatal("refused")
				}
			}
		})
	}
}

// BenchmarkContracts checks the full fixture of every topic.
func BenchmarkContracts(b *testing.B) {
	texts := contractFiles(b)
	var checks []*Schema
	var data [][]byte
	for _, text := range texts {
		s, err := CompileTrusted(text)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range fixtureData(b) {
			if s.Check(d) == nil && len(s.Text().Strings("required")) > 1 {
				checks, data = append(checks, s), append(data, d)
			}
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		checks[i%len(checks)].Check(data[i%len(data)])
	}
}

func BenchmarkCompile(b *testing.B) {
	text, err := os.ReadFile("../schemas/hxo.shard.done.schema.json")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("trusted", func(b *testing.B) {
		for b.Loop() {
			if _, err := CompileTrusted(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("checked", func(b *testing.B) {
		for b.Loop() {
			if _, err := Compile(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestGoodValuesDoNotAllocate(t *testing.T) {
	for _, text := range contractFiles(t) {
		s, err := CompileTrusted(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range fixtureData(t) {
			if s.Check(d) != nil {
				continue
			}
			// What regexp keeps in a pool is now and then taken away, under the
			// race detector often: the best of some tries counts.
			n := 1.0
			for try := 0; try < 20 && n != 0; try++ {
				n = testing.AllocsPerRun(20, func() { s.Check(d) })
			}
			if n != 0 {
				t.Errorf("%v allocations for %s", n, d)
			}
		}
	}
}
