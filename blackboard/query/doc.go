// Package query is the one engine that reads a board: query, grep, tail, wait,
// show, the dashboard and MCP all ask it. It only reads, with or without a
// running daemon, and everything may change under it.
//
// Events come in the board's total order: by the seq of the journal entry that
// took them in, then by line. What no entry names yet is pending: it comes last,
// by lane name and offset, and never moves a cursor.
//
//	e, err := query.Open(l, query.Options{})
//	w, err := query.ParseFilter("plan_id=7c9e6679-7425-40de-944b-e07fc1f90ae7")
//	res, err := e.Run(ctx, query.Request{Where: []query.Filter{w}}, func(h *query.Hit) error {
//		_, err := fmt.Printf("%s\n", h.Line)
//		return err
//	})
//
// The same, for a board without refused lines, by a shell (in another order):
//
//	zstd -dc archive/*/*.jsonl.zst | cat - *.jsonl | grep 7c9e6679-7425-40de-944b-e07fc1f90ae7
//
// A frame is opened only if its archive's index does not rule it out; it is
// searched as raw bytes before any JSON in it is parsed.
package query
