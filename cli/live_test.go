package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"stigmergy/daemon"
)

// up runs a daemon beside the test, in this process.
func (b *testBoard) up() (down func()) {
	b.t.Helper()
	ended := make(chan int, 1)
	go func() {
		_, _, code := b.try("", "up")
		ended <- code
	}()
	b.until(func() bool { return daemon.Held(b.l) && b.answers() })
	return func() {
		b.t.Helper()
		b.run("down")
		select {
		case code := <-ended:
			if code != 0 {
				b.t.Errorf("up ended with %d", code)
			}
		case <-time.After(20 * time.Second):
			b.t.Fatal("up goes on after down")
		}
	}
}

func (b *testBoard) answers() bool {
	_, err := (&app{ctx: b.t.Context()}).daemonStatus(b.l)
	return err == nil
}

// until asks again and again.
func (b *testBoard) until(done func() bool) {
	b.t.Helper()
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			b.t.Fatal("it did not come to that in time")
		}
	}
}

func TestUpAndDown(t *testing.T) {
	b := onBoard(t)
	down := b.up()
	if _, errs, code := b.try("", "up"); code != 75 || !strings.Contains(errs, "another daemon holds the board") {
		t.Errorf("a second daemon: exit %d: %s", code, errs)
	}
	if _, _, code := b.try("", "up", "--once"); code != 75 {
		t.Errorf("--once beside a daemon: exit %d", code)
	}
	if _, _, code := b.try("", "status", "-q"); code != 0 {
		t.Errorf("status -q: exit %d while up", code)
	}
	s := statusOf(t, b)
	if !s.Up || s.Durable == nil {
		t.Errorf("%+v", s)
	}
	if got, code := doctorOf(t, b); code != 0 || !strings.Contains(got["OK daemon"], "it holds the board") {
		t.Errorf("exit %d: %v", code, got)
	}
	down()
	if _, _, code := b.try("", "status", "-q"); code != 1 {
		t.Errorf("status -q: exit %d while down", code)
	}
}

// What is posted with --wait has been taken in when post returns, every time.
func TestPostWaitMeansTakenIn(t *testing.T) {
	b := onBoard(t)
	defer b.up()()
	for i := range 20 {
		id := fmt.Sprint("w", i)
		b.run("post", "a.b", "--wait", "--id", id, "-l", fmt.Sprint("lane", i%3))
		var s map[string]any
		must(t, json.Unmarshal([]byte(b.run("show", id)), &s))
		if s["pending"] != nil || s["seq"] == nil {
			t.Fatalf("%s is not taken in: %v", id, s)
		}
	}
	out, _, code := b.try("{\"type\":\"a.c\"}\n\n{\"type\":\"a.d\",\"id\":\"d\"}\n", "post", "--lines", "--wait")
	if code != 0 || strings.Count(out, "\n") != 2 {
		t.Errorf("--lines --wait: exit %d: %s", code, out)
	}
}

// The poster's view of a contract is older than the daemon's: what it lets
// through the daemon refuses, and --wait says so.
func TestPostWaitHearsOfAQuarantine(t *testing.T) {
	b := onBoard(t)
	must(t, os.WriteFile(b.l.Settings(), []byte("unknown_topics: quarantine\n"), 0o644))
	defer b.up()()
	b.env = append(b.env, "STIGMERGY_UNKNOWN_TOPICS=accept")
	_, errs, code := b.try("", "post", "no.contract", "--wait")
	if code != 65 || !strings.Contains(errs, "quarantined: bad_topic") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestRotateAndCompactThroughADaemon(t *testing.T) {
	b := onBoard(t)
	defer b.up()()
	b.run("post", "a.b", "--wait", "-l", "ci")
	if got := b.run("rotate", "ci", "-o", "json"); got != `{"lane":"ci","segment":1}`+"\n" {
		t.Errorf("%s", got)
	}
	b.run("compact")
	if _, err := os.Stat(b.l.Archive("ci", 1)); err != nil {
		t.Error(err)
	}
	if _, _, code := b.try("", "rotate", "nobody"); code != 1 {
		t.Errorf("a lane that is none: exit %d", code)
	}
	if out, _, _ := b.try("", "archive", "check", "-o", "tsv"); !strings.Contains(out, "\tok\t") {
		t.Errorf("%s", out)
	}
}

// tail -f and wait in the middle of what many writers append: every event of
// the lane, once, in the order of its lane.
func TestFollowersMissNothing(t *testing.T) {
	b := onBoard(t)
	defer b.up()()
	const n = 60
	tailed := make(chan string, 1)
	go func() {
		out, _, _ := b.try("", "tail", "-f", "a.b", "--cursor", "start", "-m", fmt.Sprint(n), "-o", "id")
		tailed <- out
	}()
	waited := make(chan string, 1)
	go func() {
		out, _, _ := b.try("", "wait", "a.b", "--cursor", "start", "--count", fmt.Sprint(n), "-o", "id", "--timeout", "30s")
		waited <- out
	}()
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint(i))
		b.append("ci", fmt.Sprintf(`{"type":"a.b","id":"%d"}`+"\n", i))
		if i == n/2 {
			b.until(func() bool { _, _, code := b.try("", "query", "a.b", "-w", "id=0"); return code == 0 })
			b.run("rotate", "ci")
		}
	}
	for name, ch := range map[string]chan string{"tail": tailed, "wait": waited} {
		select {
		case out := <-ch:
			if got := ids(out); !slices.Equal(got, want) {
				t.Errorf("%s: %v", name, got)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%s does not end", name)
		}
	}
}

func TestDaemonTroubleHasItsStatus(t *testing.T) {
	b := onBoard(t)
	must(t, os.WriteFile(b.l.Settings(), []byte("lease: soon\nmax_lime: 1\n"), 0o644))
	for _, args := range [][]string{{"up"}, {"up", "--once"}, {"rotate", "ci"}, {"compact"}} {
		_, errs, code := b.try("", args...)
		if code != 2 || !strings.Contains(errs, "1:1: lease: expected a duration") || !strings.Contains(errs, "max_lime") {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
	}
	for _, args := range [][]string{{"post", "a.b"}, {"query"}, {"status"}, {"contracts", "check"}} {
		if _, errs, code := b.try("", args...); code > 1 || !strings.Contains(errs, "warning") {
			t.Errorf("%v goes on with a warning: exit %d: %s", args, code, errs)
		}
	}
	if _, errs, code := b.try("", "down"); code != 75 || !strings.Contains(errs, "try: stigmergy up") {
		t.Errorf("down: exit %d: %s", code, errs)
	}
	if out, errs, code := b.try("", "down", "-o", "json"); code != 75 || out != "" || !json.Valid([]byte(errs)) {
		t.Errorf("down -o json: exit %d: %s", code, errs)
	}
}
