package exemplars_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"stigmergy/exemplars"
)

// TestSeats: rows of one millisecond stand in the order in which they were
// ingested, in whichever order they are put back, and their words are found.
func TestSeats(t *testing.T) {
	p := newPlace(t)
	const many = 7
	packets := make([][]byte, many)
	for i := range packets {
		packets[i] = build(t, run(0, func(e *exemplars.Packet) {
			e.RunID, e.Keywords = fmt.Sprintf("run_%d", i), []string{fmt.Sprintf("only%d", i)}
		}))
	}
	put := func(order []int) {
		t.Helper()
		err := p.s.Restore(context.Background(), true, func(_ map[string]exemplars.Receipt, put func(exemplars.Restored) error) (string, error) {
			for _, i := range order {
				pos := fmt.Sprintf("ci@1:%d", i)
				at := noon.Add(time.Duration(i) * 50 * time.Millisecond).Format(time.RFC3339Nano)
				if err := put(exemplars.Restored{Event: exemplars.Event{Position: pos, Source: "ci", ID: pos, Packet: packets[i]}, ReceiptPath: fmt.Sprint("r", i), Ingested: at}); err != nil {
					return "", err
				}
			}
			return "start", nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	runs := func(q exemplars.Query) (out []string) {
		t.Helper()
		found, err := p.s.Search(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			out = append(out, e.RunID)
		}
		return out
	}
	put([]int{0, 1, 2, 3, 4, 5, 6})
	want := runs(exemplars.Query{})
	if want[0] != "run_6" || len(want) != many {
		t.Fatalf("newest first: %v", want)
	}
	for _, order := range [][]int{{6, 5, 4, 3, 2, 1, 0}, {3, 6, 0, 5, 1, 4, 2}} {
		put(order)
		if got := runs(exemplars.Query{}); !slices.Equal(got, want) {
			t.Errorf("put back as %v: %v, want %v", order, got, want)
		}
		for i := range many {
			if got := runs(exemplars.Query{Words: fmt.Sprintf("only%d", i)}); len(got) != 1 || got[0] != fmt.Sprintf("run_%d", i) {
				t.Errorf("put back as %v: only%d is found in %v", order, i, got)
			}
		}
		if got := runs(exemplars.Query{Words: "gitops_run"}); !slices.Equal(got, want) {
			t.Errorf("put back as %v: words find %v, want %v", order, got, want)
		}
	}
}
