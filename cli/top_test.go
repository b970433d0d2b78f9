package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTheMeterForgetsWhatIsOlderThanItsWindow(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := newMeter(2, func() time.Time { return now })
	at := func(ago time.Duration) int64 { return now.Add(-ago).UnixNano() }
	m.count("a.b", at(0))
	m.count("a.b", at(59*time.Second))
	m.count("a.c", at(30*time.Second))
	m.count("a.d", at(61*time.Second))
	counts := func() string {
		l := &topLook{}
		m.fill(l)
		out := fmt.Sprintf("%d %.2f", l.Events, l.Rate)
		for _, x := range l.Topics {
			out += fmt.Sprintf(" %s=%d", x.Topic, x.Count)
		}
		return out
	}
	for _, step := range []struct {
		pass time.Duration
		want string
	}{{0, "3 0.05 a.b=2 a.c=1"}, {time.Second, "2 0.03 a.b=1 a.c=1"}, {30 * time.Second, "1 0.02 a.b=1"}, {time.Minute, "0 0.00"}} {
		now = now.Add(step.pass)
		if got := counts(); got != step.want {
			t.Errorf("after another %s: %s, want %s", step.pass, got, step.want)
		}
	}
	if len(m.topics) != 0 {
		t.Errorf("%d topics are kept", len(m.topics))
	}
}

// A frame never has more lines or columns than the screen, whatever there is to
// show, and every section that has something shows some of it.
func TestFramesFitTheScreen(t *testing.T) {
	a, _ := testApp(t, "text", false)
	a.now = time.Now
	l := &topLook{Board: "/somewhere/board", Newest: []topEvent{}}
	for i := range 40 {
		l.Topics = append(l.Topics, topTopic{Topic: fmt.Sprintf("topic.%d", i), Count: 40 - i})
		l.Lanes = append(l.Lanes, laneLook{Lane: fmt.Sprintf("lane%d", i), Path: fmt.Sprintf("lane%d.jsonl", i)})
		l.Plans = append(l.Plans, topPlan{Name: "plan", planNumbers: planNumbers{PlanID: "7c9e6679-7425-40de-944b-e07fc1f90ae7"}})
		l.Newest = append(l.Newest, topEvent{Type: "e.x", Time: showTime(1), Data: json.RawMessage(`{"m":"` + strings.Repeat("長い", 100) + `\u001b[2J"}`), Subject: "a\x1b[31m\nb"})
	}
	for _, size := range [][2]int{{80, 24}, {200, 100}, {30, 12}, {10, 3}, {1, 1}} {
		lines := l.frame(a, size[0], size[1])
		if len(lines) > size[1] {
			t.Errorf("%d lines on a screen of %d", len(lines), size[1])
		}
		for _, line := range lines {
			if len([]rune(line)) > size[0] || strings.ContainsFunc(line, unsafeRune) {
				t.Errorf("on a screen of %d columns: %q", size[0], line)
			}
		}
		if text := strings.Join(lines, "\n"); size[1] >= 24 {
			for _, want := range []string{"topic.1 ", "lane1@0", "plan 7c9e", "e.x"} {
				if !strings.Contains(text, want) {
					t.Errorf("no %s on a screen of %v:\n%s", want, size, text)
				}
			}
		}
	}
}

func TestTopLooksOnceInAPipe(t *testing.T) {
	b := onBoard(t)
	b.append("ci", `{"type":"a.b","data":{"n":1}}`+"\n"+`{"type":"a.b","data":{"n":2}}`+"\n"+`{"type":"a.old","time":"2020-01-01T00:00:00Z"}`+"\n")
	b.run("up", "--once")
	var got topLook
	must(t, json.Unmarshal([]byte(b.run("top", "-o", "jsonl", "-n", "2")), &got))
	if got.Up || got.Events != 2 || len(got.Topics) != 1 || got.Topics[0].Topic != "a.b" || got.Topics[0].Count != 2 {
		t.Errorf("%+v", got)
	}
	if len(got.Newest) != 2 || got.Newest[1].Type != "a.old" || got.Newest[1].Position != "ci@1:60" || string(got.Newest[0].Data) != `{"n":2}` {
		t.Errorf("newest: %+v", got.Newest)
	}
	if len(got.Lanes) != 2 || got.LaneSum != 2 {
		t.Errorf("lanes: %+v", got.Lanes)
	}
	if csv := b.run("top", "-o", "csv"); !strings.HasPrefix(csv, "topic,count,per_second,last\na.b,2,0.03,") {
		t.Errorf("%s", csv)
	}
	if text := b.run("top", "-o", "text"); !strings.Contains(text, "no daemon: stigmergy up") || !strings.Contains(text, "NEWEST EVENTS") {
		t.Errorf("%s", text)
	}
}
