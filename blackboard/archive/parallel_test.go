package archive

import (
	"bytes"
	"sync"
	"testing"
)

// TestParallel reads one archive from many goroutines, with and without index.
func TestParallel(t *testing.T) {
	reg, checker := testContracts(t)
	raw := corpus(t, 4000)
	m := newModel(raw, []Run{{Seq: 5, Lines: 4000}}, checker)
	file, _ := m.write(t, reg, checker, WriteOptions{FrameBytes: 64 << 10, Workers: 2, Low: true})
	indexed := open(t, file)
	unindexed, err := indexed.Unindexed()
	if err != nil {
		t.Fatal(err)
	}
	foreign := open(t, zstdCommand(t, raw, "-c"))
	for _, r := range []*Reader{indexed, unindexed, foreign} {
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				var buf []byte
				for i := range r.Frames() {
					if g%2 == 1 {
						i = len(r.Frames()) - 1 - i
					}
					c, err := r.DecodeLines(i, buf)
					if err != nil || !bytes.HasPrefix(raw[c.Offset:], c.Bytes) {
						t.Errorf("frame %d: %v", i, err)
					}
					buf = c.Bytes
					r.Runs(i, nil)
					r.Odd(i, nil)
					r.Select(Want{Fields: []Field{{"plan_id", "none"}}})
				}
			})
		}
		wg.Wait()
	}
}
