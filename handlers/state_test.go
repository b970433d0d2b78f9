package handlers

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestStoreIsAMap plays random puts, deletes, roll-backs, ranges and dumps
// against a plain map.
func TestStoreIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		model, saved, dumped := map[string]string{}, map[string]string{}, map[string]string{}
		key := rapid.StringMatching(`[ab]{0,3}(/[ab]{0,2})?`)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), rapid.StringN(0, 4, -1).Draw(t, "value")
				s.put(k, v)
				model[k] = v
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				s.delete(k)
				delete(model, k)
			},
			"begin": func(t *rapid.T) {
				s.begin()
				saved = maps.Clone(model)
			},
			"rollback": func(t *rapid.T) {
				s.rollback()
				model = maps.Clone(saved)
			},
			"dump": func(t *rapid.T) {
				all := rapid.Bool().Draw(t, "all")
				if all {
					dumped = map[string]string{}
				}
				_ = s.dump(all, func(k string, v []byte, deleted bool) error {
					if delete(dumped, k); !deleted {
						dumped[k] = string(v)
					}
					return nil
				})
				if !maps.Equal(dumped, model) {
					t.Fatalf("dump(all=%v) gives %q, the store holds %q", all, dumped, model)
				}
			},
			"": func(t *rapid.T) { sameAsMap(t, s, model, key.Draw(t, "prefix")) },
		})
	})
}

func sameAsMap(t *rapid.T, s *store, model map[string]string, prefix string) {
	var got []string
	s.scan(prefix, func(k, v string) bool {
		got = append(got, k)
		if model[k] != v {
			t.Fatalf("scan gives %q = %q, expected %q", k, v, model[k])
		}
		return true
	})
	var want []string
	for _, k := range slices.Sorted(maps.Keys(model)) {
		if strings.HasPrefix(k, prefix) {
			want = append(want, k)
		}
		if v, ok := s.get(k); !ok || v != model[k] {
			t.Fatalf("get(%q) gives %q, %v, expected %q", k, v, ok, model[k])
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("scan(%q) gives %q, expected %q", prefix, got, want)
	}
}

// TestScanWhileChanging deletes and adds keys from within a scan.
func TestScanWhileChanging(t *testing.T) {
	s := newStore()
	for i := range 1000 {
		s.put(fmt.Sprintf("k%04d", i), "")
	}
	s.put("l", "")
	var seen []string
	s.scan("k", func(k, _ string) bool {
		seen = append(seen, k)
		s.delete(k)
		if k < "k0900" && k[4] == '0' {
			s.delete(k[:4] + "1")    // ahead: not seen
			s.put(k[:4]+"0-new", "") // ahead: seen
			s.put("a"+k, "")         // behind
			s.put(strings.ToUpper(k), "")
		}
		return true
	})
	if !slices.IsSorted(seen) || len(seen) != len(slices.Compact(slices.Clone(seen))) {
		t.Fatal("a key was given twice or out of order")
	}
	if len(seen) != 1000 || slices.Contains(seen, "k0011") || !slices.Contains(seen, "k0010-new") {
		t.Fatalf("%d keys were given", len(seen))
	}
	if _, ok := s.get("k0500"); ok {
		t.Fatal("a deleted key is still there")
	}
}

func TestScanStops(t *testing.T) {
	s := newStore()
	for _, k := range []string{"a", "b", "c"} {
		s.put(k, "")
	}
	n := 0
	s.scan("", func(k, _ string) bool {
		n++
		s.put("b", "changed")
		return k != "b"
	})
	if n != 2 {
		t.Fatalf("fn was called %d times after it said stop at the second", n)
	}
}

// TestStoreMemory holds 100,000 small records to less than 400 bytes each,
// keys included: what a plan of 100,000 shards may cost.
func TestStoreMemory(t *testing.T) {
	const records = 100_000
	plan := "0f8fad5b-d9cb-469f-a165-70867728950e"
	before := heap()
	s := newStore()
	for i := range records {
		// as a shard may stand there: key of plan, stage and cas_id; value of
		// full digest, state, attempt and index
		s.put(fmt.Sprintf("h/plan/s/%s/%02d/%016x", plan, i%4, uint64(i)*0x9e3779b97f4a7c15), fmt.Sprintf("%064x p 1 %d", i, i))
	}
	_ = s.dump(false, func(string, []byte, bool) error { return nil })
	s.begin()
	each := float64(heap()-before) / records
	t.Logf("%.0f bytes a record of 61 + 72 bytes", each)
	if each > 400 {
		t.Errorf("a record costs %.0f bytes, expected less than 400", each)
	}
	runtime.KeepAlive(s)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkStorePut(b *testing.B) {
	s := newStore()
	for i := range 100_000 {
		s.put(benchKey(uint64(i)), "pending")
	}
	key := benchKey(777)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.begin()
		s.put(key, [2]string{"claimed", "done"}[i&1])
	}
}

func BenchmarkStoreGet(b *testing.B) {
	s := newStore()
	for i := range 100_000 {
		s.put(benchKey(uint64(i)), "pending")
	}
	key := benchKey(777)
	b.ReportAllocs()
	for b.Loop() {
		s.get(key)
	}
}

func benchKey(i uint64) string { return fmt.Sprintf("h/plan/s/%016x", i*0x9e3779b97f4a7c15) }
