package lanes

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os/exec"
	"testing"

	"pgregory.net/rapid"
)

// TestWindowsAgainstReference takes random steps through random bytes and
// holds the hashes to the plain definition.
func TestWindowsAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ws := newWindows(rapid.IntRange(1, 2).Draw(t, "buffers"))
		type seg struct {
			w    *window
			data []byte
		}
		segs := make([]seg, 3)
		for i := range segs {
			segs[i].w = &window{}
		}
		t.Repeat(map[string]func(*rapid.T){
			"advance": func(t *rapid.T) {
				s := &segs[rapid.IntRange(0, 2).Draw(t, "segment")]
				n := rapid.SampledFrom([]int{1, 7, 300, 4095, 4096, 4097, 9000}).Draw(t, "bytes")
				more := bytes.Repeat([]byte{byte(rapid.IntRange(0, 255).Draw(t, "byte"))}, n)
				more[0] = 'x'
				s.data = append(s.data, more...)
				last := s.data[len(s.data)-rapid.IntRange(0, len(s.data)).Draw(t, "at hand"):]
				if err := ws.advance(s.w, int64(len(s.data)), last, readIn(s.data)); err != nil {
					t.Fatal(err)
				}
			},
			"holds": func(t *rapid.T) {
				s := &segs[rapid.IntRange(0, 2).Draw(t, "segment")]
				if ok, err := ws.holds(s.w, readIn(s.data)); !ok || err != nil {
					t.Fatal(ok, err)
				}
			},
			"changed": func(t *rapid.T) {
				s := &segs[rapid.IntRange(0, 2).Draw(t, "segment")]
				if len(s.data) == 0 {
					t.Skip("empty")
				}
				other := bytes.Clone(s.data)
				at := rapid.IntRange(0, min(len(other), Window)-1).Draw(t, "at")
				if rapid.Bool().Draw(t, "in the tail") {
					at = len(other) - 1 - at
				}
				other[at] ^= 1
				if ok, err := ws.holds(s.w, readIn(other)); ok || err != nil {
					t.Fatal(ok, err)
				}
			},
			"restored": func(t *rapid.T) {
				s := &segs[rapid.IntRange(0, 2).Draw(t, "segment")]
				head, tail := s.w.hashes()
				ws.drop(s.w)
				s.w = &window{offset: s.w.offset, head: head, sum: tail, summed: true}
			},
			"": func(t *rapid.T) {
				for _, s := range segs {
					head, tail := s.w.hashes()
					if head != sumOf(s.data, 0) || tail != sumOf(s.data, len(s.data)-Window) {
						t.Fatalf("at %d: other hashes", len(s.data))
					}
				}
				if n := len(ws.queue); n > ws.max+3 {
					t.Fatalf("%d windows queued", n)
				}
			},
		})
	})
}

func readIn(data []byte) readFunc {
	return func(p []byte, off int64) error {
		if off+int64(len(p)) > int64(len(data)) {
			return errChanged
		}
		copy(p, data[off:])
		return nil
	}
}

// sumOf is the hash of up to Window bytes from at on.
func sumOf(data []byte, at int) (sum [32]byte) {
	if len(data) == 0 {
		return sum
	}
	at = max(at, 0)
	return sha256.Sum256(data[at:min(at+Window, len(data))])
}

// TestAdvanceOverAFileThatChanged: what cannot be known is not made up.
func TestAdvanceOverAFileThatChanged(t *testing.T) {
	ws := newWindows(1)
	w := &window{}
	must(t, ws.advance(w, 100, bytes.Repeat([]byte("a"), 100), nil))
	ws.rest(w)
	err := ws.advance(w, 110, bytes.Repeat([]byte("c"), 10), readIn(bytes.Repeat([]byte("b"), 110)))
	if !errors.Is(err, errChanged) || w.offset != 100 {
		t.Errorf("got %v at %d", err, w.offset)
	}
}

func TestMarksInJSON(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.append("a\n\xff.jsonl", "1\n")
	r.settle()
	want := r.tails["a%0A%FF@1"].Save()
	b, err := json.Marshal(want)
	must(t, err)
	var got Saved
	must(t, json.Unmarshal(b, &got))
	if got != want || got.Mark.Head != sumOf([]byte("1\n"), 0) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, bad := range []string{`{"mark":{"head":"0"}}`, `{"mark":{"head":"` + string(bytes.Repeat([]byte("x"), 64)) + `"}}`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
	if _, err := r.set.Restore([]Saved{{Lane: "a", Path: "%zz"}}); err == nil {
		t.Error("restored a path that is none")
	}
}

func FuzzHash(f *testing.F) {
	f.Add([]byte(""))
	f.Add(bytes.Repeat([]byte("0f"), 32))
	f.Add(bytes.Repeat([]byte("0F"), 32))
	f.Fuzz(func(t *testing.T, text []byte) {
		var h Hash
		if h.UnmarshalText(text) != nil {
			return
		}
		b, err := h.MarshalText()
		if err != nil || len(b) > 0 && !bytes.Equal(b, bytes.ToLower(text)) {
			t.Errorf("%q became %q, %v", text, b, err)
		}
	})
}

// TestShellSaysTheSame runs the pipelines of the package comment.
func TestShellSaysTheSame(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer func() { must(t, r.set.Close()) }()
	r.append("a.jsonl", long(100)+"unfinished")
	r.settle()
	m := r.tails["a@1"].Mark()
	for pipe, want := range map[string]Hash{
		"head -c 4096 a.jsonl | sha256sum":                                       m.Head,
		"head -c " + itoa(int(m.Offset)) + " a.jsonl | tail -c 4096 | sha256sum": m.Tail,
	} {
		cmd := exec.Command("sh", "-c", pipe)
		cmd.Dir = r.dir
		out, err := cmd.Output()
		must(t, err)
		text, err := want.MarshalText()
		must(t, err)
		if string(bytes.Fields(out)[0]) != string(text) {
			t.Errorf("%s says %s, the mark %s", pipe, out, text)
		}
	}
}
