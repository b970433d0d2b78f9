package archive_test

import (
	"bytes"
	"fmt"
	"strings"

	"stigmergy/blackboard/archive"
	"stigmergy/contracts"
)

// Example archives a small segment and asks it for one plan's events, the
// newest frame first.
func Example() {
	var segment strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&segment, "{\"type\":\"build.done\",\"data\":{\"plan_id\":\"plan-%d\",\"step\":%d}}\n", i/100, i)
	}
	reg := contracts.Builtin()
	checker := &contracts.Checker{Registry: reg, MaxLine: 1 << 20}
	src := archive.Source{
		Lane: "agents/7", Segment: 3,
		Runs:    []archive.Run{{Seq: 17, Lines: 600}, {Seq: 20, Lines: 400}},
		Extract: archive.NewExtractor(archive.Contracts{Registry: reg, Checker: checker}),
	}
	var file bytes.Buffer
	made, err := archive.Write(&file, strings.NewReader(segment.String()), src, archive.WriteOptions{FrameBytes: 4096})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(made.Events, "events in", made.Frames, "frames")

	r, err := archive.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	set := r.Select(archive.Want{Fields: []archive.Field{{Name: "plan_id", Value: "plan-6"}}})
	var chunk archive.Chunk
	var runs []archive.FrameRun
	found := 0
	for i := set.Prev(len(r.Frames()) - 1); i >= 0; i = set.Prev(i - 1) {
		if chunk, err = r.DecodeLines(i, chunk.Bytes); err != nil {
			fmt.Println(err)
			return
		}
		if runs, err = r.Runs(i, runs[:0]); err != nil {
			fmt.Println(err)
			return
		}
		found += bytes.Count(chunk.Bytes, []byte(`"plan-6"`))
		fmt.Println("frame", i, "has lines of entry", runs[0].Seq, "from its line", runs[0].LineNo)
	}
	fmt.Println(found, "events")
	// Output:
	// 1000 events in 15 frames
	// frame 10 has lines of entry 20 from its line 71
	// frame 9 has lines of entry 20 from its line 4
	// frame 8 has lines of entry 17 from its line 537
	// 100 events
}
