package plans_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts/plan"
)

// TestPartsCoverAFile: whatever a file holds, its parts follow each other
// without a gap, end at newlines, and keep to their size.
func TestPartsCoverAFile(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		lines := rapid.SliceOfN(rapid.IntRange(0, 60), 1, 200).Draw(rt, "lines")
		var b strings.Builder
		for i, n := range lines {
			b.WriteString(strings.Repeat(string(rune('a'+i%26)), n))
			if i < len(lines)-1 || rapid.Bool().Draw(rt, "ended") || b.Len() == 0 {
				b.WriteString("\n")
			}
		}
		text := b.String()
		if err := os.WriteFile(filepath.Join(root, "f"), []byte(text), 0o644); err != nil {
			rt.Fatal(err)
		}
		by, per := rapid.SampledFrom([]string{"lines", "bytes"}).Draw(rt, "by"), rapid.IntRange(1, 300).Draw(rt, "per")
		res, st := resolve(t, root, fmt.Sprintf(`{"plan_name":"p","stages":[{"stage_id":"s","kind":"exec","spec":{"argv":["wc"],"stdin":true},"partition":{"by":%q,"input":"f","per_shard":%d}}]}`, by, per))
		if len(res.Faults) > 0 {
			rt.Fatal(res.Faults)
		}
		shards := st.shards(res.Manifest.Stages[0])
		slices.SortFunc(shards, func(a, b plan.Shard) int { return a.Index - b.Index })
		var at int64
		for i, s := range shards {
			in := s.Inputs[0]
			part := text[*in.From:*in.To]
			last := i == len(shards)-1
			n := strings.Count(part, "\n")
			switch {
			case *in.From != at || part == "" || plan.Sum([]byte(part)) != in.SHA256:
				rt.Fatalf("part %d begins at %d, the one before ended at %d", i, *in.From, at)
			case !last && part[len(part)-1] != '\n':
				rt.Fatalf("part %d ends within a line", i)
			case by == "lines" && (n > per || !last && n != per):
				rt.Fatalf("part %d has %d lines", i, n)
			case by == "bytes" && len(part) > per && n > 1:
				rt.Fatalf("part %d has %d bytes in %d lines", i, len(part), n)
			}
			at = *in.To
		}
		// Equal parts at other places are other shards: their descriptions say where.
		if at != int64(len(text)) {
			rt.Fatalf("the parts end at %d of %d", at, len(text))
		}
	})
}

// TestAChangedFileChangesItsShards and no others.
func TestAChangedFileChangesItsShards(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, per := rapid.IntRange(1, 12).Draw(rt, "files"), rapid.IntRange(1, 4).Draw(rt, "per_shard")
		files := map[string]string{}
		for i := range n {
			files[fmt.Sprintf("d%d/f%02d.txt", i%3, i)] = fmt.Sprint("text ", i)
		}
		root := tree(t, files)
		doc := fmt.Sprintf(`{"plan_name":"p","stages":[{"stage_id":"s","kind":"exec","spec":{"argv":["cat","{inputs}"]},"partition":{"by":"files","glob":"**","per_shard":%d}}]}`, per)
		before, st := resolve(t, root, doc)
		changed := rapid.SampledFrom(sortedKeys(files)).Draw(rt, "changed")
		if err := os.WriteFile(filepath.Join(root, changed), []byte("other"), 0o644); err != nil {
			rt.Fatal(err)
		}
		after, st2 := resolve(t, root, doc)
		old := map[string]bool{}
		for _, s := range st.shards(before.Manifest.Stages[0]) {
			old[s.CASID] = true
		}
		for _, s := range st2.shards(after.Manifest.Stages[0]) {
			holds := slices.ContainsFunc(s.Inputs, func(in plan.Input) bool { return in.Name == changed })
			if holds == old[s.CASID] {
				rt.Fatalf("shard %s of %+v: it holds %s: %v, it was there before: %v", s.CASID, s.Inputs, changed, holds, old[s.CASID])
			}
		}
	})
}

