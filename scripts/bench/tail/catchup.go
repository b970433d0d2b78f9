package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// catchup starts a daemon on a lane that is full already, and stops the clock
// when the journal covers its last byte.
func catchup(c config) error {
	dir, err := newBoard(c, "policy: {foreign_owned: record}")
	if err != nil {
		return err
	}
	size, err := copyFile(filepath.Join(dir, "bench.jsonl"), c.file)
	if err != nil {
		return err
	}
	d, err := start(c, dir)
	if err != nil {
		return err
	}
	took, lines, err := d.until(dir, size)
	cpu, peak := d.cpu(), d.peak()
	if err = errors.Join(err, d.stop(), refused(dir)); err != nil {
		return err
	}
	if lines != int64(c.n) {
		return fmt.Errorf("%d lines were journaled, the file has %d", lines, c.n)
	}
	peak = max(peak, d.peak())
	fmt.Printf("catchup peer=stigmergy n=%d secs=%.3f lines_s=%.0f MB_s=%.1f cpu_s=%.2f cpu_s_M=%.2f rss_MB=%.1f journal_MB=%.2f\n",
		c.n, took.Seconds(), float64(c.n)/took.Seconds(), float64(size)/1e6/took.Seconds(), cpu.Seconds(), cpu.Seconds()/float64(c.n)*1e6, peak, float64(sizeOf(journalDir(dir)))/1e6)
	return nil
}

// until waits until the journal covers so many bytes of lane bench, over all
// its segments.
func (d *daemon) until(dir string, size int64) (time.Duration, int64, error) {
	t := &tailer{dir: journalDir(dir)}
	var lines, covered int64
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for covered < size {
		_, err := t.next(func(e *entry) {
			if e.input() && e.Lane == "bench" {
				covered = max(covered, e.To)
				lines += e.Lines
			}
		})
		if err != nil {
			return 0, lines, err
		}
		if covered >= size {
			break
		}
		if time.Since(d.begun) > patience {
			return 0, lines, fmt.Errorf("after %v %d of %d bytes are journaled", patience, covered, size)
		}
		<-poll.C
	}
	return time.Since(d.begun), lines, nil
}

func copyFile(to, from string) (int64, error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, in)
	return n, errors.Join(err, out.Close())
}
