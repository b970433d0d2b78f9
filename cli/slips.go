package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// slip turns a parser's error into a fault that names the right flag, where
// the wrong one is what another tool would have taken.
func slip(args []string, err error) error {
	f := &Fault{Doing: "reading the command line", Err: err, Code: codeUsage, Try: "stigmergy --help"}
	command := ""
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if cmd := parse.Context.Selected(); cmd != nil {
			command = commandPath(cmd)
			f.Try = "stigmergy " + command + " --help"
		}
	}
	for _, s := range slips() {
		if (s.command == "" || s.command == command) && s.hit(args, err.Error()) {
			f.Err, f.Try = errors.New(s.say), s.try
			return f
		}
	}
	if head, _, long := strings.Cut(err.Error(), ", did you mean one of"); long {
		f.Err = errors.New(head) // a list of every letter helps nobody
	}
	return f
}

// commandPath is a command's words without the program's name.
func commandPath(n *kong.Node) string {
	path := n.Name
	for p := n.Parent; p != nil && p.Type == kong.CommandNode; p = p.Parent {
		path = p.Name + " " + path
	}
	return path
}

// slipRule is one thing people type who know another tool.
type slipRule struct {
	command string   // "": any
	typed   []string // one of these stands among the arguments
	prefix  bool     // typed are beginnings of an argument
	message string   // and the parser's message holds this
	say     string
	try     string
}

func (s slipRule) hit(args []string, message string) bool {
	if !strings.Contains(message, s.message) {
		return false
	}
	return slices.ContainsFunc(args, func(arg string) bool {
		return slices.ContainsFunc(s.typed, func(t string) bool {
			return arg == t || s.prefix && strings.HasPrefix(arg, t)
		})
	})
}

func slips() []slipRule {
	return []slipRule{
		{"grep", []string{"-r", "-R", "--recursive"}, false, "unknown flag", "grep reads the whole board; it needs no -r", "stigmergy grep PATTERN"},
		{"grep", []string{"-o", "--only-matching", "-on", "-oh"}, false, "", "-o is the output format; only the matching parts are --only", "stigmergy grep --only PATTERN"},
		{"grep", []string{"-n", "--line-number"}, false, "", "-n is a number of events; a line's place is its position, which -o text shows", "stigmergy grep -o text PATTERN"},
		{"grep", []string{"-w", "--word-regexp"}, false, "", "-w is a filter, path=value; whole words are \\b in the pattern", `stigmergy grep '\bWORD\b'`},
		{"grep", []string{"-E", "-P", "-G", "--extended-regexp", "--perl-regexp"}, false, "unknown flag", "patterns are RE2 regular expressions always; leave that flag out", "stigmergy grep PATTERN"},
		{"grep", []string{"-e", "--regexp"}, true, "unknown flag", "the pattern is the first argument; several are PATTERN1|PATTERN2", "stigmergy grep 'ONE|OTHER'"},
		{"grep", []string{"-L", "--files-without-match"}, false, "unknown flag", "there is no -L; lanes with a match are -l", "stigmergy grep -l PATTERN"},
		{"grep", []string{"-h", "-H", "-s", "-a"}, false, "unknown flag", "that flag of grep has no meaning here; leave it out", "stigmergy grep --help"},
		{"tail", []string{"-n+", "+"}, true, "number of events", "tail shows the last events; from the beginning on is query", "stigmergy query -n 10"},
		{"tail", []string{"-F", "--follow=name", "--retry"}, false, "unknown flag", "-f follows lanes across rotation; there is no -F", "stigmergy tail -f"},
		{"tail", []string{"-c"}, true, "unknown flag", "tail counts events, not bytes", "stigmergy tail -n 10"},
		{"query", []string{"-c"}, false, "unknown flag", "the number of matches is --count", "stigmergy query --count"},
		{"query", []string{"-f", "--follow"}, false, "unknown flag", "query ends; what follows is tail -f", "stigmergy tail -f"},
		{"query", []string{"-l"}, false, "unknown flag", "a lane is chosen by --lane", "stigmergy query --lane NAME"},
		{"", []string{"-c"}, false, "unknown flag", "the board is -C", "stigmergy -C DIR …"},
		{"", []string{"--since-time", "--from", "--after"}, false, "unknown flag", "the beginning of a time range is -S or --since", "stigmergy query -S 10m"},
		{"", []string{"--to", "--before"}, false, "unknown flag", "the end of a time range is -U or --until", "stigmergy query -U now"},
		{"", []string{"--format", "-O"}, true, "unknown flag", "the output format is -o", "stigmergy … -o json"},
		{"", []string{"--json"}, false, "unknown flag", "the output format is -o json", "stigmergy … -o json"},
		{"", []string{"--filter"}, true, "unknown flag", "a filter is -w path=value", "stigmergy query -w plan_id=…"},
		{"", []string{"--limit", "--max-count"}, true, "unknown flag", "a number of events is -n", "stigmergy query -n 10"},
	}
}
