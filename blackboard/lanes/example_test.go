package lanes_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
)

// A reader that prints what it hears, cranked by hand.
func Example() {
	dir, _ := os.MkdirTemp("", "board")
	defer os.RemoveAll(dir)
	ci := filepath.Join(dir, "ci.jsonl")
	set, _ := lanes.New(layout.Layout{Dir: dir}, lanes.Options{})
	defer set.Close()
	_ = set.Start()

	read := func(t *lanes.Tail) {
		b := make([]byte, 4096)
		n, err := t.ReadAt(b, t.Offset())
		if err != io.EOF || !t.Intact() {
			return
		}
		fmt.Printf("  %s@%d:%d %q\n", t.Lane, t.Segment, t.Offset(), b[:n])
		t.Advance(t.Offset()+int64(n), b[:n])
	}
	segment := uint64(0)
	crank := func() {
		set.Sweep()
		for _, f := range set.Findings() {
			fmt.Println(f.Kind, f.Path)
			switch f.Kind {
			case lanes.Found, lanes.Truncated:
				segment++
				read(set.Track(f, f.Lane, segment))
			case lanes.Grown:
				read(f.Tail)
			}
		}
	}

	_ = os.WriteFile(ci, []byte("one\n"), 0o644)
	crank()
	_ = os.WriteFile(ci, []byte("one\ntwo\n"), 0o644)
	crank()
	_ = os.WriteFile(ci, []byte("else\n"), 0o644)
	crank()
	_ = os.Symlink("ci.jsonl", filepath.Join(dir, "link.jsonl"))
	crank()
	// Output:
	// found ci.jsonl
	//   ci@1:0 "one\n"
	// grown ci.jsonl
	//   ci@1:4 "two\n"
	// truncated ci.jsonl
	//   ci@2:0 "else\n"
	// not_a_lane link.jsonl
}
