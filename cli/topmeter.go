package cli

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"time"

	"stigmergy/blackboard/query"
)

// meterWindow is what rates are taken over.
const meterWindow = time.Minute

const meterSeconds = int(meterWindow / time.Second)

// meter counts events by topic, second by second, and keeps the newest ones.
type meter struct {
	most int // events that are kept
	now  func() time.Time

	mu     sync.Mutex // guards what follows
	topics map[string]*topicMeter
	newest []topEvent
}

type topicMeter struct {
	counts [meterSeconds]int32
	stamps [meterSeconds]int64 // the second that a count is of
	last   int64
}

func newMeter(most int, now func() time.Time) *meter {
	return &meter{most: most, now: now, topics: map[string]*topicMeter{}}
}

// count adds an event of a time; what is older than the window does not count.
func (m *meter) count(topic string, at int64) {
	sec := at / int64(time.Second)
	m.mu.Lock()
	defer m.mu.Unlock()
	if sec <= m.now().Unix()-int64(meterSeconds) {
		return
	}
	t := m.topics[topic]
	if t == nil {
		t = &topicMeter{}
		m.topics[topic] = t
	}
	i := int(sec % int64(meterSeconds))
	if t.stamps[i] != sec {
		t.stamps[i], t.counts[i] = sec, 0
	}
	t.counts[i]++
	t.last = max(t.last, at)
}

// show keeps an event among the newest.
func (m *meter) show(h *query.Hit) {
	if m.most == 0 {
		return
	}
	ev := h.Event()
	e := topEvent{Position: h.Pos.String(), Time: showTime(ev.Time()), Type: ev.TopicName, Subject: ev.Subject(), Data: bytes.Clone(ev.Data())}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.newest) == m.most {
		m.newest = slices.Delete(m.newest, 0, 1)
	}
	m.newest = append(m.newest, e)
}

// fill puts what was counted into a look, and forgets topics without events.
func (m *meter) fill(l *topLook) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.now().Unix() - int64(meterSeconds) + 1
	for name, t := range m.topics {
		n := 0
		for i, sec := range t.stamps {
			if sec >= first {
				n += int(t.counts[i])
			}
		}
		if n == 0 {
			delete(m.topics, name)
			continue
		}
		l.Events += n
		l.Topics = append(l.Topics, topTopic{Topic: name, Count: n, Rate: perSecond(n), Last: showTime(t.last), at: t.last})
	}
	l.Rate = perSecond(l.Events)
	slices.SortFunc(l.Topics, func(a, b topTopic) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Topic, b.Topic)) })
	l.Newest = append(l.Newest, m.newest...)
}

// perSecond is a rate over the window, with two decimals.
func perSecond(n int) float64 {
	return float64(int(float64(n)/meterWindow.Seconds()*100+0.5)) / 100
}
