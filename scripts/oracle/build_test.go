package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mini writes a board by hand, byte for byte as the documents have it.
type mini struct {
	t       *testing.T
	dir     string
	id      string
	seq     uint64
	journal strings.Builder
	heads   map[string]int64
	nth     map[string]int
}

var start = time.Date(2026, 1, 29, 2, 31, 13, 0, time.UTC)

func newMini(t *testing.T) *mini {
	t.Helper()
	if _, err := exec.LookPath("zstd"); err != nil {
		t.Skip("zstd is not installed: archives cannot be made or read")
	}
	m := &mini{t: t, dir: t.TempDir(), id: strings.Repeat("ab", 16), heads: map[string]int64{}, nth: map[string]int{}}
	m.file(".stigmergy/board_id", m.id+"\n")
	m.entry(`"open":true,"board_id":"` + m.id + `","boot_id":"b","fold":1,"version":"t","uid":0`)
	return m
}

func (m *mini) path(rel string) string { return filepath.Join(m.dir, rel) }

func (m *mini) file(rel, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(rel)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	f, err := os.OpenFile(m.path(rel), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mini) time(seq uint64) string {
	return start.Add(time.Duration(seq) * time.Second).Format("2006-01-02T15:04:05.000000000Z")
}

// entry journals; the caller gives the members behind elapsed_ms.
func (m *mini) entry(members string) uint64 {
	seq := m.seq
	fmt.Fprintf(&m.journal, `{"seq":%d,"time":"%s","elapsed_ms":%d,%s}`+"\n", seq, m.time(seq), seq*1000, members)
	m.seq++
	return seq
}

func (m *mini) cover(lane string, segment int, lines []string, cause string) uint64 {
	text := strings.Join(lines, "")
	from := m.heads[lane]
	m.heads[lane] += int64(len(text))
	return m.entry(fmt.Sprintf(`"lane":"%s","segment":%d,"from":%d,"to":%d,"lines":%d,"root":"%s"%s`,
		lane, segment, from, m.heads[lane], len(lines), slowRoot(lines), cause))
}

// input appends whole lines to a lane and journals them.
func (m *mini) input(lane string, segment int, lines ...string) uint64 {
	for i := range lines {
		lines[i] += "\n"
	}
	m.file(lane+".jsonl", strings.Join(lines, ""))
	return m.cover(lane, segment, lines, "")
}

// derive writes what the fold of an entry made.
func (m *mini) derive(lane string, cause uint64, lines ...string) {
	for i := range lines {
		lines[i] += "\n"
	}
	m.file(lane+".jsonl", strings.Join(lines, ""))
	m.cover(lane, 1, lines, fmt.Sprintf(`,"cause":%d`, cause))
}

// event is a derived event's line.
func (m *mini) event(lane, topic, handler, cause string, seq uint64, data string) string {
	n := m.nth[cause+handler]
	m.nth[cause+handler]++
	sum := sha256.Sum256([]byte(m.id + "\x00" + cause + "\x00" + handler + "\x00" + fmt.Sprint(n)))
	return fmt.Sprintf(`{"specversion":"1.0","id":"%x","source":"%s","type":"%s","time":"%s","cause":"%s","data":%s}`,
		sum[:16], lane, topic, m.time(seq), cause, data)
}

// refuse writes the record and the event of a refused line.
func (m *mini) refuse(lane string, segment int, off int64, seq uint64, line, reason string) {
	pos := fmt.Sprintf("%s@%d:%d", lane, segment, off)
	sum := sha256.Sum256([]byte(line))
	data := fmt.Sprintf(`"position":"%s","lane":"%s","length":%d,"sha256":"%x","reason":"%s"`, pos, lane, len(line), sum, reason)
	kept, _ := json.Marshal(line)
	m.derive("board", seq, m.event("board", "board.quarantined", "board", pos, seq, "{"+data+"}"))
	m.derive("quarantine/"+lane, seq, fmt.Sprintf(`{%s,"time":"%s","line":%s}`, data, m.time(seq), kept))
}

// rotate renames, seals and archives the lane's first segment.
func (m *mini) rotate(lane string) {
	m.t.Helper()
	m.entry(fmt.Sprintf(`"rotate":true,"lane":"%s","segment":1,"next":2,"to":%d`, lane, m.heads[lane]))
	raw, err := os.ReadFile(m.path(lane + ".jsonl"))
	if err != nil {
		m.t.Fatal(err)
	}
	archive := m.path("archive/" + lane + "/00000001.jsonl.zst")
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if out, err := exec.Command("zstd", "-q", "--rm", m.path(lane+".jsonl"), "-o", archive).CombinedOutput(); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
	packed, err := os.ReadFile(archive)
	if err != nil {
		m.t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(raw), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	rawSum, packedSum := sha256.Sum256(raw), sha256.Sum256(packed)
	m.heads[lane] = 0
	m.input("workers/archive", 1,
		fmt.Sprintf(`{"type":"board.segment.sealed","data":{"lane":"%s","segment":1,"bytes":%d,"lines":%d,"sha256":"%x","merkle_root":"%s"}}`, lane, len(raw), len(lines), rawSum, slowRoot(lines)),
		fmt.Sprintf(`{"type":"board.segment.archived","data":{"lane":"%s","segment":1,"path":"archive/%s/00000001.jsonl.zst","raw_bytes":%d,"archive_bytes":%d,"frames":1,"archive_sha256":"%x"}}`, lane, lane, len(raw), len(packed), packedSum))
}

func (m *mini) done() {
	m.file(".stigmergy/journal/00000001.jsonl", m.journal.String())
}

// slowRoot is RFC 6962's definition, recursive, over lines with their LF.
func slowRoot(lines []string) string {
	var root func(ls []string) [32]byte
	root = func(ls []string) [32]byte {
		if len(ls) == 1 {
			return sha256.Sum256([]byte("\x00" + strings.TrimSuffix(ls[0], "\n")))
		}
		k := 1
		for k*2 < len(ls) {
			k *= 2
		}
		l, r := root(ls[:k]), root(ls[k:])
		return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
	}
	h := root(lines)
	return hex.EncodeToString(h[:])
}
