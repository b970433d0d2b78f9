package handlers_test

import (
	"slices"
	"testing"

	"stigmergy/contracts"
	"stigmergy/handlers"
	"stigmergy/handlers/foldtest"
)

// job starts the effect toy.job, key job:SUBJECT, for every toy.ping, and
// tells what its worker answers.
func job() *toy {
	return &toy{
		name: "job", topics: []string{"toy.**"},
		kinds: []handlers.EffectKind{{Kind: "toy.job", Lane: "workers/exec", Ends: []string{"toy.did"}, Also: []string{"toy.beat"}}},
		handle: func(tx *handlers.Tx, ev *contracts.Event) {
			switch ev.TopicName {
			case "toy.ping":
				tx.Effect("toy.job", "job:"+ev.Subject(), ev.Data())
			case "toy.stop":
				tx.Done("job:" + ev.Subject())
			case "toy.did", "toy.beat":
				tx.Emit("swarm", "toy.heard", ev.Subject(), new(handlers.Object).Str("what", ev.TopicName).Bytes())
				if ev.Get("fail").Exists() {
					panic("as asked")
				}
			}
		},
	}
}

func ping(subject string) string {
	return `{"type":"toy.ping","subject":"` + subject + `","data":{"n":1}}`
}

func answer(topic, key string) string { return `{"type":"` + topic + `","effectkey":"` + key + `"}` }

func TestEffectIsAnswered(t *testing.T) {
	b := withBoard(t, job())
	s := b.Append("ci", ping("a"), ping("a"), ping("b"))
	if len(s.Started) != 2 || s.Started[0].Key != "job:a" || s.Started[0].Kind != "toy.job" || string(s.Started[1].Payload) != `{"n":1}` {
		t.Fatalf("started %+v", s.Started)
	}
	b.Restart()
	if e := b.M.Effects(); len(e) != 2 || e[0].Key != "job:a" || e[1].Key != "job:b" || string(e[1].Payload) != `{"n":1}` || e[1].Kind != "toy.job" {
		t.Fatalf("outstanding %+v", e)
	}
	s = b.Append("workers/exec", answer("toy.beat", "job:b"), answer("toy.did", "job:b"), "")
	if !slices.Equal(s.Done, []string{"job:b"}) || len(b.M.Effects()) != 1 {
		t.Fatalf("done %v", s.Done)
	}
	if s = b.Append("ci", `{"type":"toy.stop","subject":"a"}`, `{"type":"toy.stop","subject":"never"}`); !slices.Equal(s.Done, []string{"job:a"}) {
		t.Fatalf("done %v", s.Done)
	}
	equal(t, find(t, b.Lane("swarm"), "toy.heard", "what"), "toy.beat", "toy.did")
	if len(b.Lane("board")) != 0 {
		t.Fatalf("%s", b.Lane("board"))
	}
}

// TestWorkerLinesAreNotBelieved: on a worker's lane only answers are obeyed.
func TestWorkerLinesAreNotBelieved(t *testing.T) {
	for name, c := range map[string]struct{ lane, line string }{
		"no effectkey":      {"workers/exec", `{"type":"toy.did"}`},
		"an unknown one":    {"workers/exec", answer("toy.did", "job:c")},
		"another's lane":    {"workers/plan", answer("toy.did", "job:a")},
		"no worker at all":  {"workers/mine", answer("toy.did", "job:a")},
		"another topic":     {"workers/exec", answer("toy.other", "job:a")},
		"a number":          {"workers/exec", `{"type":"toy.did","effectkey":7}`},
		"no JSON":           {"workers/exec", `oops`},
		"an answer, glued":  {"workers/exec", `{"type":"toy.did","eff` + answer("toy.did", "job:a")},
		"an empty key":      {"workers/exec", answer("toy.did", "")},
		"an owned topic":    {"workers/exec", `{"type":"board.alert","effectkey":"job:a","data":{"alert_type":"disk","severity":"info","message":"m"}}`},
		"a second question": {"workers/exec", ping("z")},
	} {
		t.Run(name, func(t *testing.T) {
			b := withBoard(t, job())
			b.Append("ci", ping("a"))
			s := b.Append(c.lane, c.line)
			if len(s.Done)+len(s.Started)+len(b.Lane("swarm")) != 0 || len(b.M.Effects()) != 1 {
				t.Fatalf("it was obeyed: %+v", s)
			}
			want := "forged"
			if name == "no JSON" || name == "an answer, glued" {
				want = "not_json"
			}
			equal(t, find(t, b.Lane("board"), "board.quarantined", "reason"), want)
			equal(t, find(t, b.Lane("board"), "board.alert", "alert_type"), "foreign_bytes")
			if n := len(b.Lane("quarantine/" + c.lane)); n != 1 {
				t.Fatalf("%d records", n)
			}
		})
	}
}

// TestAnswerTwice: the first line ends the effect, a second one is no answer.
func TestAnswerTwice(t *testing.T) {
	b := withBoard(t, job())
	b.Append("ci", ping("a"))
	b.Append("workers/exec", answer("toy.did", "job:a"), answer("toy.did", "job:a"))
	equal(t, find(t, b.Lane("swarm"), "toy.heard", "what"), "toy.did")
	equal(t, find(t, b.Lane("board"), "board.quarantined", "reason"), "forged")
}

// TestAnswerThatFails ends its effect all the same: or it would be done for
// ever.
func TestAnswerThatFails(t *testing.T) {
	b := withBoard(t, job())
	b.Append("ci", ping("a"))
	s := b.Append("workers/exec", `{"type":"toy.did","effectkey":"job:a","data":{"fail":1}}`)
	if len(s.Skips) != 1 || len(s.Done) != 1 || len(b.M.Effects()) != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestUndeclaredEffect(t *testing.T) {
	b := foldtest.New(t, on("bad", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		tx.Effect("nobody.does", "key", nil)
	}))
	if s := b.Append("ci", ping("a")); len(s.Skips) != 1 || len(s.Started) != 0 {
		t.Fatalf("%+v", s)
	}
}
