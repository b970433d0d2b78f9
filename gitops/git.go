package gitops

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// git drives the real git. Every call is one process with an argv, no shell;
// the repository's hooks and its fsmonitor program are switched off unless the
// person opted in, remotes that are programs (ext::) always, and of the GIT_*
// environment only who commits and how git is set up is passed on.
type git struct {
	top     string // where it runs
	environ []string
	hooks   bool
	log     *runLog
	lock    *os.File // held by what changes references, should we be killed
}

// GitError is a git that did not end with 0.
type GitError struct {
	Args []string
	Code int
	Said string
}

func (e *GitError) Error() string {
	said := printable(strings.ReplaceAll(strings.TrimSpace(e.Said), "\n", "; "))
	if len(said) > 2000 {
		said = strings.ToValidUTF8(said[:2000], "") + "…"
	}
	if said == "" {
		said = fmt.Sprintf("exit status %d", e.Code)
	}
	return "git " + subcommand(e.Args) + ": " + said
}

// subcommand is the word behind git's own options.
func subcommand(args []string) string {
	for len(args) > 2 && strings.HasPrefix(args[0], "-") {
		if args[0] == "-c" {
			args = args[1:]
		}
		args = args[1:]
	}
	return args[0]
}

// call is one git to run.
type call struct {
	args    []string
	in      []byte
	said    []string // what it is told on standard input, for the log to show
	index   string   // another index file than the repository's
	environ []string // beside the usual
	quiet   bool     // not part of the recipe: it only looks
	locked  bool     // it keeps the run's lock while it lives
	tty     bool     // it may ask the person
	ctx     context.Context
}

// passed are the variables that git still sees.
func passed() []string {
	return []string{
		"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE",
		"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CEILING_DIRECTORIES",
		"GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS",
	}
}

// scrub is the environment without what would lead git elsewhere.
func scrub(environ []string) []string {
	var out []string
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		keep := !strings.HasPrefix(name, "GIT_") && name != "LC_ALL" && name != "LANGUAGE"
		for _, p := range passed() {
			keep = keep || name == p
		}
		if keep {
			out = append(out, e)
		}
	}
	return append(out, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1", "GIT_FLUSH=0")
}

// guards are the settings that every call is given.
func (g *git) guards() []string {
	args := []string{"-c", "protocol.ext.allow=never", "-c", "core.quotePath=false", "-c", "advice.addIgnoredFile=false"}
	if !g.hooks {
		args = append(args, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
	}
	return args
}

// command is a git that is yet to be started.
func (g *git) command(c call) *exec.Cmd {
	ctx := c.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	cmd := exec.CommandContext(ctx, "git", append(g.guards(), c.args...)...)
	cmd.Dir = g.top
	cmd.Env = append(g.environ[:len(g.environ):len(g.environ)], c.environ...)
	if c.index != "" {
		cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+c.index)
	}
	// A Ctrl-C goes to whoever stands in the terminal's group. git is not told:
	// it ends what it began, and the run looks at the signal in between.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !c.tty}
	cmd.Cancel = func() error { return syscall.Kill(cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if c.locked && g.lock != nil {
		cmd.ExtraFiles = []*os.File{g.lock}
	}
	return cmd
}

// fault is how a git's end is told.
func (c call) fault(err error, said []byte) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &GitError{Args: c.args, Code: exit.ExitCode(), Said: string(said)}
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("running git: %w (install git, or put it on PATH)", err)
	}
	return fmt.Errorf("running git %s: %w", subcommand(c.args), err)
}

// run runs one git and gives what it printed.
func (g *git) run(c call) ([]byte, error) {
	cmd := g.command(c)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(c.in), &out, &said
	begun := time.Now()
	err := c.fault(cmd.Run(), said.Bytes())
	g.log.command(c, out.Bytes(), said.Bytes(), err, time.Since(begun))
	return out.Bytes(), err
}

// talk runs one git that answers line by line: fn asks it, with words that a
// NUL ends, and is given an error where the answer is another than expected.
func (g *git) talk(c call, fn func(ask func(words []string, answer string) error) error) error {
	cmd := g.command(c)
	var heard, said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return c.fault(err, nil)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return c.fault(err, nil)
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return c.fault(err, nil)
	}
	lines := bufio.NewReader(out)
	err = fn(func(words []string, answer string) error {
		if _, err := in.Write(nul(words)); err != nil {
			return fmt.Errorf("telling git %s: %w", c.args[0], err)
		}
		line, err := lines.ReadString('\n')
		heard.WriteString(line)
		if err != nil || line != answer+"\n" {
			return fmt.Errorf("asking git %s: expected %q, found %q", c.args[0], answer, line)
		}
		return nil
	})
	_ = in.Close() // git ends, or has ended
	if ended := c.fault(cmd.Wait(), said.Bytes()); ended != nil {
		err = ended // it says why it gave no answer
	}
	g.log.command(c, heard.Bytes(), said.Bytes(), err, time.Since(begun))
	return err
}

// line is what git printed, without the newline at its end.
func (g *git) line(args ...string) (string, error) {
	out, err := g.run(call{args: args, quiet: true})
	return strings.TrimSuffix(string(out), "\n"), err
}

// meanwhile asks git, and gives the answer when it is asked for.
func (g *git) meanwhile(args ...string) func() (string, error) {
	answer := sync.OnceValues(func() (string, error) { return g.line(args...) })
	go answer()
	return answer
}

// says tells whether a question that git answers by its exit status has the
// answer 0; any other status than 0 and 1 is an error.
func (g *git) says(args ...string) (bool, error) {
	_, err := g.run(call{args: args, quiet: true})
	var ge *GitError
	if errors.As(err, &ge) && ge.Code == 1 {
		return false, nil
	}
	return err == nil, err
}

// fields cuts output that was asked for with -z.
func fields(out []byte) []string {
	s := strings.TrimSuffix(string(out), "\x00")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\x00")
}

// nul joins for -z.
func nul(list []string) []byte {
	var b bytes.Buffer
	for _, s := range list {
		b.WriteString(s)
		b.WriteByte(0)
	}
	return b.Bytes()
}
