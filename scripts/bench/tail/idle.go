package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// idle measures the CPU of a daemon that has nothing to do.
func idle(c config) error {
	dir, err := newBoard(c)
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "agents"), 0o755); err != nil {
		return err
	}
	for i := range c.lanes {
		line := fmt.Sprintf(`{"type":"bench.tick","data":{"lane":%d}}`+"\n", i)
		if err := os.WriteFile(filepath.Join(dir, "agents", fmt.Sprintf("%d.jsonl", i)), []byte(line), 0o644); err != nil {
			return err
		}
	}
	d, err := start(c, dir)
	if err != nil {
		return err
	}
	time.Sleep(5 * time.Second) // what is left of starting
	before, size := d.cpu(), sizeOf(dir)
	time.Sleep(time.Duration(c.secs) * time.Second)
	used := d.cpu() - before
	err = nil
	if grown := sizeOf(dir) - size; grown != 0 {
		err = fmt.Errorf("a quiet board wrote %d bytes", grown)
	}
	peak := d.peak()
	if err = errors.Join(err, d.stop()); err != nil {
		return err
	}
	fmt.Printf("idle lanes=%d secs=%d cpu_ms=%.1f cpu_percent=%.4f rss_MB=%.1f\n", c.lanes, c.secs, float64(used)/1e6, used.Seconds()/float64(c.secs)*100, peak)
	return nil
}