func sortedKeys(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// TestGlobs holds the walk against a plain matcher over all paths.
func TestGlobs(t *testing.T) {
	names := []string{"a.go", "b.txt", "x/a.go", "x/y/a.go", "x/y/b.go", "x/.h/a.go", ".h/a.go", "x/y/.a.go", "z/x/a.go"}
	files := map[string]string{}
	for _, n := range names {
		files[n] = "text of " + n
	}
	root := tree(t, files)
	for glob, want := range map[string]string{
		"*.go":        "a.go",
		"**/*.go":     "a.go x/a.go x/y/a.go x/y/b.go z/x/a.go",
		"**":          "a.go b.txt x/a.go x/y/a.go x/y/b.go z/x/a.go",
		"**/**/a.go":  "a.go x/a.go x/y/a.go z/x/a.go",
		"x/**":        "x/a.go x/y/a.go x/y/b.go",
		"*/*.go":      "x/a.go",
		"x/**/y/*":    "x/y/a.go x/y/b.go",
		"**/x/*":      "x/a.go z/x/a.go",
		".h/*":        ".h/a.go",
		"**/.*":       "x/y/.a.go",
		"x/.h/a.go":   "x/.h/a.go",
		"x/y/[ab].go": "x/y/a.go x/y/b.go",
		"./x/../a.go": "a.go",
		"?.*":         "a.go b.txt",
	} {
		res, st := resolve(t, root, fmt.Sprintf(`{"plan_name":"p","stages":[{"stage_id":"s","kind":"exec","spec":{"argv":["cat","{inputs}"]},"partition":{"by":"one","glob":%q}}]}`, glob))
		if len(res.Faults) > 0 {
			t.Errorf("%s: %+v", glob, res.Faults)
			continue
		}
		var got []string
		for _, in := range st.shards(res.Manifest.Stages[0])[0].Inputs {
			got = append(got, in.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", glob, strings.Join(got, " "), want)
		}
	}
}

// TestLinksAndPipes: nothing outside the root is read, and nobody waits at a
// pipe.
func TestLinksAndPipes(t *testing.T) {
	root := tree(t, map[string]string{"in/a.txt": "a", "in/sub/b.txt": "b", "board/x.jsonl": "{}"})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"out": secret, "abs": filepath.Join(root, "in/a.txt"), "inside": "in/a.txt", "dangling": "none", "dir": "in", "up": "..", "loop": "loop", "in/back": ".."} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	mkfifo(t, filepath.Join(root, "pipe"))
	for _, tt := range []struct{ partition, want string }{
		{`{"by":"files","glob":"inside"}`, "inside"},
		{`{"by":"files","glob":"out"}`, "!leads out"},
		{`{"by":"files","glob":"*"}`, "!leads out"},
		{`{"by":"lines","input":"out"}`, "!leads out"},
		{`{"by":"lines","input":"up/x"}`, "!leads out"},
		{`{"by":"lines","input":"abs"}`, "!leads out"},
		{`{"by":"lines","input":"dangling"}`, "!nothing there"},
		{`{"by":"lines","input":"loop"}`, "!symbolic links"},
		{`{"by":"lines","input":"pipe"}`, "!a pipe"},
		{`{"by":"lines","input":"in/back/in/a.txt"}`, "in/back/in/a.txt"},
		{`{"by":"files","glob":"dir/*.txt"}`, "dir/a.txt"},
		{`{"by":"files","glob":"*/*.txt"}`, "in/a.txt"},
		{`{"by":"files","glob":"**/*.txt"}`, "in/a.txt in/sub/b.txt"},
		{`{"by":"files","glob":"**/*.jsonl"}`, "!none below"},
		{`{"by":"files","glob":"board/*.jsonl"}`, "board/x.jsonl"},
	} {
		res, st := resolve(t, root, `{"plan_name":"p","stages":[{"stage_id":"s","kind":"exec","spec":{"argv":["cat","{inputs}"]},"partition":`+tt.partition+`}]}`)
		if text, bad := strings.CutPrefix(tt.want, "!"); bad {
			if len(res.Faults) == 0 || !strings.Contains(fmt.Sprint(res.Faults), text) || res.Manifest != nil {
				t.Errorf("%s: %+v, want %s", tt.partition, res.Faults, text)
			}
			continue
		}
		if len(res.Faults) > 0 {
			t.Errorf("%s: %+v", tt.partition, res.Faults)
			continue
		}
		var got []string
		for _, s := range st.shards(res.Manifest.Stages[0]) {
			got = append(got, s.Inputs[0].Name)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %s, want %s", tt.partition, got, tt.want)
		}
	}
}

// TestNamesThatJSONCannotHold are told, not mangled.
func TestNamesThatJSONCannotHold(t *testing.T) {
	root := tree(t, map[string]string{"a\xff.txt": "x", "new\nline.txt": "y", "ü \"q\".txt": "z"})
	res, _ := resolve(t, root, `{"plan_name":"p","stages":[{"stage_id":"s","kind":"exec","spec":{"argv":["cat","{input}"]},"partition":{"by":"files","glob":"a*"}}]}`)
	if len(res.Faults) != 1 || !strings.Contains(res.Faults[0].Expected, "UTF-8") {
		t.Errorf("%+v", res.Faults)
	}
	res, st := resolve(t, root, `{"plan_name":"p","stages":[{"stage_id":"s","kind":"exec","spec":{"argv":["cat","{input}"]},"partition":{"by":"files","glob":"[nü]*"}}]}`)
	if len(res.Faults) > 0 || len(st.shards(res.Manifest.Stages[0])) != 2 {
		t.Errorf("%+v", res.Faults)
	}
}

func BenchmarkResolve(b *testing.B) {
	root := b.TempDir()
	for _, doc := range []string{
		`{"plan_name":"p","stages":[{"stage_id":"s","kind":"exec","spec":{"argv":["echo","{item}"]},"partition":{"by":"range","to":100000}}]}`,
		`{"plan_name":"p","stages":[{"stage_id":"s","kind":"exec","spec":{"argv":["echo","{item}"]},"partition":{"by":"items","items":[` + strings.TrimSuffix(strings.Repeat(`"x",`, 1), ",") + `]}},{"stage_id":"t","kind":"exec","spec":{"argv":["cat","{input}"]},"partition":{"by":"outputs","of":"s"}}]}`,
	} {
		b.Run(doc[60:90], func(b *testing.B) {
			for b.Loop() {
				if res, _ := resolve(b, root, doc); len(res.Faults) > 0 {
					b.Fatal(res.Faults)
				}
			}
		})
	}
}
