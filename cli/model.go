package cli

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

const description = `A blackboard of append-only JSON Lines files: agents append events, a daemon journals, checks and answers them, everyone reads them back.

Exit status: 0 found, done; 1 nothing matched, or a check that says no; 2 wrong use, or something could not be read; 3 nothing matched, and the history has recorded holes; 65 refused by contract; 70 internal fault; 74 the disk failed; 75 no daemon, or busy: try later; 77 refused by policy; 124 timed out; 130, 143 stopped by a signal.

Environment: STIGMERGY_BOARD names the board, STIGMERGY_LANE the lane of post; STIGMERGY_ with a setting's name (segment.max_bytes: STIGMERGY_SEGMENT_MAX_BYTES) sets it; NO_COLOR.`

// commandLine is the flags that every command has. With the commands below it
// is the whole command line: help, completion and the man page come from it.
type commandLine struct {
	Board   string `short:"C" placeholder:"DIR" type:"path" help:"The board: a directory, or one that holds board/. Without it $$STIGMERGY_BOARD, else the nearest one upwards from here."`
	Output  string `short:"o" placeholder:"FORMAT" enum:",text,jsonl,json,table,csv,tsv,raw,id" default:"" help:"text, jsonl, json, table, csv, tsv, raw (data only) or id. Without it text on a terminal, jsonl (the stored bytes) in a pipe."`
	Color   string `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours: auto, always or never."`
	NoPager bool   `help:"Accepted for scripts; nothing is ever paged."`
}

// command is one command of the program.
type command struct {
	name, group, help string
	cmd               any
}

// commands are all of them, in the order in which help shows them.
func commands() []command {
	return []command{
		{"init", "board", "Make a board: the directory, its settings file, and a word to agents in AGENTS.md.", new(initCmd)},
		{"up", "board", "Run the board's daemon in the foreground.", new(upCmd)},
		{"down", "board", "End the daemon in good order, and wait for that.", new(downCmd)},
		{"status", "board", "One look at the board: daemon, lanes, archives, settings.", new(statusCmd)},
		{"top", "board", "A live view of the board that fills the terminal; in a pipe one look.", new(topCmd)},
		{"doctor", "board", "Findings OK, WARN and FAIL, each with the command that repairs it.", new(doctorCmd)},

		{"post", "write", "Append one event to a lane, after checking it against its contract.", new(postCmd)},

		{"plan", "plans", "Plans, their shards and outputs.", new(planCmd)},
		{"executor", "plans", "Claim shards, run them, report, in a loop.", new(executorCmd)},

		{"tail", "read", "The last events, and with -f the live ones.", new(tailCmd)},
		{"wait", "read", "Block until an event comes, print it, end.", new(waitCmd)},
		{"query", "read", "Select and aggregate over live, rotated and archived events.", new(queryCmd)},
		{"grep", "read", "Search the stored lines by expression or text.", new(grepCmd)},
		{"show", "read", "One event with its journal entry, cause and effects.", new(showCmd)},
		{"explain", "read", "Why a line was refused, why a shard ran again.", new(explainCmd)},

		{"topics", "contracts", "The event matrix: every topic, who writes and who reads it.", new(topicsCmd)},
		{"contracts", "contracts", "Show, check and compare contracts.", new(contractsCmd)},
		{"quarantine", "contracts", "Refused lines, and once more after a contract was mended.", new(quarantineCmd)},

		{"certify", "proof", "The keys and checkpoints of the board's history.", new(certifyCmd)},
		{"prove", "proof", "A stand-alone proof that a line was taken in.", new(proveCmd)},
		{"verify", "proof", "Verify the board, a proof or a checkpoint from the bytes alone.", new(verifyCmd)},

		{"archive", "storage", "Archived segments.", new(archiveCmd)},
		{"rotate", "storage", "End a lane's active segment.", new(rotateCmd)},
		{"compact", "storage", "Archive what is rotated, and wait for that.", new(compactCmd)},
		{"reindex", "storage", "Make the indexes of archives anew.", new(reindexCmd)},
		{"cas", "storage", "The content-addressed store.", new(casCmd)},
		{"replay", "storage", "Fold the whole history afresh and compare every owned lane byte for byte.", new(replayCmd)},

		{"gitops", "gitops", "Commit a working tree in batches, with evidence.", new(gitopsCmd)},
		{"exemplar", "runs", "Operational runs that are remembered: take in, list, add up.", new(exemplarCmd)},
		{"ssot", "runs", "Find remembered runs by words.", new(ssotCmd)},

		{"completion", "program", "Print the completion script of a shell.", new(completionCmd)},
		{"man", "program", "Print the manual page.", new(manCmd)},
		{"version", "program", "Print the version.", new(versionCmd)},
	}
}

// options are the commands for the parser: one alone where the command line
// names it, for building the whole model takes longer than most commands.
func options(only string) []kong.Option {
	var out []kong.Option
	for _, c := range commands() {
		if only == "" || c.name == only {
			out = append(out, kong.DynamicCommand(c.name, c.help, c.group, c.cmd))
		}
	}
	return out
}

// named is the command that a command line names, if that is certain.
func named(args []string) string {
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case slices.Contains([]string{"-C", "--board", "-o", "--output", "--color"}, arg):
			i++
		case !strings.HasPrefix(arg, "-"):
			if slices.ContainsFunc(commands(), func(c command) bool { return c.name == arg }) {
				return arg
			}
			return ""
		}
	}
	return ""
}

func commandGroups() []kong.Group {
	return []kong.Group{
		{Key: "board", Title: "The board and its daemon:"},
		{Key: "write", Title: "Writing:"},
		{Key: "plans", Title: "Plans:"},
		{Key: "read", Title: "Reading:"},
		{Key: "contracts", Title: "Contracts:"},
		{Key: "proof", Title: "Proof:"},
		{Key: "storage", Title: "Storage:"},
		{Key: "gitops", Title: "Git:"},
		{Key: "runs", Title: "Runs:"},
		{Key: "program", Title: "The program:"},
	}
}

// apply lets the global flags take effect before the command runs.
func (c *commandLine) apply(a *app) error { return nil }
