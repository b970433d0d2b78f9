package contracts_test

import (
	"fmt"

	"stigmergy/contracts"
)

func ExampleChecker() {
	check := contracts.Checker{Registry: contracts.Builtin(), MaxLine: 1 << 20}
	for _, line := range []string{
		`{"type":"build.done","data":{"ok":true}}`,
		`{"type":"build.done",}`,
		`{"type":"build.done"}{"type":"build.done"}`,
		`{"type":"build.done","time":"2026-01-26T00:00:00"}`,
	} {
		var ev contracts.Event
		if why := check.Check([]byte(line), &ev); why != nil {
			fmt.Println(why)
			continue
		}
		fmt.Println(ev.TopicName, ev.Get("ok").Text())
	}
	// Output:
	// build.done true
	// not_json: expected a key in double quotes, got } at byte 21, after `{"type":"build.done",` (a trailing comma: remove the comma before it)
	// not_json: expected nothing after the object, got { at byte 21, after `{"type":"build.done"}` (two records on one line: write one object a line, each ended by a newline)
	// bad_time at /time: expected an RFC 3339 time, as 2026-01-26T00:00:00Z, got "2026-01-26T00:00:00" (the time has no zone: end it with Z (UTC) or an offset as +02:00)
}

func ExampleBuild() {
	line := contracts.Build{
		ID: "0197a1c0-5f3e-7000-8000-000000000001", Source: "ci", Type: "build.done",
		Time: "2026-01-26T00:00:00Z", Data: []byte(`{"ok":true}`),
	}.Append(nil)
	fmt.Printf("%s\n", line)
	// Output:
	// {"specversion":"1.0","id":"0197a1c0-5f3e-7000-8000-000000000001","source":"ci","type":"build.done","time":"2026-01-26T00:00:00Z","data":{"ok":true}}
}

func ExampleParsePattern() {
	for _, s := range []string{"hxo.plan", "hxo.*", "hxo.plan.**", "**"} {
		p, err := contracts.ParsePattern(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(s, p.Match("hxo.plan"), p.Match("hxo.plan.submit"))
	}
	// Output:
	// hxo.plan true false
	// hxo.* true false
	// hxo.plan.** false true
	// ** true true
}

func ExampleRecover() {
	// A writer was killed in the middle of a record; the next one appended its own.
	line := []byte(`{"type":"build.started","data":{"n":1{"type":"build.done","data":{"ok":true}}`)
	if off, ok := contracts.Recover(line, &contracts.Checker{}); ok {
		fmt.Printf("%s\n", line[off:])
	}
	// Output:
	// {"type":"build.done","data":{"ok":true}}
}

func ExampleEvent_Get() {
	ev := contracts.Event{
		Line: []byte(`{"type":"gitops.batch","source":"ci","data":{"source":"repo","gates":[{"outcome":"passed"},{"outcome":"failed"}]}}`),
		Pos:  contracts.Position{Lane: "ci", Segment: 1, Offset: 0},
	}
	if why := contracts.Scan(ev.Line, &ev.Env); why != nil {
		fmt.Println(why)
	}
	fmt.Println(ev.Get("id").Text(), ev.Get("source").Text(), ev.Get("data.source").Text())
	path, _ := contracts.ParsePath("gates.outcome")
	ev.Each(path, func(v contracts.Value) bool {
		fmt.Println(v.Text())
		return true
	})
	// Output:
	// ci@1:0 ci repo
	// passed
	// failed
}
