package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// newBoard makes an empty board in the work folder.
func newBoard(c config, settings ...string) (string, error) {
	dir := filepath.Join(c.work, "board")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(c.work, 0o755)); err != nil {
		return "", err
	}
	init := exec.Command(c.bin, "init", dir)
	init.Dir = c.work
	if out, err := init.CombinedOutput(); err != nil {
		return "", fmt.Errorf("init: %w: %s", err, out)
	}
	text := strings.Join(append(settings, c.settings), "\n") + "\n"
	return dir, os.WriteFile(filepath.Join(dir, "stigmergy.yaml"), []byte(text), 0o644)
}

// daemon is a running `stigmergy up`.
type daemon struct {
	cmd   *exec.Cmd
	begun time.Time
	took  time.Duration // from exec to the line that says ready
	line  string        // that line
	said  bytes.Buffer
	eof   chan struct{}
}

// start starts a daemon and waits until it is ready.
func start(c config, dir string) (*daemon, error) {
	d := &daemon{cmd: exec.Command(c.bin, "up", "--no-http", "-C", dir), eof: make(chan struct{})}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	d.cmd.Stdout, d.cmd.Stderr = w, w
	d.begun = time.Now()
	if err := errors.Join(d.cmd.Start(), w.Close()); err != nil {
		return nil, err
	}
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadString('\n')
		if strings.HasPrefix(line, "Up in ") {
			d.took, d.line = time.Since(d.begun), strings.TrimSpace(line)
			break
		}
		d.said.WriteString(line)
		if err != nil {
			return nil, fmt.Errorf("the daemon ended before it was ready: %v: %s", d.cmd.Wait(), d.said.String())
		}
	}
	go func() {
		_, _ = io.Copy(&d.said, br)
		close(d.eof)
	}()
	return d, nil
}

// stop ends it and wants a clean end.
func (d *daemon) stop() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	err := d.cmd.Wait()
	<-d.eof
	if code := d.cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGTERM) {
		return fmt.Errorf("the daemon ended with %d (%v): %s", code, err, d.said.String())
	}
	return nil
}

func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	<-d.eof
}

// cpu is what the process has used so far, all threads, in nanoseconds.
func (d *daemon) cpu() time.Duration {
	var sum int64
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", d.cmd.Process.Pid))
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		ns, _, _ := strings.Cut(string(b), " ")
		n, _ := strconv.ParseInt(ns, 10, 64)
		sum += n
	}
	return time.Duration(sum)
}

// peak is the most memory it has had, in MB.
func (d *daemon) peak() float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// refused says whether anything was quarantined: then the measurement is void.
func refused(dir string) error {
	var found error
	err := filepath.WalkDir(filepath.Join(dir, "quarantine"), func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, _ := os.ReadFile(p)
			line, _, _ := bytes.Cut(b, []byte("\n"))
			if len(line) > 0 {
				found = fmt.Errorf("lines were quarantined, the first of %s: %s", p, line)
			}
		}
		return nil
	})
	return errors.Join(err, found)
}
