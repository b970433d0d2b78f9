package lanes

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model is what a board's files hold, as those who write them know it.
type model struct {
	*reader
	rt    *rapid.T
	files map[string]*mfile // by path; outside the board: "/…"
	past  []*mfile          // that have no name any more
	times map[string]int    // how often a line may be taken in
	lines int
}

// mfile is one file.
type mfile struct {
	text string
	tail *Tail // what tracked it at the last look
	held bool  // a descriptor was held then: not a byte may be missed
}

func whole(text string) string { return text[:strings.LastIndexByte(text, '\n')+1] }

var places = []string{"a.jsonl", "b.jsonl", "x/a.jsonl", "x/b.jsonl", "y/a.jsonl", "a.jsonl.1", "x/old", "/away", "/far"}

func isLanePath(p string) bool { return strings.HasSuffix(p, ".jsonl") }

func (m *model) real(p string) string {
	if p[0] == '/' {
		return m.away() + p
	}
	return m.path(p)
}

// text makes new lines, the last one unfinished at times; long ones go beyond
// both windows.
func (m *model) text() string {
	var b strings.Builder
	for range rapid.IntRange(1, 3).Draw(m.rt, "lines") {
		m.lines++
		line := fmt.Sprintf("%d", m.lines)
		if rapid.IntRange(0, 3).Draw(m.rt, "long") == 0 {
			line += strings.Repeat("-", 3000)
		}
		b.WriteString(line + "\n")
	}
	s := b.String()
	if rapid.IntRange(0, 3).Draw(m.rt, "torn") == 0 {
		s = s[:len(s)-1]
	}
	return s
}

// again allows the whole lines of a text to be taken in once more.
func (m *model) again(text string) {
	for _, l := range strings.Split(whole(text), "\n") {
		m.times[l]++
	}
}

func (m *model) pick(where func(p string) bool, label string) string {
	var ps []string
	for _, p := range places {
		if where(p) {
			ps = append(ps, p)
		}
	}
	if len(ps) == 0 {
		m.rt.Skip("no " + label)
	}
	return rapid.SampledFrom(ps).Draw(m.rt, label)
}

func (m *model) has(p string) bool   { return m.files[p] != nil }
func (m *model) lane(p string) bool  { return m.has(p) && isLanePath(p) }
func (m *model) free(p string) bool  { return !m.has(p) }
func (m *model) gone(f *mfile)       { m.past = append(m.past, f) }
func (m *model) any(p string) bool   { return true }
func (m *model) store(p, txt string) { must(m.t, os.WriteFile(m.real(p), []byte(txt), 0o644)) }

