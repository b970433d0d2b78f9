package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// restart builds a board of many lanes and much history, and measures how long
// a daemon takes from exec to ready: after a clean end, and after SIGKILL.
func restart(c config) error {
	dir, err := newBoard(c, "policy: {foreign_owned: record}")
	if err != nil {
		return err
	}
	if err := history(c, dir); err != nil {
		return err
	}
	once := exec.Command(c.bin, "up", "--once", "-C", dir)
	if out, err := once.CombinedOutput(); err != nil {
		return fmt.Errorf("taking the history in: %w: %s", err, out)
	}
	clean, err := starts(c, dir, (*daemon).stop)
	if err != nil {
		return err
	}
	killed, err := starts(c, dir, func(d *daemon) error { d.kill(); return nil })
	if err != nil {
		return err
	}
	fmt.Printf("restart lanes=%d bytes=%d runs=%d clean_ms=%s clean_max_ms=%s killed_ms=%s killed_max_ms=%s\n", c.lanes, sizeOf(dir), c.runs,
		ms(quantile(clean, .5)), ms(quantile(clean, 1)), ms(quantile(killed, .5)), ms(quantile(killed, 1)))
	return refold(c, dir)
}

func starts(c config, dir string, end func(*daemon) error) ([]time.Duration, error) {
	var took []time.Duration
	for range c.runs {
		d, err := start(c, dir)
		if err != nil {
			return nil, err
		}
		took = append(took, d.took)
		if err := end(d); err != nil {
			return nil, err
		}
	}
	return took, refused(dir)
}

// history spreads the file's lines over the lanes, again and again, until
// there are enough bytes. One lane in a hundred gets half of them, so that
// some of it is archived.
func history(c config, dir string) error {
	in, err := os.Open(c.file)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.Mkdir(filepath.Join(dir, "agents"), 0o755); err != nil {
		return err
	}
	big := max(1, c.lanes/100)
	br := bufio.NewReaderSize(in, 1<<20)
	for i := range c.lanes {
		share := c.bytes / 2 / int64(max(1, c.lanes-big))
		if i < big {
			share = c.bytes / 2 / int64(big)
		}
		if err := oneLane(filepath.Join(dir, "agents", fmt.Sprintf("%d.jsonl", i)), share, in, br); err != nil {
			return err
		}
	}
	return nil
}

func oneLane(path string, share int64, in *os.File, br *bufio.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for n := int64(0); n < share; {
		line, err := br.ReadSlice('\n')
		if err == io.EOF {
			if _, err := in.Seek(0, io.SeekStart); err != nil {
				return errors.Join(err, f.Close())
			}
			br.Reset(in)
			continue
		}
		if err == nil {
			_, err = w.Write(line)
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
		n += int64(len(line))
	}
	return errors.Join(w.Flush(), f.Close())
}

var refolded = regexp.MustCompile(`refolded[=": ]+([0-9]+)`)

// refold kills a daemon in the middle of much work, and reads from its next
// start how much it had to fold again.
func refold(c config, dir string) error {
	var worst string
	for i := range c.runs {
		if _, err := copyFile(filepath.Join(dir, fmt.Sprintf("late-%d.jsonl", i)), c.file); err != nil {
			return err
		}
		d, err := start(c, dir)
		if err != nil {
			return err
		}
		<-time.After(time.Duration(100+150*i) * time.Millisecond)
		d.kill()
		if d, err = start(c, dir); err != nil {
			return err
		}
		// A run that takes nothing in keeps its diary to itself.
		some := os.WriteFile(filepath.Join(dir, fmt.Sprintf("some-%d.jsonl", i)), []byte(`{"type":"bench.tick"}`+"\n"), 0o644)
		if err := errors.Join(some, d.stop()); err != nil {
			return err
		}
		log, err := os.ReadFile(filepath.Join(dir, ".stigmergy", "log", "daemon.log"))
		if err != nil {
			return err
		}
		all := refolded.FindAllStringSubmatch(d.line+"\n"+lastReady(string(log)), -1)
		if len(all) == 0 {
			return fmt.Errorf("the daemon does not say how much it folded again: %s", d.line)
		}
		n := all[len(all)-1][1]
		if len(n) > len(worst) || len(n) == len(worst) && n > worst {
			worst = n
		}
		fmt.Printf("refold run=%d bytes=%s ready_ms=%s\n", i+1, n, ms(d.took))
	}
	fmt.Printf("refold worst_bytes=%s\n", worst)
	return nil
}

func lastReady(log string) string {
	lines := strings.Split(log, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], "ready") {
			return lines[i]
		}
	}
	return ""
}
