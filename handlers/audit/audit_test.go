package audit_test

import (
	"encoding/json"
	"testing"

	"stigmergy/handlers/audit"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
)

const ask = `{"type":"genesis.intent","id":"1","data":{"intent":"pause","plan_id":"0f8fad5b-d9cb-469f-a165-70867728950e"}}`

// TestAudited: what the policy refuses is audited, other rejections are not,
// and with nobody to reject there is nothing to audit.
func TestAudited(t *testing.T) {
	roles := []byte("roles: {captain: {lanes: [\"c\"], may: []}}")
	b := foldtest.NewWith(t, roles, nil, board.New(), audit.New())
	b.Append("ci", ask)
	lines := b.Lane("hxo")
	if len(lines) != 1 {
		t.Fatalf("%d audits: %s", len(lines), b.Bytes())
	}
	var got struct {
		Type, Time string
		Data       struct {
			User, Role *string
			Operation  string
			Details    map[string]string
			Timestamp  string
		}
	}
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	if got.Type != "hxo.audit" || got.Data.Operation != "policy.refused" || got.Data.User == nil || got.Data.Role == nil || got.Data.Timestamp != got.Time {
		t.Errorf("%s", lines[0])
	}
	if d := got.Data.Details; d["request_topic"] != "genesis.intent" || d["position"] != "ci@1:0" || d["request_id"] != "1" || d["rule"] == "" {
		t.Errorf("details %v", d)
	}
}

func TestNotAudited(t *testing.T) {
	b := foldtest.New(t, board.New(), audit.New())
	b.Append("ci", ask, ask)
	if len(b.Lane("hxo")) != 0 || len(b.Lane("board")) != 1 {
		t.Errorf("%s", b.Bytes())
	}
}
