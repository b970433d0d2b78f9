package handlers_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts"
	"stigmergy/handlers"
	"stigmergy/handlers/foldtest"
)

// TestObjectIsJSON: whatever goes in, encoding/json reads it back.
func TestObjectIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, n := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text")), rapid.Int64().Draw(t, "number")
		o := new(handlers.Object).Str("s", s).Text("t", []byte(s)).Int("i", n).Uint("u", uint64(n)).Bool("b", n > 0).
			Raw("r", []byte(`[1]`)).OptStr("none", "").OptStr("some", "x").
			Position("p", contracts.Position{Lane: "a%20b", Segment: 3, Offset: 7}).
			Errors("e", []contracts.FieldError{{Pointer: s, Keyword: "k", Expected: s, Got: s}, {Hint: "h"}})
		var got struct {
			S, T, P string
			I       int64
			U       uint64
			B       bool
			R       []int
			E       []contracts.FieldError
		}
		if err := json.Unmarshal(o.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		text := strings.ToValidUTF8(s, "\ufffd")
		same := strings.ReplaceAll(got.S, "\ufffd\ufffd", "\ufffd")
		for strings.Contains(same, "\ufffd\ufffd") {
			same = strings.ReplaceAll(same, "\ufffd\ufffd", "\ufffd")
		}
		for strings.Contains(text, "\ufffd\ufffd") {
			text = strings.ReplaceAll(text, "\ufffd\ufffd", "\ufffd")
		}
		if same != text || got.T != got.S || got.I != n || got.U != uint64(n) || got.P != "a%20b@3:7" || len(got.E) != 2 || got.E[0].Got != got.S || got.E[1].Hint != "h" || len(got.R) != 1 {
			t.Fatalf("%q came back as %+v", s, got)
		}
	})
}

func TestObjectErrorsAreBounded(t *testing.T) {
	o := new(handlers.Object).Errors("e", make([]contracts.FieldError, 1000)).Bytes()
	var got struct{ E []any }
	if err := json.Unmarshal(o, &got); err != nil || len(got.E) != contracts.MaxErrors {
		t.Fatalf("%v, %d errors", err, len(got.E))
	}
}

func TestEmptyObject(t *testing.T) {
	if b := new(handlers.Object).Bytes(); string(b) != "{}" {
		t.Fatalf("%s", b)
	}
	if b := handlers.Open([]byte(`{"a":1}`)).Int("b", 2).Bytes(); string(b) != `{"a":1,"b":2}` {
		t.Fatalf("%s", b)
	}
}

// TestIDInShell computes an id as the package comment does.
func TestIDInShell(t *testing.T) {
	b := foldtest.New(t, echo())
	b.Append("agents/7", event("toy.ping", "{}"))
	cmd := fmt.Sprintf(`printf '%%s\0%%s\0%%s\0%%s' %s agents/7@1:0 echo 0 | sha256sum | cut -c1-32`, b.Config.BoardID)
	out, err := exec.Command("sh", "-c", cmd).Output()
	if err != nil {
		t.Skipf("no shell with sha256sum: %v", err)
	}
	equal(t, find(t, b.Lane("swarm"), "toy.pong", "id"), strings.TrimSpace(string(out)))
}
