// Package blackboard is the kernel: it takes every line of every lane in
// exactly once, journals it, drives the fold, and writes what the fold derives
// at the place that the journal fixed. It is the only package that writes lane
// files of the daemon.
//
// One event's way, one verb a file:
//
//	watch → read → journal → fold → publish → sync → rotate → seal → archive
//
// The order of durable steps, for one batch of one lane:
//
//  1. pwrite  journal        input entry (range, lines, root): from here on it is taken in
//  2. fold                   in memory
//  3. pwrite  journal        derived entries (range, lines, root), one an owned lane
//  4. pwrite  owned lanes    the bytes, at the offsets of 3
//
// A crash between any two is repaired by folding the entries again: the fold
// is deterministic, so bytes that are missing are made once more, compared
// with the root, and written at the same place.
package blackboard
