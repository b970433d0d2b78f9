// Package batch is the handler of GitOps runs: a gitops.run.request has the
// batcher run, as an effect, and what runs tell of themselves is folded into
// their state.
//
// The effect's key is gitops: and the request's position; its payload is
//
//	{"request":"agents/7@1:0","config":".gitops/batches.json","dry_run":false,"push":true}
//
// config is below the board's root. The effect ends when a gitops.run with
// that request is folded, not by a line of a worker's own: the batcher tells
// of its runs on lane gitops, as it does for everybody. A run that was
// interrupted does not end it, for it is done again.
//
// State, by run:
//
//	run/RUN_ID   how many gitops.batch came; gone once gitops.run did
//	last, clean  the run that ended last, and the last clean one: RUN_ID TIME
//
// A run tells N batches and itself: N + 1 events. One that stays short of
// that for an hour, or ends with another number, is a board.alert of type
// unfinished.
package batch

import (
	"fmt"
	"strconv"
	"strings"

	"stigmergy/contracts"
	"stigmergy/handlers"
)

// Kind is the effect that runs the batcher.
const Kind = "gitops.run"

// Worker is the lane that such an effect would answer on; none ever does.
const Worker = "workers/gitops"

// The bounds of the state.
const (
	patience = 3_600_000 // milliseconds that a run may be silent
	maxRuns  = 1000      // unfinished at a time; beyond that the oldest is let go
)

// Handler folds GitOps runs.
type Handler struct{}

// New returns it.
func New() *Handler { return &Handler{} }

// Name is part of ids and keys.
func (*Handler) Name() string { return "batch" }

// Topics are the request, and what runs tell.
func (*Handler) Topics() []string {
	return []string{"gitops.run.request", "gitops.batch", "gitops.run"}
}

// Effects is the batcher.
func (*Handler) Effects() []handlers.EffectKind {
	return []handlers.EffectKind{{Kind: Kind, Lane: Worker, Ends: []string{"gitops.run"}}}
}

// Handle folds one event.
func (*Handler) Handle(tx *handlers.Tx, ev *contracts.Event) {
	switch ev.TopicName {
	case "gitops.run.request":
		request(tx, ev)
	case "gitops.batch":
		told(tx, ev)
	case "gitops.run":
		ended(tx, ev)
	}
}

// request starts the batcher, if this lane may have commands run.
func request(tx *handlers.Tx, ev *contracts.Event) {
	if ok, rule := tx.Policy().MayRun(ev.TopicName, ev.Pos.Lane, tx.UID(ev.Pos.Lane)); !ok {
		tx.Reject(ev, &handlers.Rejection{Reason: handlers.RejectPolicy, Rule: rule, User: ev.Get("data.user").Text(), Role: ev.Get("data.role").Text()})
		return
	}
	config := ev.Get("data.config").Text()
	if why := outside(config); why != "" {
		tx.Reject(ev, &handlers.Rejection{Reason: handlers.RejectBadParameter, Errors: []contracts.FieldError{{
			Pointer: "/data/config", Keyword: "path", Expected: "a path below the board's root", Got: why,
			Hint: "leave it out for .gitops/batches.json",
		}}})
		return
	}
	payload := new(handlers.Object).Position("request", ev.Pos).OptStr("config", config)
	for _, name := range []string{"dry_run", "push"} {
		if b, ok := ev.Get("data." + name).Bool(); ok {
			payload.Bool(name, b)
		}
	}
	tx.Effect(Kind, Key(ev.Pos.String()), payload.Bytes())
}

// Key names the effect of a request.
func Key(position string) string { return "gitops:" + position }

// outside tells what makes a path leave the root, or "".
func outside(p string) string {
	if strings.HasPrefix(p, "/") {
		return "an absolute path"
	}
	if strings.ContainsRune(p, 0) {
		return "a NUL"
	}
	for _, part := range strings.Split(p, "/") {
		if part == ".." {
			return "a path that goes upwards"
		}
	}
	return ""
}

// told counts a batch of a run.
func told(tx *handlers.Tx, ev *contracts.Event) {
	id := ev.Get("data.run_id").Text()
	if len(id) > 512 {
		return
	}
	v, known := tx.Get("run/" + id)
	n, _ := strconv.Atoi(v)
	tx.Put("run/"+id, strconv.Itoa(n+1))
	if !known {
		bound(tx, 1)
	}
	tx.After("run/"+id, patience)
}

// bound keeps no more unfinished runs than maxRuns: whoever makes runs up
// costs the board no more than that.
func bound(tx *handlers.Tx, more int) {
	v, _ := tx.Get("runs")
	n, _ := strconv.Atoi(v)
	n += more
	if n > maxRuns {
		tx.Range("run/", func(key, _ string) bool {
			tx.Delete(key)
			tx.Cancel(key)
			return false
		})
		n--
	}
	tx.Put("runs", strconv.Itoa(max(n, 0)))
}

// ended closes a run, and the request behind it.
func ended(tx *handlers.Tx, ev *contracts.Event) {
	id := ev.Get("data.run_id").Text()
	got := 0
	if v, known := tx.Get("run/" + id); known {
		got, _ = strconv.Atoi(v)
		tx.Delete("run/" + id)
		tx.Cancel("run/" + id)
		bound(tx, -1)
	}
	want := 0
	for _, outcome := range []string{"skipped", "planned", "committed", "error"} {
		n, _ := ev.Get("data.counts." + outcome).Int()
		want += int(n)
	}
	interrupted, _ := ev.Get("data.interrupted").Bool()
	if got != want && !interrupted {
		alert(tx, fmt.Sprintf("run %s ended with %d batches, and %d gitops.batch of it came", id, want, got))
	}
	stamp := id + " " + tx.Time()
	tx.Put("last", stamp)
	if clean, _ := ev.Get("data.clean").Bool(); clean {
		tx.Put("clean", stamp)
	}
	if key := Key(ev.Get("data.request").Text()); !interrupted && tx.Outstanding(key) {
		tx.Done(key)
	}
}

// Tick tells of a run that was silent for too long.
func (*Handler) Tick(tx *handlers.Tx, timer string) {
	n, known := tx.Get(timer)
	if !known {
		return
	}
	tx.Delete(timer)
	bound(tx, -1)
	alert(tx, fmt.Sprintf("run %s is unfinished: %s gitops.batch came, and for an hour no gitops.run; the next stigmergy gitops run in its repository finishes it",
		strings.TrimPrefix(timer, "run/"), n))
}

func alert(tx *handlers.Tx, message string) {
	tx.Alert(handlers.Alert{Type: "unfinished", Severity: "warning", Lane: "gitops", Message: message})
}