func (m *model) add(t *rapid.T) {
	p := m.pick(isLanePath, "lane")
	text := m.text()
	m.mkdir(p)
	if m.files[p] == nil {
		m.files[p] = &mfile{}
	}
	f, err := os.OpenFile(m.real(p), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(m.t, err)
	_, err = f.WriteString(text)
	must(m.t, err)
	must(m.t, f.Close())
	m.grow(m.files[p].text, text)
	m.files[p].text += text
}

// grow allows the lines that more makes whole to be taken in.
func (m *model) grow(old, more string) { m.again((old + more)[len(whole(old)):]) }

func (m *model) mkdir(p string) {
	if i := strings.IndexByte(p, '/'); i > 0 {
		must(m.t, os.MkdirAll(m.path(p[:i]), 0o755))
	}
}

func (m *model) truncate(t *rapid.T) {
	p := m.pick(m.lane, "lane")
	f := m.files[p]
	n := rapid.IntRange(0, len(f.text)).Draw(m.rt, "length")
	must(m.t, os.Truncate(m.real(p), int64(n)))
	m.reborn(f, f.text[:n])
}

// reborn gives a file another content: no promise about the old one is left.
func (m *model) reborn(f *mfile, text string) {
	if text == f.text {
		return
	}
	m.again(text)
	f.text, f.tail, f.held = text, nil, false
}

func (m *model) rewrite(t *rapid.T) {
	p := m.pick(m.lane, "lane")
	text := m.text()
	m.store(p, text)
	m.reborn(m.files[p], text)
}

func (m *model) remove1(t *rapid.T) {
	p := m.pick(m.has, "file")
	must(m.t, os.Remove(m.real(p)))
	m.gone(m.files[p])
	delete(m.files, p)
}

func (m *model) move(t *rapid.T) {
	from, to := m.pick(m.has, "from"), m.pick(m.any, "to")
	if from == to {
		m.rt.Skip("no move")
	}
	m.mkdir(to)
	must(m.t, os.Rename(m.real(from), m.real(to)))
	if old := m.files[to]; old != nil {
		m.gone(old)
	}
	m.files[to] = m.files[from]
	delete(m.files, from)
	if m.files[to].tail == nil { // it will not be compared with what stood under its first name
		m.again(m.files[to].text)
	}
	if !isLanePath(to) && !m.files[to].held { // nobody looks there
		m.files[to].tail = nil
	}
}

// replace puts a new file over a lane, or in its place after deleting it.
func (m *model) replace(t *rapid.T) {
	p := m.pick(m.lane, "lane")
	old := m.files[p]
	var text string
	switch rapid.IntRange(0, 2).Draw(m.rt, "with") {
	case 0:
		text = m.text()
		m.again(text)
	case 1: // an editor that only appended
		text = old.text + m.text()
		m.again(text[len(whole(old.text)):])
	default:
		text = old.text[:rapid.IntRange(0, len(old.text)).Draw(m.rt, "part")]
		m.again(text)
	}
	if rapid.Bool().Draw(m.rt, "over") {
		must(m.t, os.WriteFile(m.path("tmp"), []byte(text), 0o644))
		must(m.t, os.Rename(m.path("tmp"), m.real(p)))
	} else {
		must(m.t, os.Remove(m.real(p)))
		m.store(p, text)
	}
	if m.last(p) || old.tail == nil {
		m.again(text) // what held the name before is not the one compared with
	}
	m.gone(old)
	m.files[p] = &mfile{text: text}
}

// last says whether the file under p came there since the last look.
func (m *model) last(p string) bool {
	t := m.files[p].tail
	return t == nil || m.set.at[p] != t
}

func (m *model) copy1(t *rapid.T) {
	from, to := m.pick(m.has, "from"), m.pick(m.free, "to")
	m.mkdir(to)
	m.store(to, m.files[from].text)
	m.files[to] = &mfile{text: m.files[from].text}
	m.again(m.files[to].text)
}

func (m *model) moveFolder(t *rapid.T) {
	from, to := "x/", "z/"
	if _, err := os.Stat(m.path("x")); err != nil {
		from, to = to, from
	}
	if _, err := os.Stat(m.path(from)); err != nil {
		m.rt.Skip("no folder")
	}
	must(m.t, os.Rename(m.path(from), m.path(to)))
	must(m.t, os.Rename(m.path(to), m.path(from)))
}

func (m *model) restart1(t *rapid.T) {
	m.check(t)
	saved := m.stop()
	for range rapid.IntRange(0, 4).Draw(t, "ops while down") {
		rapid.SampledFrom([]func(*rapid.T){m.addCold, m.removeCold, m.rewriteCold, m.renameCold}).Draw(t, "op")(t)
	}
	m.start(saved)
	m.drain()
	for m.set.warmUp() {
	}
}

// cold forgets what was held: while the daemon is down nothing is.
func (m *model) cold() {
	for _, f := range m.files {
		f.held = false
	}
}

func (m *model) addCold(t *rapid.T) { m.cold(); m.add(t) }

func (m *model) removeCold(t *rapid.T) {
	m.cold()
	for _, p := range places {
		if m.lane(p) {
			must(m.t, os.Remove(m.real(p)))
			delete(m.files, p)
			return
		}
	}
}

func (m *model) rewriteCold(t *rapid.T) {
	m.cold()
	for _, p := range places {
		if m.lane(p) {
			text := m.text()
			m.store(p, text)
			m.reborn(m.files[p], text)
			return
		}
	}
}

func (m *model) renameCold(t *rapid.T) {
	m.cold()
	if m.has("a.jsonl") && !m.has("b.jsonl") {
		m.rename("a.jsonl", "b.jsonl")
		m.files["b.jsonl"] = m.files["a.jsonl"]
		delete(m.files, "a.jsonl")
	}
}

// check looks until all is settled, and holds what was taken in against the
// files.
func (m *model) check(t *rapid.T) {
	m.settle()
	m.settle()
	for _, p := range places {
		f := m.files[p]
		if f == nil {
			continue
		}
		tail := m.set.at[p]
		if isLanePath(p) {
			if tail == nil {
				t.Fatalf("%s is not tracked (%v, %v, %v)\n%s", p, m.set.heirs[p], m.set.cands[p], m.set.again, m.did())
			}
			if got := string(m.taken[key(tail)]); got != whole(f.text) {
				t.Fatalf("%s, %s: took in %q, the file holds %q\n%s", p, key(tail), shorten(got), shorten(whole(f.text)), m.did())
			}
			f.tail, f.held = tail, tail.Open() && m.opt.MaxOpen == 0
		}
	}
	m.sweep() // no event tells of a file that has no name here
	for _, f := range m.past {
		if f.held && !strings.HasPrefix(string(m.taken[key(f.tail)]), whole(f.text)) {
			t.Fatalf("a file that is gone, %s: took in %q, it held %q\n%s", key(f.tail), shorten(string(m.taken[key(f.tail)])), shorten(whole(f.text)), m.did())
		}
	}
	m.past = nil
	m.once(t)
	checkSet(m.t, m.set)
}

// once holds every line to being taken in no more often than it was written.
func (m *model) once(t *rapid.T) {
	count := map[string]int{}
	for _, b := range m.taken {
		for _, l := range strings.Split(string(b), "\n") {
			count[l]++
		}
	}
	for _, l := range keys(count) {
		if n, most := count[l], m.times[l]; n > most && l != "" {
			t.Fatalf("line %.20s was taken in %d times, may be %d\n%s", l, n, most, m.did())
		}
	}
}

// descriptors is how many this process has open.
func descriptors(t *testing.T) int {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not to be had here
	}
	return len(fds)
}

