package oracle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// truth is what the writers know: how often each line was acknowledged.
type truth struct {
	lines map[[32]byte]*known
	torn  [][]byte // lines in flight when their writer died
	extra []string // lines on the board that nobody wrote
}

type known struct {
	good, bad, tried   int // as the writers say
	taken, quarantined int // as the board has it
	where              string
}

func (c *checker) readTruth() error {
	if c.opt.Truth == "" {
		return nil
	}
	c.truth = &truth{lines: map[[32]byte]*known{}}
	for _, sub := range []string{"good", "bad", "tried"} {
		files, err := filepath.Glob(filepath.Join(c.opt.Truth, sub, "*.jsonl"))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := c.truth.read(f, sub); err != nil {
				return fmt.Errorf("reading the truth: %w", err)
			}
		}
	}
	if len(c.truth.lines) == 0 {
		return fmt.Errorf("reading the truth: %s holds no line in good/, bad/ or tried/", c.opt.Truth)
	}
	return nil
}

func (t *truth) read(path, sub string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := newLineReader(f, 1<<20)
	for n := 1; ; n++ {
		l, err := r.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if judge(l, 1<<20).blank {
			continue // counts as a line, is no event
		}
		k := t.lines[l.sum]
		if k == nil {
			k = &known{where: fmt.Sprintf("%s line %d", path, n)}
			t.lines[l.sum] = k
		}
		switch sub {
		case "good":
			k.good++
		case "bad":
			k.bad++
		case "tried":
			k.tried++
			t.torn = append(t.torn, l.text)
		}
	}
}

// saw counts a line that was taken in. A nil truth sees nothing.
func (t *truth) saw(l line, quarantined bool, recovered []byte) {
	if t == nil {
		return
	}
	if k := t.lines[l.sum]; k != nil {
		k.count(quarantined)
		return
	}
	if recovered != nil {
		if k := t.lines[sha256.Sum256(recovered)]; k != nil {
			k.count(false)
			return
		}
	}
	if quarantined && t.isTorn(l.text) {
		return
	}
	t.extra = append(t.extra, string(l.text[:min(len(l.text), 100)]))
}

func (k *known) count(quarantined bool) {
	if quarantined {
		k.quarantined++
	} else {
		k.taken++
	}
}

// isTorn says whether the line begins as one that its writer did not finish;
// what is glued behind it must be a whole line of somebody's. A power cut can
// leave a file's size without its last bytes: NULs stand for those.
func (t *truth) isTorn(text []byte) bool {
	if len(t.torn) > 0 {
		text = bytes.TrimRight(text, "\x00")
	}
	for _, whole := range t.torn {
		if len(text) == 0 {
			return true
		}
		n := 0
		for n < len(text) && n < len(whole) && text[n] == whole[n] {
			n++
		}
		for ; n > 0; n-- { // the shared beginning may reach into the glued line
			if n == len(text) {
				return true
			}
			if k := t.lines[sha256.Sum256(text[n:])]; k != nil {
				k.taken++
				return true
			}
		}
	}
	return false
}

// compareTruth: exactly as often as acknowledged, nothing else.
func (c *checker) compareTruth() error {
	if c.truth == nil {
		return nil
	}
	for _, text := range c.truth.extra {
		c.fail("I3", "truth", "a line on the board that no writer wrote: %q", text)
	}
	keys := make([]*known, 0, len(c.truth.lines))
	for _, k := range c.truth.lines {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].where < keys[j].where })
	for _, k := range keys {
		c.sum.Truth++
		c.compareLine(k)
	}
	return nil
}

func (c *checker) compareLine(k *known) {
	want, got := k.good+k.bad, k.taken+k.quarantined
	switch {
	case got < want:
		c.fail("I1", k.where, "acknowledged %d times, on the board %d times", want, got)
	case got > want+k.tried:
		c.fail("I2", k.where, "written %d times, on the board %d times", want+k.tried, got)
	case k.quarantined < k.bad:
		c.fail("I4", k.where, "%d of it should have been refused, %d were", k.bad, k.quarantined)
	case k.bad == 0 && k.quarantined > 0:
		c.fail("I4", k.where, "a good line was refused")
	}
}
