// Package history is the journal as a transparency log: its leaves are the
// journal's own lines, without their newline, and the index of a leaf is its
// entry's seq. No second copy of anything is signed, so rotation, compaction
// and restarts change no tree.
//
//	.stigmergy/checkpoint      the newest signed checkpoint (C2SP tlog-checkpoint)
//	.stigmergy/head            the same over the checkpoint's own line, once it is quiet
//	.stigmergy/tiles/1/000.p/7 hashes, in the layout of C2SP tlog-tiles, from level 1 on
//	.stigmergy/keys/           private keys, 0600 in 0700
//	.stigmergy/verifiers       whose signatures count: one JSON object a line
//	.stigmergy/unsigned        why nothing is signed any more, until a person decides
//
// A tile of level L holds up to 256 hashes, each over 256^L leaves; level 0 is
// derived from the journal. The root over the whole journal, as a shell computes
// it while there is a single leaf:
//
//	(printf '\0'; head -n1 .stigmergy/journal/00000001.jsonl | tr -d '\n') | sha256sum
//
// The order of what is made durable for one checkpoint: the bytes of the lanes
// and the journal (the kernel's syncer says when), then tiles, then the signed
// note. A checkpoint therefore never names what a power cut can take.
package history
