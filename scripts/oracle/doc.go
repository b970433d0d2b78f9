// Package oracle judges a board after a fault. It reads nothing but plain
// files: JSON through encoding/json, archives through the zstd command, trees
// with an RFC 6962 of its own. It shares no line of code with the product, so
// that the two cannot be wrong together.
//
//	go run ./scripts/oracle/cmd/oracle check --quiet --truth truth/ board/
//	go run ./scripts/oracle/cmd/oracle hash board/        # I9: the tree before and after
//	go run ./scripts/oracle/cmd/oracle derived board/     # I10: what was derived, without positions
//
// A truth directory holds what the writers know, one file of lines for each
// writer, the lines' exact bytes:
//
//	truth/good/*.jsonl   acknowledged: on the board exactly as often as here, and not quarantined
//	truth/bad/*.jsonl    acknowledged: on the board exactly as often as here, and quarantined
//	truth/tried/*.jsonl  in flight when the writer died: on the board at most as often as here
//
// What it checks, by the names of the invariants: I1 nothing lost, I2 nothing
// duplicated, I3 nothing invented (against the truth), I4 every line accounted
// (valid + blank + quarantined = all), the journal's form, every root from the
// bytes it covers, every owned lane's bytes and ids, every seal.
package oracle

import (
	"fmt"
	"os"
	"strings"
)

// Options say what is known about the board beside its files.
type Options struct {
	// Quiet: the daemon has taken in everything and stands still, so every
	// whole line on disk must be journaled and every derived byte be there.
	Quiet bool
	// Truth is the directory of what the writers know; empty: not compared.
	Truth string
	// MaxLine is the board's max_line; 0 means its default, 1 MiB.
	MaxLine int64
	// Handlers are the names that derived ids may be made of; empty: only
	// uniqueness is checked.
	Handlers []string
}

// Finding is one broken promise and the exact place of it.
type Finding struct {
	Rule  string // I1 … I10, journal, root, owned, seal
	Where string // a position, an entry (seq 17), a path
	What  string // expected and found
}

func (f Finding) String() string { return f.Rule + " " + f.Where + ": " + f.What }

// Summary is what was counted.
type Summary struct {
	Entries, Lines, Blank, Quarantined, Recovered, Valid, Derived, Seals int64
	Truth                                                                int64 // lines compared with the writers' own
}

func (s Summary) String() string {
	return fmt.Sprintf("entries=%d lines=%d valid=%d blank=%d quarantined=%d recovered=%d derived=%d seals=%d truth=%d",
		s.Entries, s.Lines, s.Valid, s.Blank, s.Quarantined, s.Recovered, s.Derived, s.Seals, s.Truth)
}

// maxFindings ends a check that finds nothing but damage.
const maxFindings = 100

// Check reads the whole board. An error means that it could not be judged;
// findings mean that it was, and that it is wrong.
func Check(dir string, opt Options) ([]Finding, Summary, error) {
	if opt.MaxLine == 0 {
		opt.MaxLine = 1 << 20
	}
	c := &checker{dir: dir, opt: opt}
	c.init()
	id, err := os.ReadFile(dir + "/.stigmergy/board_id")
	if err != nil {
		return nil, c.sum, fmt.Errorf("judging %s: %w", dir, err)
	}
	c.boardID = strings.TrimSpace(string(id))
	for _, step := range []func() error{c.readTruth, c.readJournal, c.readOwned, c.readInputs, c.reconcile, c.compareTruth} {
		if err := step(); err != nil {
			return c.found, c.sum, fmt.Errorf("judging %s: %w", dir, err)
		}
	}
	return c.found, c.sum, nil
}

// checker is one run over one board.
type checker struct {
	dir     string
	opt     Options
	boardID string
	found   []Finding
	sum     Summary

	journal   journal
	truth     *truth
	records   map[string][]record            // quarantine records by position
	announced map[string]int                 // board.quarantined by position
	ids       map[string]string              // id of a derived event → where it stands
	causes    map[segmentID]map[int64]string // lines that are named as causes → by which event
	saved     map[string]bool                // positions of records saved out of mangled lines
	events    []derivedEvent
	seals     []seal
	archives  []archived
	elapsed   int64 // of the last entry read

	segmentFacts map[segmentID]facts
	adopted      map[string]bool // lane files that hold a segment of another name
}

func (c *checker) init() {
	c.records, c.announced = map[string][]record{}, map[string]int{}
	c.ids, c.saved = map[string]string{}, map[string]bool{}
	c.causes = map[segmentID]map[int64]string{}
	c.segmentFacts = map[segmentID]facts{}
	c.adopted = map[string]bool{}
}

// fail records a finding; past maxFindings nobody reads on.
func (c *checker) fail(rule, where, format string, args ...any) {
	if len(c.found) < maxFindings {
		c.found = append(c.found, Finding{rule, where, fmt.Sprintf(format, args...)})
	}
}