func machine(rt *rapid.T, t *testing.T, opt Options) {
	before := descriptors(t)
	r := newReader(t, opt)
	m := &model{reader: r, rt: rt, files: map[string]*mfile{}, times: map[string]int{}}
	must(t, os.MkdirAll(r.away(), 0o755))
	defer func() {
		must(t, r.set.Close())
		if n := descriptors(t); n > before+2 { // the runtime's own poller may be new
			t.Errorf("%d descriptors before, %d after", before, n)
		}
		must(t, os.RemoveAll(r.away()))
		must(t, os.RemoveAll(r.dir))
	}()
	r.start(nil)
	with := func(f func(*rapid.T)) func(*rapid.T) { return func(x *rapid.T) { m.rt = x; f(x) } }
	rt.Repeat(map[string]func(*rapid.T){
		"append": with(m.add), "append again": with(m.add), "truncate": with(m.truncate), "rewrite": with(m.rewrite),
		"remove": with(m.remove1), "move": with(m.move), "replace": with(m.replace), "copy": with(m.copy1),
		"move a folder": with(m.moveFolder), "restart": with(m.restart1), "look": with(m.check),
	})
	m.check(rt)
}

func TestMachineSweeps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { machine(rt, t, Options{}) })
}

func TestMachineEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { machine(rt, t, Options{Watch: true}) })
}

func TestMachineFewDescriptors(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { machine(rt, t, Options{MaxOpen: 2}) })
}
