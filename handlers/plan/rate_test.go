package plan_test

import (
	"fmt"
	"strings"
	"testing"
)

// pass lets time pass, and notes at which millisecond how many events came.
func (b *bench) pass(ms int, counts map[int64]int) {
	seen := len(b.Steps)
	for range ms {
		b.Advance(1)
		for _, s := range b.Steps[seen:] {
			for _, d := range s.Derived {
				if d.Lane == "hxo" {
					counts[b.Elapsed] += int(d.Lines)
				}
			}
		}
		seen = len(b.Steps)
	}
}

// TestRate: while events wait no second holds more than the rate allows, the
// mean stays near it, and a small plan begins although a huge one waits.
func TestRate(t *testing.T) {
	for _, rate := range []int{1000, 60} {
		b := newBench(t, fmt.Sprintf("hxo.max_rate: %d", rate))
		b.submit(planID, stageOf{id: "big", items: 20 * rate})
		counts := map[int64]int{}
		b.pass(3000, counts)
		small := strings.Replace(planID, "0f", "2f", 1)
		b.submit(small, stageOf{id: "small", items: 3})
		b.pass(1900, counts)
		if got := strings.Join(b.hxo("hxo.shard.claimed"), "\n"); !strings.Contains(got, small) {
			t.Errorf("rate %d: the small plan has not begun", rate)
		}
		b.pass(3100, counts)
		total, second := 0, 0
		for ms := int64(1); ms <= b.Elapsed; ms++ {
			total += counts[ms]
			second += counts[ms] - counts[ms-1000]
			if float64(second) > 1.05*float64(rate) {
				t.Fatalf("rate %d: %d events in the second that ends at %d ms", rate, second, ms)
			}
		}
		if mean := float64(total) * 1000 / float64(b.Elapsed); mean < 0.95*float64(rate) {
			t.Errorf("rate %d: the mean is %.0f", rate, mean)
		}
		b.inOrder()
	}
}

// TestLate: ticks that come late now and then are made up for, and small plans
// come in between, so that releases are of all sizes. No second holds more than
// the rate allows.
func TestLate(t *testing.T) {
	for _, rate := range []int{7, 10, 19, 20, 22, 39, 60, 100, 1000, 2500} {
		b := newBench(t, fmt.Sprintf("hxo.max_rate: %d", rate))
		counts, seen := map[int64]int{}, 0
		gather := func() {
			for _, s := range b.Steps[seen:] {
				for _, d := range s.Derived {
					if d.Lane == "hxo" {
						counts[b.Elapsed] += int(d.Lines)
					}
				}
			}
			seen = len(b.Steps)
		}
		b.Elapsed = 100
		b.submit(planID, stageOf{id: "big", items: 20 * rate})
		gather()
		for n := 0; b.Elapsed < 10_100; n++ {
			if n%40 == 20 {
				b.submit(fmt.Sprintf("%08x%s", n, planID[8:]), stageOf{id: "small", items: 1 + n%7})
				gather()
			}
			due, ok := b.M.Due()
			if !ok {
				t.Fatalf("rate %d: nothing is due although events wait", rate)
			}
			b.Elapsed = max(b.Elapsed, due) + []int64{4, 0, 0, 3, 0}[b.Elapsed%5]
			b.Tick()
			gather()
		}
		total, second := 0, 0
		for ms := int64(1); ms <= b.Elapsed; ms++ {
			total += counts[ms]
			if second += counts[ms] - counts[ms-1000]; float64(second) > 1.05*float64(rate) {
				t.Fatalf("rate %d: %d events in the second that ends at %d ms", rate, second, ms)
			}
		}
		if mean := float64(total) * 1000 / float64(b.Elapsed); mean < 0.95*float64(rate) {
			t.Errorf("rate %d: the mean is %.0f", rate, mean)
		}
	}
}

// TestWaiting: what waits is told as ranges.
func TestWaiting(t *testing.T) {
	b := newBench(t, "hxo.max_rate: 100")
	b.submit(planID, stageOf{id: "one", items: 1000}, stageOf{id: "two", items: 50})
	b.Advance(1000)
	got := b.M.Waiting()
	if len(got) != 2 || got[0].StageID != "one" || got[0].To != 999 || got[0].Events != 1000-got[0].From || got[0].From < 80 || got[1].Events != 50 {
		t.Fatalf("%+v", got)
	}
	b.Advance(30_000)
	if got := b.M.Waiting(); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
}
