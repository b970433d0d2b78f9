package board_test

import (
	"fmt"
	"strings"
	"testing"

	"stigmergy/blackboard/journal"
)

const plan = "0f8fad5b-d9cb-469f-a165-70867728950e"

const roles = `
roles:
  admiral: {lanes: ["admiral"], may: ["hxo.plan.**"]}
  captain: {lanes: ["captains/*"], may: []}
`

func abort(id string) string {
	if id != "" {
		id = fmt.Sprintf(`"id":%q,`, id)
	}
	return `{"type":"hxo.plan.abort",` + id + `"data":{"plan_id":"` + plan + `","user":"kyle","role":"admiral"}}`
}

// TestPolicy: a request that nobody there may make stays an event, is answered
// and audited.
func TestPolicy(t *testing.T) {
	b := fold(t, roles)
	b.Append("admiral", abort("1"))
	if len(b.Lanes()) != 0 {
		t.Fatalf("derived %s", b.Bytes())
	}
	b.Append("captains/hook", abort("7"))
	rejected := events(t, b, "board", "board.rejected")
	if len(rejected) != 1 || len(b.Lane("board")) != 1 {
		t.Fatalf("board:\n%s", strings.Join(b.Lane("board"), "\n"))
	}
	d := rejected[0].Data
	if d["position"] != "captains/hook@1:0" || d["request_topic"] != "hxo.plan.abort" || d["request_id"] != "7" || d["reason"] != "policy" || d["plan_id"] != plan || d["rule"] == nil || rejected[0].Subject != plan {
		t.Errorf("rejected %v", d)
	}
	audits := events(t, b, "hxo", "hxo.audit")
	if len(audits) != 1 || audits[0].Data["operation"] != "policy.refused" || audits[0].Data["timestamp"] != audits[0].Time {
		t.Fatalf("audited %+v", audits)
	}
	details := audits[0].Data["details"].(map[string]any)
	if details["plan_id"] != plan || details["position"] != "captains/hook@1:0" || !strings.HasPrefix(audits[0].Cause, "board@1:") {
		t.Errorf("details %v, cause %s", details, audits[0].Cause)
	}
}

// TestDuplicate: a second request with the same source and explicit id.
func TestDuplicate(t *testing.T) {
	b := fold(t, "")
	b.Append("ci", abort("1"), abort("1"), abort(""), abort(""), abort("2"))
	b.Append("other", abort("1"))
	b.Restart()
	b.Append("ci", abort("2"), `{"type":"not.a.request","id":"1"}`, `{"type":"not.a.request","id":"1"}`)
	var got []string
	for _, e := range events(t, b, "board", "board.rejected") {
		if e.Data["reason"] != "duplicate" {
			t.Errorf("reason %v", e.Data["reason"])
		}
		got = append(got, e.Data["position"].(string))
	}
	at := len(abort("1")) + 1
	end := 3*at + 2*(len(abort(""))+1)
	if want := []string{fmt.Sprintf("ci@1:%d", at), fmt.Sprintf("ci@1:%d", end)}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("rejected %v, expected %v", got, want)
	}
	if len(b.Lane("hxo")) != 0 {
		t.Error("a duplicate was audited")
	}
}

// TestOwner: whose file a lane is comes from the journal.
func TestOwner(t *testing.T) {
	b := fold(t, "roles:\n  root: {users: [\"1001\"], may: [\"hxo.plan.**\"]}\n")
	ask := func(id string) string { return strings.Replace(abort(id), `,"user":"kyle","role":"admiral"`, "", 1) }
	b.Append("ci", ask("1"))
	b.Fact(journal.Entry{Kind: journal.Owner, Lane: "ci", UID: 1001})
	b.Restart()
	b.Append("ci", ask("2"))
	if n := len(events(t, b, "board", "board.rejected")); n != 1 {
		t.Fatalf("%d rejections, expected that of the first", n)
	}
}
