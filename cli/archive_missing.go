package cli

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// missingArchives are the segments that were archived and whose archive is
// nowhere, though retention did not delete it.
func missingArchives(l layout.Layout, args []string, have []archive.Entry, seals map[string]*archive.Seal) ([]archive.Entry, error) {
	gone := map[string]bool{}
	for name := range seals {
		gone[name] = true
	}
	for _, e := range have {
		delete(gone, segmentName(e.Lane, e.Segment))
	}
	_, err := journal.Scan(l, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if e.Kind == journal.Note && e.Note == "pruned" {
			delete(gone, segmentName(e.Lane, e.Segment))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []archive.Entry
	for name := range gone {
		at := strings.LastIndexByte(name, '@')
		n, err := strconv.ParseUint(name[at+1:], 10, 64)
		if err != nil {
			continue
		}
		e := archive.Entry{Lane: name[:at], Segment: n, Path: l.Archive(name[:at], n)}
		if _, err := os.Lstat(l.Segment(e.Lane, n)); err != nil && (len(args) == 0 || archiveArg(&e, args)) {
			out = append(out, e) // not on its way into its archive either
		}
	}
	slices.SortFunc(out, func(a, b archive.Entry) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}
