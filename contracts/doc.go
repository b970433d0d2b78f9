// Package contracts is what two programs must agree on to share a board: the
// event line, topics and their patterns, positions, the contracts of the topics,
// and who may ask for what. It opens no file, reads no clock and no environment.
//
// An event is one line: a CloudEvents 1.0 object in JSON, of which only type is
// required. So this is one,
//
//	echo '{"type":"build.done","data":{"ok":true}}' >> board/ci.jsonl
//
// and a Checker takes it in, or says what is wrong with it:
//
//	check := contracts.Checker{Registry: contracts.Builtin(), MaxLine: 1 << 20}
//	var ev contracts.Event
//	if why := check.Check(line, &ev); why != nil {
//		fmt.Println(why) // not_json: expected a key in double quotes, got } at byte 14 …
//	}
//
// Every line goes through Scan once: one pass that never recurses, does not
// allocate, and is all that stands between untrusted bytes and the code above,
// which reads accepted lines only. It takes what encoding/json takes (RFC 8259)
// as long as that is one object in valid UTF-8, at most MaxDepth deep, without a
// key standing twice in the object itself. Every record that the board writes is
// made by Build.
//
// A line has a Position for ever, LANE@SEGMENT:OFFSET. From the position of a line in
// an archived segment the shell finds the same bytes:
//
//	zstd -dc board/archive/agents/7/00000003.jsonl.zst | tail -c +$((10482+1)) | head -n 1
package contracts
