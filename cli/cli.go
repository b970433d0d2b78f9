// Package cli is the command line: one kong model, one file a command.
//
// Data goes to standard output, everything else to standard error; what a
// command found is also its exit status (see exit.go). main calls
//
//	os.Exit(cli.Main(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// app is one run of the program: its surroundings and the global flags.
type app struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	environ []string
	args    []string // the command line
	in      *os.File
	out     *output
	err     *os.File
	errMu   sync.Mutex // guards writes to err
	now     func() time.Time
	parser  *kong.Kong
	line    *commandLine
	warned  sync.Once   // of wrong settings
	drains  atomic.Bool // a daemon of ours is up: it ends in its own time
}

// Main runs one command line and returns the exit status.
func Main(args, environ []string, in, out, errw *os.File) (status int) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	a := &app{
		ctx: ctx, cancel: cancel, environ: environ, args: args, now: time.Now,
		in: in, out: newOutput(out), err: errw, line: &commandLine{},
	}
	defer func() {
		if p := recover(); p != nil {
			a.out.flush()
			fmt.Fprintf(errw, "%s\n", debug.Stack())
			status = a.report(&Fault{Doing: "running " + strings.Join(args, " "), Err: fmt.Errorf("%v", p), Code: codeInternal,
				Try: "this is a fault of the program; please report it with the lines above"}, wantsJSON(args))
		}
	}()
	err := a.run(args)
	if ferr := a.out.flush(); err == nil {
		err = ferr
	}
	return a.report(err, wantsJSON(args))
}

// run parses the command line and runs its command.
func (a *app) run(args []string) error {
	if len(args) > 0 {
		args = asFlags(args)
	}
	var err error
	if a.parser, err = newParser(a, named(args)); err != nil {
		return fmt.Errorf("building the command line: %w", err)
	}
	if len(args) == 0 {
		return a.overview()
	}
	command, err := a.parse(args)
	if err != nil || command == nil {
		return err
	}
	if err := a.line.apply(a); err != nil {
		return err
	}
	stop := a.catchSignals()
	defer stop()
	err = command.Run(a)
	if errors.Is(err, context.Canceled) {
		return a.stopped(err)
	}
	return advised(err, command)
}

// advised names what to try next where a fault does not.
func advised(err error, command *kong.Context) error {
	var q *quietError
	var path *fs.PathError
	code := exitCode(err)
	if code == codeOK || errors.As(err, &q) {
		return err
	}
	f := asFault(err)
	switch {
	case f.Try != "":
	case errors.As(err, &path) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)):
		f.Try = "make room: df -h " + shellQuote(filepath.Dir(path.Path))
	case errors.As(err, &path):
		f.Try = "ls -ld " + shellQuote(path.Path)
	case code == codeUsage, code == codeRefused:
		f.Try = "stigmergy " + commandPath(command.Selected()) + " --help"
	case code == codeBusy, code == codeTimeout:
		f.Try = "stigmergy status"
	}
	return f
}

// asFlags takes what other programs take too: help [COMMAND] and --version.
func asFlags(args []string) []string {
	switch args[0] {
	case "help":
		return append(args[1:len(args):len(args)], "--help")
	case "--version", "-V":
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

// helpShown is what stops the parser once the help is printed.
type helpShown struct{}

// parse is nil, nil when help was all that was asked for.
func (a *app) parse(args []string) (command *kong.Context, err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(helpShown); !ok {
				panic(p)
			}
			command, err = nil, nil
		}
	}()
	command, err = a.parser.Parse(args)
	if err == nil {
		return command, nil
	}
	if sorted, ok := flagsFirst(args, err); ok {
		if command, again := a.parser.Parse(sorted); again == nil {
			return command, nil
		}
	}
	return nil, slip(args, err)
}

// newParser makes the parser of one command, or of all for "".
func newParser(a *app, only string) (*kong.Kong, error) {
	return kong.New(a.line, append(options(only),
		kong.Name("stigmergy"),
		kong.Description(description),
		kong.Exit(func(int) { panic(helpShown{}) }),
		kong.Writers(a.out, a.err),
		kong.Bind(a),
		kong.WithHyphenPrefixedParameters(true),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.ExplicitGroups(commandGroups()),
	)...)
}

// overview answers an empty command line: the help, as an error of use.
func (a *app) overview() (err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(helpShown); !ok {
				panic(p)
			}
			err = exitWith(codeUsage)
		}
	}()
	a.parser.Stdout = a.err
	_, _ = a.parser.Parse([]string{"--help"}) // ends by helpShown
	return nil
}

// getenv is the last value of a variable, as os.Getenv would give it.
func (a *app) getenv(name string) string {
	for i := len(a.environ) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(a.environ[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// note tells people something beside the data.
func (a *app) note(format string, args ...any) {
	a.errMu.Lock()
	defer a.errMu.Unlock()
	text := visible(fmt.Sprintf(format, args...))
	_, _ = io.WriteString(a.err, text+"\n") // nowhere to tell that telling failed
}

// report tells the error on standard error and returns the exit status.
func (a *app) report(err error, asJSON bool) int {
	code := exitCode(err)
	var q *quietError
	if err == nil || code == 0 || errors.As(err, &q) {
		return code
	}
	a.tell(asFault(err), code, asJSON)
	return code
}

// tell writes a fault to standard error.
func (a *app) tell(f *Fault, code int, asJSON bool) {
	if asJSON {
		a.errMu.Lock()
		defer a.errMu.Unlock()
		_, _ = a.err.Write(append(f.json(code), '\n')) // nowhere to tell that telling failed
		return
	}
	a.note("stigmergy: %s", f.Error())
	if f.Try != "" {
		a.note("  try: %s", f.Try)
	}
}

// wantsJSON looks for -o json before, or without, a parsed command line.
func wantsJSON(args []string) bool {
	want := false
	for i, arg := range args {
		switch {
		case arg == "--":
			return want
		case arg == "-o" || arg == "--output":
			want = i+1 < len(args) && args[i+1] == "json"
		case strings.HasPrefix(arg, "--output="):
			want = arg == "--output=json"
		case strings.HasPrefix(arg, "-o") && !strings.HasPrefix(arg, "--"):
			want = arg == "-ojson" || arg == "-o=json"
		}
	}
	return want
}
