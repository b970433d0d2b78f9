package cli_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"stigmergy/cli"
)

// The sessions in fixtures/script run the real program: this test binary is
// installed as stigmergy on their path.
func TestMain(m *testing.M) {
	// Most properties here run the whole program; -rapid.checks asks for more.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){
		"stigmergy": func() {
			os.Exit(cli.Main(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../fixtures/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TERM", "dumb")
			env.Setenv("STIGMERGY_LANE", "me")
			agents, err := filepath.Abs("../scripts/agents")
			env.Setenv("AGENTS", agents)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"eventually": eventually,
			"exit":       exitWith,
			"append":     appendFile,
			"mkfifo":     mkfifo,
		},
		Condition: func(cond string) (bool, error) {
			if name, ok := strings.CutPrefix(cond, "have:"); ok {
				_, err := exec.LookPath(name)
				return err == nil, nil
			}
			return cond == "root" && os.Getuid() == 0, nil
		},
	})
}

// run runs a command in the script's folder and environment.
func run(ts *testscript.TestScript, args []string) (stdout, stderr string, code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	path := args[0]
	if found, err := lookIn(ts.Getenv("PATH"), args[0]); err == nil {
		path = found
	}
	cmd := exec.CommandContext(ctx, path, args[1:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environ(ts)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		ts.Fatalf("%v: %v", args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func lookIn(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if p := filepath.Join(dir, name); !strings.Contains(name, "/") {
			if _, err := os.Stat(p); err == nil {
				return p, nil
			}
		}
	}
	return "", os.ErrNotExist
}

// environ is what a script's programs see.
func environ(ts *testscript.TestScript) []string {
	var out []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK", "TERM", "STIGMERGY_LANE", "STIGMERGY_BOARD"} {
		if v := ts.Getenv(name); v != "" {
			out = append(out, name+"="+v)
		}
	}
	return out
}

// eventually repeats a command until it succeeds: eventually exec CMD ARGS…,
// or until its output holds a text: eventually 'TEXT' exec CMD ARGS….
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	want := ""
	if len(args) > 1 && args[0] != "exec" {
		want, args = args[0], args[1:]
	}
	if neg || len(args) < 2 || args[0] != "exec" {
		ts.Fatalf("usage: eventually [TEXT] exec COMMAND…")
	}
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		stdout, stderr, code := run(ts, args[1:])
		if want == "" && code == 0 || want != "" && strings.Contains(stdout+stderr, want) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%v did not come to %q in time: exit %d\n%s%s", args[1:], want, code, stdout, stderr)
		}
	}
}

// exitWith runs a command and compares its status: exit 65 stigmergy post ….
// Its output is for the lines that follow: stdout and stderr are files.
func exitWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit STATUS COMMAND…")
	}
	stdout, stderr, code := run(ts, args[1:])
	for name, text := range map[string]string{"out": stdout, "err": stderr} {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
	ts.Logf("%s%s", stdout, stderr)
	if want := args[0]; want != itoa(code) {
		ts.Fatalf("exit %d, want %s", code, want)
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// appendFile appends texts to a file as they stand, with \n for a newline:
// what a writer with a mere >> does.
func appendFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: append FILE TEXT…")
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	ts.Check(err)
	text := strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\xff`, "\xff", `\xc2\x9b`, "\u009b", `\0`, "\x00", `\e`, "\x1b", `\ufeff`, "\ufeff", `\\`, `\`).Replace(strings.Join(args[1:], ""))
	_, err = f.WriteString(text)
	ts.Check(err)
	ts.Check(f.Close())
}

func mkfifo(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		ts.Check(exec.Command("mkfifo", ts.MkAbs(name)).Run())
	}
}
