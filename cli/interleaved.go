package cli

import (
	"errors"
	"strings"

	"github.com/alecthomas/kong"
)

// flagsFirst puts a command's flags before its arguments, where the parser
// stopped at an argument behind a flag: a list of topics may go on there.
func flagsFirst(args []string, err error) (sorted []string, ok bool) {
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context == nil || !strings.HasPrefix(err.Error(), "unexpected argument ") {
		return nil, false
	}
	cmd := parse.Context.Selected()
	if cmd == nil || len(cmd.Positional) == 0 || !cmd.Positional[len(cmd.Positional)-1].IsCumulative() {
		return nil, false
	}
	valued := map[string]bool{}
	for _, group := range cmd.AllFlags(false) {
		for _, f := range group {
			valued["--"+f.Name] = !f.IsBool() && !f.IsCounter()
			if f.Short != 0 {
				valued["-"+string(f.Short)] = valued["--"+f.Name]
			}
		}
	}
	var flags, rest []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			rest = append(rest, arg)
		default:
			flags = append(flags, arg)
			if takesNext(arg, valued) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	words := strings.Fields(commandPath(cmd))
	if len(rest) < len(words) {
		return nil, false
	}
	return append(append(append(words, flags...), "--"), rest[len(words):]...), true
}

// takesNext tells whether a flag's value is the argument after it. Of letters
// written together the last one may have one.
func takesNext(arg string, valued map[string]bool) bool {
	if strings.HasPrefix(arg, "--") {
		return valued[arg]
	}
	for i, letter := range arg[1:] {
		if valued["-"+string(letter)] {
			return 1+i+len(string(letter)) == len(arg)
		}
	}
	return false
}
