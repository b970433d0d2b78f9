package cli

import (
	"github.com/alecthomas/kong"
)

const description = `A blackboard of append-only JSON Lines files: agents append events, a daemon journals, checks and answers them, everyone reads them back.

Exit status: 0 found, done; 1 nothing matched, or a check that says no; 2 wrong use, or something could not be read; 3 nothing matched, and the history has recorded holes; 65 refused by contract; 70 internal fault; 74 the disk failed; 75 no daemon, or busy: try later; 77 refused by policy; 124 timed out; 130, 143 stopped by a signal.

Environment: STIGMERGY_BOARD names the board, STIGMERGY_LANE the lane of post; STIGMERGY_ with a setting's name (segment.max_bytes: STIGMERGY_SEGMENT_MAX_BYTES) sets it; NO_COLOR.`

// commandLine is the whole command line: help, completion and the man page
// come from it.
type commandLine struct {
	Board   string `short:"C" placeholder:"DIR" type:"path" help:"The board: a directory. Without it $$STIGMERGY_BOARD, else the nearest one upwards from here."`
	Output  string `short:"o" placeholder:"FORMAT" enum:",text,jsonl,json,table,csv,tsv,raw,id" default:"" help:"text, jsonl, json, table, csv, tsv, raw (data only) or id. Without it text on a terminal, jsonl (the stored bytes) in a pipe."`
	Color   string `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours: auto, always or never."`
	NoPager bool   `help:"Accepted for scripts; nothing is ever paged."`

	Init   initCmd   `cmd:"" group:"board" help:"Make a board: the directory, its settings file, and a word to agents in AGENTS.md."`
	Up     upCmd     `cmd:"" group:"board" help:"Run the board's daemon in the foreground."`
	Down   downCmd   `cmd:"" group:"board" help:"End the daemon in good order, and wait for that."`
	Status statusCmd `cmd:"" group:"board" help:"One look at the board: daemon, lanes, archives, settings."`
	Doctor doctorCmd `cmd:"" group:"board" help:"Findings OK, WARN and FAIL, each with the command that repairs it."`

	Post postCmd `cmd:"" group:"write" help:"Append one event to a lane, after checking it against its contract."`

	Tail    tailCmd    `cmd:"" group:"read" help:"The last events, and with -f the live ones."`
	Wait    waitCmd    `cmd:"" group:"read" help:"Block until an event comes, print it, end."`
	Query   queryCmd   `cmd:"" group:"read" help:"Select and aggregate over live, rotated and archived events."`
	Grep    grepCmd    `cmd:"" group:"read" help:"Search the stored lines by expression or text."`
	Show    showCmd    `cmd:"" group:"read" help:"One event with its journal entry, cause and effects."`
	Explain explainCmd `cmd:"" group:"read" help:"Why a line was refused."`

	Topics     topicsCmd     `cmd:"" group:"contracts" help:"The event matrix: every topic, who writes and who reads it."`
	Contracts  contractsCmd  `cmd:"" group:"contracts" help:"Show, check and compare contracts."`
	Quarantine quarantineCmd `cmd:"" group:"contracts" help:"Refused lines, and once more after a contract was mended."`

	Archive archiveCmd `cmd:"" group:"storage" help:"Archived segments."`
	Rotate  rotateCmd  `cmd:"" group:"storage" help:"End a lane's active segment."`
	Compact compactCmd `cmd:"" group:"storage" help:"Archive what is rotated, and wait for that."`
	Reindex reindexCmd `cmd:"" group:"storage" help:"Make the indexes of archives anew."`
	CAS     casCmd     `cmd:"" name:"cas" group:"storage" help:"The content-addressed store."`
	Replay  replayCmd  `cmd:"" group:"storage" help:"Fold the whole history afresh and compare every owned lane byte for byte."`

	Completion completionCmd `cmd:"" group:"program" help:"Print the completion script of a shell."`
	Man        manCmd        `cmd:"" group:"program" help:"Print the manual page."`
	Version    versionCmd    `cmd:"" group:"program" help:"Print the version."`
}

func commandGroups() []kong.Group {
	return []kong.Group{
		{Key: "board", Title: "The board and its daemon:"},
		{Key: "write", Title: "Writing:"},
		{Key: "read", Title: "Reading:"},
		{Key: "contracts", Title: "Contracts:"},
		{Key: "storage", Title: "Storage:"},
		{Key: "program", Title: "The program:"},
	}
}

// apply lets the global flags take effect before the command runs.
func (c *commandLine) apply(a *app) error { return nil }
