package archive

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// golden is an archive as it was written when the format was made, and the
// segment that it is of. It is never written anew: archives live longer than
// programs. (UPDATE_GOLDEN=1 makes those of a new version.)
func golden(t *testing.T) (raw, file []byte) {
	t.Helper()
	segment, archived := filepath.Join("testdata", "v1.jsonl"), filepath.Join("testdata", "v1.jsonl.zst")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		raw, file, _, _ := smallArchive(t)
		for path, b := range map[string][]byte{segment: raw, archived: file} {
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	raw, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(archived); err != nil {
		t.Fatal(err)
	}
	return raw, file
}

// TestGolden: what an archive said once it says for ever.
func TestGolden(t *testing.T) {
	raw, file := golden(t)
	_, _, _, x := smallArchive(t)
	rep, err := CheckAt(bytes.NewReader(file), int64(len(file)), CheckOptions{Seal: sealOf(raw), Extract: x, Lane: testLane, Segment: testSegment})
	if err != nil || rep.Err() != nil {
		t.Fatal(err, rep.Problems)
	}
	r := open(t, file)
	s := r.Summary()
	if s.Lines != 27 || s.Events != 25 || s.Blank != 1 || s.Refused != 2 || s.Recovered != 1 || s.FirstSeq != 10 || s.LastSeq != 12 ||
		!slices.Equal(s.Topics, []TopicCount{{"a", 1}, {"build.done", 24}}) {
		t.Errorf("%+v", s)
	}
	for i := range 24 {
		plan, id := fmt.Sprintf("p%d", i/5), fmt.Sprintf("i%d", i)
		off := int64(bytes.Index(raw, fmt.Appendf(nil, "%q", id)))
		for _, f := range []Field{{"plan_id", plan}, {"id", id}} {
			if !r.Select(Want{Fields: []Field{f}}).Has(r.FrameAt(off)) {
				t.Errorf("%+v is not found", f)
			}
		}
	}
	last := len(r.Frames()) - 1
	runs, err := r.Runs(last, nil)
	if err != nil || runs[len(runs)-1].Seq != 12 || runs[len(runs)-1].Time != 2e18 {
		t.Errorf("%+v, %v", runs, err)
	}
	if odd, err := r.Odd(last, nil); err != nil || fmt.Sprint(kinds(odd)) != "[1 2 3]" {
		t.Errorf("%+v, %v", odd, err)
	}
}

func kinds(odd []OddRun) (out []LineKind) {
	for _, o := range odd {
		out = append(out, o.Kind)
	}
	return out
}

// TestOtherVersion: an index of another version is not read, and not missed.
func TestOtherVersion(t *testing.T) {
	raw, file := golden(t)
	at := bytes.LastIndex(file, []byte(trailerMagic))
	for _, change := range []int{at + len(trailerMagic) - 1, bytes.LastIndex(file, []byte(indexHead)) + len(indexHead) - 1} {
		b := bytes.Clone(file)
		b[change] = '2'
		r := open(t, b)
		if r.Indexed() || r.Lost() != nil || r.Damage() == nil {
			t.Errorf("byte %d: indexed %v, lost %v", change, r.Indexed(), r.Lost())
		}
		if got := allLines(t, r, len(raw), forward); !bytes.Equal(got, raw) {
			t.Errorf("byte %d: other lines", change)
		}
	}
}
