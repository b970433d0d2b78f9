package exec

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/plan"
)

type bench struct {
	t    testing.TB
	r    *Runner
	root string
	cas  durable.CAS
}

func newBench(t testing.TB) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, root: filepath.Join(dir, "root"), cas: durable.CAS{Layout: layout.Layout{Dir: filepath.Join(dir, "board")}}}
	if err := os.MkdirAll(b.root, 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := New(b.cas, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	b.r = r
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		left, _ := filepath.Glob(filepath.Join(dir, "board", ".stigmergy", "run", "*"))
		temps, _ := filepath.Glob(filepath.Join(dir, "board", ".stigmergy", "cas", ".*"))
		if len(left)+len(temps) > 0 {
			t.Errorf("left behind: %v %v", left, temps)
		}
	})
	return b
}

func (b *bench) file(name, text string) plan.Input {
	b.t.Helper()
	path := filepath.Join(b.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return plan.Input{Name: name, SHA256: sum(text)}
}

func sum(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }

func (b *bench) task(argv ...string) *Task {
	return &Task{PlanID: "0f8fad5b-d9cb-469f-a165-70867728950e", StageID: "s", CASID: "00112233aabbccdd", Attempt: 1, Index: 7, Root: b.root, Job: plan.Job{Argv: argv}, Timeout: 20 * time.Second}
}

func (b *bench) run(t *Task) Result {
	b.t.Helper()
	res, err := b.r.Run(context.Background(), t)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

// gives runs a task that must succeed with an output.
func (b *bench) gives(t *Task, want string) {
	b.t.Helper()
	res := b.run(t)
	if !res.OK || res.Error != "" {
		b.t.Fatalf("%v failed: %s", t.Job.Argv, res.Error)
	}
	got, err := b.cas.Get(res.Digest)
	if err != nil || string(got) != want || res.Digest != sum(want) || res.Bytes != int64(len(want)) {
		b.t.Fatalf("%v gave %q (%+v), %v; want %q", t.Job.Argv, got, res, err, want)
	}
}

// fails runs a task that must fail with an error that holds every text.
func (b *bench) fails(t *Task, texts ...string) string {
	b.t.Helper()
	res := b.run(t)
	if res.OK || res.Digest != "" || res.Error == "" {
		b.t.Fatalf("%v: %+v, want a failure", t.Job.Argv, res)
	}
	for _, s := range texts {
		if !strings.Contains(res.Error, s) {
			b.t.Fatalf("%v failed with %q, which does not say %q", t.Job.Argv, res.Error, s)
		}
	}
	return res.Error
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPlaceholders(t *testing.T) {
	b := newBench(t)
	task := b.task("echo", "{plan_id}", "{stage_id}-{cas_id}", "{index}", "{item}", "{x} {} {{index}}", "{")
	item := plan.Item(`"a {cas_id} b"`)
	task.Inputs = []plan.Input{{Item: &item}}
	b.gives(task, "0f8fad5b-d9cb-469f-a165-70867728950e s-00112233aabbccdd 7 a {cas_id} b {x} {} {7} {\n")
	one := b.file("d/a b.txt", "one\n")
	two := b.file("-rf", "two\n")
	task = b.task("cat", "{inputs}")
	task.Inputs = []plan.Input{one, two}
	b.gives(task, "one\ntwo\n")
	task = b.task("cat", "{input}")
	task.Inputs = []plan.Input{one, two}
	b.fails(task, "{input} wants one input, found 2")
}

func TestStdinAndParts(t *testing.T) {
	b := newBench(t)
	in := b.file("lines", "a\nb\nc\nd\n")
	from, to := int64(2), int64(6)
	part := plan.Input{Name: "lines", SHA256: sum("b\nc\n"), From: &from, To: &to}
	for _, c := range []struct {
		argv   []string
		stdin  bool
		inputs []plan.Input
		want   string
	}{
		{[]string{"cat"}, true, []plan.Input{in}, "a\nb\nc\nd\n"},
		{[]string{"cat"}, true, []plan.Input{part}, "b\nc\n"},
		{[]string{"cat"}, true, []plan.Input{part, in}, "b\nc\na\nb\nc\nd\n"},
		{[]string{"cat", "{input}"}, false, []plan.Input{part}, "b\nc\n"},
		{[]string{"cat"}, false, []plan.Input{in}, ""},
		{[]string{"true"}, true, []plan.Input{part, in}, ""},
	} {
		task := b.task(c.argv...)
		task.Job.Stdin, task.Inputs = c.stdin, c.inputs
		b.gives(task, c.want)
	}
}

func TestOutputsOfShards(t *testing.T) {
	b := newBench(t)
	first := b.run(b.task("printf", "x y"))
	task := b.task("cat", "{input}")
	task.Inputs = []plan.Input{{Shard: sum("description")}}
	task.Outputs = func(description string) ([]string, bool) {
		return []string{first.Digest, first.Digest}, description == sum("description")
	}
	b.gives(task, "x yx y") // a shard that was split is still one input
	task.Job.Argv[1] = "{inputs}"
	b.gives(task, "x yx y")
	task.Job.Argv, task.Job.Stdin = []string{"wc", "-c"}, true
	b.gives(task, "6\n")
	task.Job.Argv, task.Job.Stdin = []string{"cat", "{inputs}"}, false
	task.Inputs[0].Shard = sum("another")
	b.fails(task, "is not known")
	task.Inputs[0].Shard = sum("description")
	path := b.cas.Layout.Blob(first.Digest)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("z"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.fails(task, "do not have its SHA-256", path)
}

func TestChangedInput(t *testing.T) {
	b := newBench(t)
	in := b.file("a", "old")
	b.file("a", "new")
	task := b.task("cat", "{input}")
	task.Inputs = []plan.Input{in}
	b.fails(task, "the input a changed since the plan was made", sum("old"), sum("new"))
	in = b.file("a", "old")
	task = b.task("sh", "-c", `cat "$1"; echo more >> "$1"`, "sh", "{input}")
	task.Inputs = []plan.Input{in}
	b.fails(task, "changed while the shard ran")
	if err := os.Remove(filepath.Join(b.root, "a")); err != nil {
		t.Fatal(err)
	}
	b.fails(task, "no such file")
}

func TestInputsStayBelowRoot(t *testing.T) {
	b := newBench(t)
	secret := filepath.Join(filepath.Dir(b.root), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret", filepath.Join(b.root, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "../secret", secret, "."} {
		task := b.task("cat", "{input}")
		task.Inputs = []plan.Input{{Name: name, SHA256: sum("s")}}
		b.fails(task, "the input "+name)
	}
}

func TestFailures(t *testing.T) {
	b := newBench(t)
	b.fails(b.task("sh", "-c", "echo out; echo why >&2; exit 3"), "exit status 3: why")
	b.fails(b.task("sh", "-c", "kill -SEGV $$"), "killed by signal: segmentation fault")
	b.fails(b.task("no-such-command"), `"no-such-command"`, "no such command in PATH=")
	b.fails(b.task("./script"), "no such file")
	b.file("script", "#!/no/such/interpreter\n")
	b.fails(b.task("./script"), "not an executable file")
	if err := os.Chmod(filepath.Join(b.root, "script"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.fails(b.task("./script"), "starting "+filepath.Join(b.root, "script"), "no such file")
	long := b.fails(b.task("sh", "-c", `i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; i=$((i+1)); done; printf '\033[31m\377' >&2; exit 1`), "line 1999", `\u001b[31m\xff`)
	if len(long) > tailBytes+200 || !strings.Contains(long, "…line") {
		t.Errorf("the end of standard error is %d bytes: %.60q…", len(long), long)
	}
}

func TestTimeout(t *testing.T) {
	b := newBench(t)
	task := b.task("sh", "-c", "sleep 300 & echo $! > "+b.root+"/pid; sleep 300")
	task.Timeout = 300 * time.Millisecond
	if got := b.fails(task); got != "timeout after 300ms" {
		t.Errorf("failed with %q", got)
	}
	b.gone()
}

// gone fails if the process lives whose number a shard left.
func (b *bench) gone() {
	b.t.Helper()
	pid, err := os.ReadFile(filepath.Join(b.root, "pid"))
	if err != nil {
		b.t.Fatal(err)
	}
	stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
	if err == nil && !strings.Contains(string(stat), ") Z ") {
		b.t.Errorf("still there: %s", stat)
	}
}

func TestAbort(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(context.Background())
	in := b.file("go", "")
	task := b.task("sh", "-c", "sleep 300 & echo $! > "+b.root+"/pid; echo > "+b.root+"/begun; wait")
	task.Inputs = []plan.Input{in}
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(b.root, "begun")); err == nil {
				cancel()
			}
			<-time.After(time.Millisecond)
		}
	}()
	if _, err := b.r.Run(ctx, task); err != context.Canceled {
		t.Errorf("an aborted shard came to %v", err)
	}
	b.gone()
}

func TestLeftovers(t *testing.T) {
	b := newBench(t)
	b.gives(b.task("sh", "-c", "sleep 300 & echo $! > "+b.root+"/pid; echo done"), "done\n")
	b.gone()
	b.gives(b.task("sh", "-c", "mkdir -p a/b; touch a/b/c; chmod 0 a; echo done"), "done\n")
}

func TestEscapedHolder(t *testing.T) {
	b := newBench(t)
	b.fails(b.task("sh", "-c", "setsid sh -c ': > here; exec sleep 5' & while [ ! -e here ]; do :; done; echo done"), "left its process group still holds its output")
}

func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET", "x")
	b := newBench(t)
	task := b.task("sh", "-c", `pwd | sed "s,^.*/run/[^/]*,,"; ls -A; test "$HOME" = "$PWD" && env | grep -v -E '^(PATH|HOME|TMPDIR|PWD|STIGMERGY_RUN|_|SHLVL|OLDPWD)=' | sort`)
	task.Job.Env = map[string]string{"GREETING": "hi", "TZ": "Europe/Berlin"}
	b.gives(task, "/1\nGREETING=hi\nLC_ALL=C\nTZ=Europe/Berlin\n")
}

func TestLargeOutput(t *testing.T) {
	b := newBench(t)
	task := b.task("head", "-c", "5000000", "/dev/zero")
	b.gives(task, strings.Repeat("\x00", 5000000))
	b.gives(task, strings.Repeat("\x00", 5000000))
}

func TestFullDisk(t *testing.T) {
	b := newBench(t)
	disk, err := durable.New("1-100:ENOSPC")
	if err != nil {
		t.Fatal(err)
	}
	b.r.cas.Disk = disk
	b.fails(b.task("yes"), "disk full: ", "no space left on device")
}

func BenchmarkRun(b *testing.B) {
	r := newBench(b)
	task := r.task("true")
	for b.Loop() {
		if res := r.run(task); !res.OK {
			b.Fatal(res.Error)
		}
	}
}

// TestStoredAgain: an output that was stored before is stored again where
// somebody took it away, or wrote into it.
func TestStoredAgain(t *testing.T) {
	b := newBench(t)
	path := b.cas.Layout.Blob(sum("same\n"))
	for _, spoil := range []func() error{
		func() error { return nil },
		func() error { return os.Remove(path) },
		func() error { return os.Chmod(path, 0o644) },
		func() error { return os.WriteFile(path, []byte("else"), 0o644) },
	} {
		if b.gives(b.task("echo", "same"), "same\n"); t.Failed() {
			return
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
	}
	b.gives(b.task("echo", "same"), "same\n")
}
