package archive

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts"
)

func extract(x Extractor, at At, line string) *Facts {
	f := &Facts{}
	x.Extract(at, []byte(line), f)
	return f
}

// texts are the values of one field.
func texts(x Extractor, f *Facts, field string) (out []string) {
	i := slices.Index(x.Fields(), field)
	for _, v := range f.Values {
		if v.Field == i {
			out = append(out, string(v.Text))
		}
	}
	return out
}

func TestExtract(t *testing.T) {
	reg, checker := testContracts(t)
	x := NewExtractor(Contracts{Registry: reg, Checker: checker})
	for _, want := range []string{"subject", "plan_id", "cas_id", "run_id", "batch_id", "commit_sha", "executor", `a\.b`, "data.source"} {
		if !slices.Contains(x.Fields(), want) {
			t.Errorf("%s is not indexed: %q", want, x.Fields())
		}
	}
	for _, c := range []struct{ line, field, want string }{
		{`{"type":"a","subject":"s","data":{"subject":"t"}}`, "subject", "s"},
		{`{"type":"a","data":{"plan_id":"p\u0031"}}`, "plan_id", "p1"},
		{`{"type":"a","data":{"plan\u005fid":7.50}}`, "plan_id", "7.50"},
		{`{"type":"a","data":{"plan_id":null}}`, "plan_id", "null"},
		{`{"type":"a","plan_id":"ext","data":{"plan_id":"in"}}`, "plan_id", "ext in"},
		{`{"type":"a","data":{"plan_id":["x",["y",{"plan_id":"z"}],true]}}`, "plan_id", "x y true"},
		{`{"type":"a","data":[{"plan_id":"x"},[{"plan_id":"y"}],3]}`, "plan_id", "x y"},
		{`{"type":"a","data":{"deep":{"plan_id":"x"}}}`, "plan_id", ""},
		{`{"type":"a","source":"src","data":{"source":"in","a.b":1}}`, "data.source", "in"},
		{`{"type":"a","data":{"a.b":1}}`, `a\.b`, "1"},
		{"\xef\xbb\xbf" + `{"type":"a","data":{"plan_id":"p"}}` + "\r", "plan_id", "p"},
	} {
		f := extract(x, At{}, c.line)
		if got := strings.Join(texts(x, f, c.field), " "); got != c.want || f.Kind != Event || string(f.Topic) != "a" {
			t.Errorf("%s: %s is %q instead of %q (%+v)", c.line, c.field, got, c.want, f)
		}
	}
}

func TestExtractKinds(t *testing.T) {
	reg, checker := testContracts(t)
	x := NewExtractor(Contracts{Registry: reg, Checker: checker, Forged: func(t *contracts.Topic) bool { return t != nil && t.Owner != "" }})
	mangled := `{"type":"cut","data":{"n":12{"type":"whole","time":"2026-01-26T00:00:00Z","id":"7"}`
	for _, c := range []struct {
		line, lane string
		want       LineKind
	}{
		{"", "", Blank}, {" \r", "", Blank}, {"\xef\xbb\xbf", "", Blank}, {"{", "", Refused}, {`{"type":"No"}`, "", Refused},
		{`{"type":"a"}`, "", Event}, {mangled, "", Recovered}, {mangled, "workers/exec", Refused},
		{`{"type":"board.checkpoint","data":{"origin":"o","size":1,"root":"r","note":"n"}}`, "", Refused},
		{`{"type":"a","data":{"x":"` + strings.Repeat("y", 1<<20) + `"}}`, "", Refused},
	} {
		f := extract(x, At{Lane: c.lane}, c.line)
		if f.Kind != c.want {
			t.Errorf("%.80q in %s: %d instead of %d", c.line, c.lane, f.Kind, c.want)
		}
		if c.want == Recovered && (string(f.Topic) != "whole" || !f.HasTime || string(f.ID) != "7") {
			t.Errorf("recovered: %+v", f)
		}
	}
}

