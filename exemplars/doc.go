// Package exemplars remembers operational runs: it builds their packets (see
// contracts/exemplar), hashes and checks what they name, and keeps a store in
// which they are found again.
//
//	packet, id, err := exemplars.Packet{Scope: "gitops_run__gen88-v4", …}.Build()
//	s, err := exemplars.Open(".stigmergy/exemplars.db", boardID)
//	res, err := s.Ingest(ctx, root, exemplars.Event{Position: "gitops@1:0", Packet: packet}, now)
//	hits, err := s.Search(ctx, exemplars.Query{Words: "gitops_run", Limit: 1})
//
// # The store
//
// One SQLite file, and a cache: everything in it stands on the board, and
// Rebuild makes the same rows again. Its tables are
//
//	exemplars   a row each, newest first by n (milliseconds of ts, shifted)
//	packets     the packet, in canonical form
//	words       full text (FTS5, no copy of it): heading, and the other strings
//	gate_day, churn_day, outcome_day   sums, by day and scope
//	meta        board_id, cursor (how far along the board it is)
//
//	sqlite3 board/.stigmergy/exemplars.db 'select ts, scope, outcome from exemplars order by n desc limit 5'
//
// # Ingested once
//
// One transaction puts in the row, its words and sums, and the name of its
// receipt. The receipt is written after it, with bytes that follow from the
// row; only then is anybody told. Done again, whenever it was cut short, each
// step finds what it would do and leaves it. The transaction holds SQLite's
// write lock, which is the store's lock among processes.
package exemplars
