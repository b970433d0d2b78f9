package contracts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const fixtures = "../fixtures/contracts"

func read(t testing.TB, path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func check(line []byte) *Refusal {
	var ev Event
	c := &Checker{Registry: Builtin(), MaxLine: 1 << 20}
	return c.Check([]byte(strings.TrimSuffix(string(line), "\n")), &ev)
}

func TestEveryTopicHasFixtures(t *testing.T) {
	for _, topic := range Builtin().Topics() {
		for _, kind := range []string{"valid", "invalid"} {
			files, err := filepath.Glob(filepath.Join(fixtures, topic.Name, kind, "*.json"))
			if err != nil || len(files) == 0 {
				t.Errorf("%s has no %s fixture", topic.Name, kind)
			}
		}
	}
}

func TestValidFixtures(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures, "*", "valid", "*.json"))
	if err != nil || len(files) < 2*len(Builtin().Topics()) {
		t.Fatalf("%d fixtures: %v", len(files), err)
	}
	for _, f := range files {
		if r := check(read(t, f)); r != nil {
			t.Errorf("%s: %v", f, r)
		}
	}
}

// refused.tsv says of each invalid fixture where it breaks its contract.
func TestInvalidFixtures(t *testing.T) {
	listed := map[string]bool{}
	for line := range strings.Lines(string(read(t, filepath.Join(fixtures, "refused.tsv")))) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		listed[filepath.Join(fixtures, filepath.FromSlash(f[0]))] = true
		r := check(read(t, filepath.Join(fixtures, filepath.FromSlash(f[0]))))
		switch {
		case r == nil:
			t.Errorf("%s was taken", f[0])
		case r.Reason != ReasonContract || r.Errors[0].Pointer != f[1] || r.Errors[0].Keyword != f[2]:
			t.Errorf("%s: %v (%s), want %s %s", f[0], r, r.Errors[0].Keyword, f[1], f[2])
		case r.Contract != r.Topic || r.Errors[0].Expected == "" || r.Errors[0].Got == "":
			t.Errorf("%s: not told in full: %+v", f[0], r)
		}
	}
	files, err := filepath.Glob(filepath.Join(fixtures, "*", "invalid", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !listed[f] {
			t.Errorf("%s is not in refused.tsv", f)
		}
	}
}

type seedExample struct {
	Flow, Topic, Text, Verdict string
	Why                        []string
	Corrected                  json.RawMessage
}

// seedExamples reads the table of the seed's own examples, what becomes of each as
// it stands, and how it is put right.
func seedExamples(t testing.TB) (out []seedExample) {
	if err := json.Unmarshal(read(t, filepath.Join(fixtures, "seed.json")), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSeedExamples(t *testing.T) {
	for _, e := range seedExamples(t) {
		compact := strings.ReplaceAll(e.Text, "\n", " ")
		r := check([]byte(`{"type":"` + e.Topic + `","data":` + compact + `}`))
		var why []string
		if r != nil && r.Reason == ReasonContract {
			for _, err := range r.Errors {
				why = append(why, err.Pointer+" "+err.Keyword)
			}
		} else if r != nil {
			why = []string{string(r.Reason)}
		}
		if (r == nil) != (e.Verdict == "accepted") || !slices.Equal(why, e.Why) {
			t.Errorf("%s, %s: %v, want %s for %v", e.Flow, e.Topic, why, e.Verdict, e.Why)
		}
		if e.Corrected == nil {
			continue
		}
		if r := check([]byte(`{"type":"` + e.Topic + `","data":` + string(e.Corrected) + `}`)); r != nil {
			t.Errorf("%s, %s, corrected: %v", e.Flow, e.Topic, r)
		}
	}
}

// The table holds every example of the seed, word for word.
func TestSeedExamplesAreComplete(t *testing.T) {
	seed := string(read(t, shared(t, filepath.Join("seeds", "hxo-genesis-topics.txt"))))
	_, flows, _ := strings.Cut(seed, "## Event Flows")
	flows, _, _ = strings.Cut(flows, "## Payload Schemas")
	var texts []string
	for _, block := range regexp.MustCompile(`(?ms)^   \{$.*?^   \}$`).FindAllString(flows, -1) {
		texts = append(texts, regexp.MustCompile(`(?m)^   `).ReplaceAllString(block, ""))
	}
	table := seedExamples(t)
	if len(texts) != len(table) {
		t.Fatalf("%d examples in the seed, %d in the table", len(texts), len(table))
	}
	for i, text := range texts {
		if text != table[i].Text {
			t.Errorf("example %d is not the seed's:\n%s", i, text)
		}
	}
}

// The seed's own tables are ours: topics, purposes, producers, consumers and
// frequencies.
func TestSeedMatrix(t *testing.T) {
	seed := string(read(t, shared(t, filepath.Join("seeds", "hxo-genesis-topics.txt"))))
	rows := 0
	for line := range strings.Lines(seed) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 4 && len(cells) != 3 || !strings.HasPrefix(cells[0], "`") {
			continue
		}
		topic := Builtin().Topic([]byte(strings.Trim(cells[0], "`")))
		if topic == nil {
			t.Errorf("no contract for %s", cells[0])
			continue
		}
		rows++
		switch {
		case cells[1] == "Publish":
			if topic.Direction != "publish" || topic.Title != cells[2] {
				t.Errorf("%s: %s, %q, want %v", topic.Name, topic.Direction, topic.Title, cells)
			}
			for _, field := range strings.Split(strings.Trim(cells[3], "`{}"), ", ") {
				if !slices.Contains(topic.checks[0].Text().Strings("required"), field) {
					t.Errorf("%s: %s is not required", topic.Name, field)
				}
			}
		case len(cells) == 3:
			if topic.Direction != "subscribe" || topic.Title != cells[2] {
				t.Errorf("%s: %s, %q, want %v", topic.Name, topic.Direction, topic.Title, cells)
			}
		default:
			if topic.Producer != cells[1] || strings.Join(topic.Consumers, ", ") != cells[2] || !strings.EqualFold(topic.Frequency, cells[3]) {
				t.Errorf("%s: %s, %v, %s, want %v", topic.Name, topic.Producer, topic.Consumers, topic.Frequency, cells)
			}
		}
		if topic.Version != "1.9.6n" {
			t.Errorf("%s: version %s", topic.Name, topic.Version)
		}
	}
	if rows != 12+2+9 {
		t.Errorf("%d rows of the seed's tables, want 23", rows)
	}
}

// fixturesOf are a topic's fixtures, good and bad.
func fixturesOf(t testing.TB, topic string) []string {
	files, err := filepath.Glob(filepath.Join(fixtures, topic, "*valid", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no fixtures: %v", topic, err)
	}
	return files
}
