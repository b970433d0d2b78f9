// Package truth recomputes what a plan's certificate says, from nothing but
// the board's lines and the content-addressed store:
//
//	plan.resolved        which manifest the plan has, and which parts its splits made
//	hxo.shard.*          which shards stand, and which output each reported
//	.stigmergy/cas       the descriptions' hashes, and the outputs themselves
//	hxo.aggregate.*      what was claimed, sampled, certified
//
// The built-in Truth (Worker) does that while the daemon runs, `stigmergy verify
// --plan` does it later, on files alone. Neither asks the state machine that
// made the claim.
//
// A shard stands if the last of its events is hxo.shard.done. What was split
// or partitioned anew never gets there, and what is replayed is created again.
package truth
