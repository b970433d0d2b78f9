// Package lanes says what is true about the lane files of a board: which there
// are, which of them grew, and which were truncated, replaced, renamed or
// deleted, so that every byte is read once and no lost byte goes unsaid.
//
// Events of the operating system are hints here; stat and read are the truth.
// A Set keeps a dirty set of paths (filled by one watch per directory, by
// sweeps, by Hint) and, when asked for Findings, settles each of them against
// what stands on disk. The reader, one goroutine, answers each Finding:
//
//	set, _ := lanes.New(layout, lanes.Options{Watch: true})
//	set.Restore(saved) // marks of the last snapshot
//	set.Start()        // watches stand, then everything that differs is dirty
//	for set.Wait(ctx, until) == nil {
//		for _, f := range set.Findings() {
//			switch f.Kind {
//			case lanes.Found:
//				t := set.Track(f, f.Lane, 1)
//				read(t) // t.ReadAt from t.Offset(), t.Intact(), then t.Advance
//			case lanes.Grown:
//				read(f.Tail)
//			…
//			}
//		}
//	}
//
// Words: a Tail is one tracked file and how far it was taken in; its Mark is
// what tells later whether the file is still the same (device, inode, birth
// time, size, ctime, and hashes of its first 4 KiB and of the last 4 KiB before
// the offset). Offsets are those of the segment; Base is where the segment
// begins in the file (0, but for late bytes behind a sealed segment).
//
// What a shell shows of the same: stat -c '%d %i %W %Z %s' FILE is the
// identity (device, inode, birth), ctime and size of a Mark, and with an offset
// of at least 4096 its hashes are
//
//	head -c 4096 FILE | sha256sum
//	head -c OFFSET FILE | tail -c 4096 | sha256sum
//
// All methods are for one goroutine, except Hint, Tail.ReadAt and
// Finding.ReadAt, which any may call.
//
// Known holes. A file that is born and deleted between two looks was never
// there; one that is rewritten in its middle alone, or with the same first and
// last 4 KiB, goes on as if appended to (stigmergy verify compares all). What
// was moved out of the board is followed only while it is held open. In a
// folder on a network file system other machines' changes are found by looking,
// and a lease does not bind them, so that nobody can tell who still writes.
package lanes