// TestExtractObeysTheRecord: what was decided when the lines were taken in
// counts, not what the contracts of now say.
func TestExtractObeysTheRecord(t *testing.T) {
	reg, checker := testContracts(t)
	refused := map[int64]int{100: 0, 200: 6}
	x := NewExtractor(Contracts{Registry: reg, Checker: checker, Refused: func(off int64) (bool, int) {
		n, is := refused[off]
		return is, n
	}})
	broken := `{"type":"hxo.shard.done","data":{}}` // breaks its contract
	for _, c := range []struct {
		off  int64
		line string
		want LineKind
	}{
		{0, broken, Event}, {100, `{"type":"a"}`, Refused}, {200, `broken{"type":"a"}`, Recovered}, {300, "not json", Refused}, {400, "  ", Blank},
	} {
		f := extract(x, At{Offset: c.off}, c.line)
		if f.Kind != c.want || (c.want == Event || c.want == Recovered) != (f.Topic != nil) {
			t.Errorf("%q at %d: %+v", c.line, c.off, f)
		}
	}
}

// TestExtractFindsWhatFiltersFind: an equality that holds for an event is
// among its values.
func TestExtractFindsWhatFiltersFind(t *testing.T) {
	reg, checker := testContracts(t)
	x := NewExtractor(Contracts{Registry: reg, Checker: checker})
	rapid.Check(t, func(t *rapid.T) {
		line := drawEvent(t)
		l := modelLine{text: []byte(line)}
		if l.judge(checker); l.kind != Event {
			return
		}
		f := extract(x, At{}, line)
		for _, field := range x.Fields() {
			got := texts(x, f, field)
			for _, v := range askValues {
				if l.has(field, v) && !slices.Contains(got, v) {
					t.Fatalf("%s: %s=%s holds and is not among %q", line, field, v, got)
				}
			}
		}
	})
}

func TestIDTime(t *testing.T) {
	for id, want := range map[string]int64{
		"01KFVVAM9PZYG9W5XYBHG48NPZ":           1769387413814,
		"01kfvvam9pzyg9w5xybhg48npz":           1769387413814,
		"00000000000000000000000000":           0,
		"7ZZZZZZZZZZZZZZZZZZZZZZZZZ":           1<<48 - 1,
		"8ZZZZZZZZZZZZZZZZZZZZZZZZZ":           -1,
		"01KFVVAM9PZYG9W5XYBHG48NPU":           -1,
		"0192e4a0-0000-7000-8000-000000000001": 0x0192e4a00000,
		"0192E4A0-0000-7000-BFFF-000000000001": 0x0192e4a00000,
		"0192e4a0-0000-4000-8000-000000000001": -1,
		"0192e4a0-0000-7000-c000-000000000001": -1,
		"0192e4a0x0000-7000-8000-000000000001": -1,
		"0192e4a0-0000-7000-8000-00000000000g": -1,
		"":                                     -1, "short": -1,
	} {
		ms, ok := IDTime([]byte(id))
		if ok != (want >= 0) || ok && ms != want {
			t.Errorf("%s: %d, %v instead of %d", id, ms, ok, want)
		}
	}
	id := contracts.UUIDv7(1769387413814, [10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	if ms, ok := IDTime([]byte(id)); !ok || ms != 1769387413814 {
		t.Errorf("%s: %d, %v", id, ms, ok)
	}
}

func TestCrockford(t *testing.T) {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	for c := range 256 {
		want := strings.IndexByte(digits, byte(c))
		if 'a' <= c && c <= 'z' {
			want = strings.IndexByte(digits, byte(c-'a'+'A'))
		}
		if got := crockford(byte(c)); got != want {
			t.Errorf("%q: %d instead of %d", rune(c), got, want)
		}
	}
}

// TestIDsByTime finds ids that hold their time without indexing them.
func TestIDsByTime(t *testing.T) {
	reg, checker := testContracts(t)
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, "{\"type\":\"a\",\"id\":%q}\n", contracts.UUIDv7(int64(1769387413814+i*1000), [10]byte{byte(i)}))
	}
	file, _ := newModel([]byte(b.String()), nil, checker).write(t, reg, checker, WriteOptions{FrameBytes: 1024})
	r := open(t, file)
	for i := range 400 {
		id := contracts.UUIDv7(int64(1769387413814+i*1000), [10]byte{byte(i)})
		set, indexed := r.MayMatch("id", id)
		if !indexed || set.Len() != 1 {
			t.Fatalf("%s: in %d of %d frames", id, set.Len(), len(r.Frames()))
		}
	}
	for _, none := range []string{"any", contracts.UUIDv7(1769387413814-1, [10]byte{})} {
		if set, indexed := r.MayMatch("id", none); !indexed || !set.Empty() {
			t.Errorf("%s: in %d frames", none, set.Len())
		}
	}
}
