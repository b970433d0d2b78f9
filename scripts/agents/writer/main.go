// Command writer is a writer in Go: writer FILE NAME COUNT [PAD] [FIRST].
//
// It imports nothing of the board: one Write of one line on a file opened with
// O_APPEND is the whole protocol. *os.File does not buffer; a bufio.Writer in
// between would cut lines wherever its buffer is full.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// lane is the rule itself. Copy this.
type lane struct{ f *os.File }

func open(path string) (lane, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return lane{}, err
	}
	fi, err := f.Stat()
	if err != nil {
		return lane{}, err
	}
	last := []byte{'\n'}
	if fi.Size() > 0 {
		_, err = f.ReadAt(last, fi.Size()-1)
	}
	if err == nil && last[0] != '\n' {
		_, err = f.Write([]byte{'\n'}) // somebody died in the middle of a line
	}
	return lane{f}, err
}

func (l lane) append(event any) error {
	line, err := json.Marshal(event)
	if err != nil {
		return err
	}
	if n, err := l.f.Write(append(line, '\n')); err != nil {
		if n > 0 { // the disk is full: end what is there, say so
			_, nerr := l.f.Write([]byte{'\n'})
			err = errors.Join(err, nerr)
		}
		return fmt.Errorf("wrote %d of %d bytes: %w", n, len(line)+1, err)
	}
	return nil
}

type note struct {
	Type string `json:"type"`
	Data struct {
		Writer string `json:"writer"`
		N      int    `json:"n"`
		Pad    string `json:"pad"`
	} `json:"data"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: writer FILE NAME COUNT [PAD] [FIRST]")
	}
	numbers := []int{0, 0, 1} // count, pad, first
	for i, a := range args[2:min(len(args), 5)] {
		n, err := strconv.Atoi(a)
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	l, err := open(args[0])
	if err != nil {
		return err
	}
	e := note{Type: "agent.note"}
	e.Data.Writer, e.Data.Pad = args[1], strings.Repeat("x", numbers[1])
	for i := range numbers[0] {
		e.Data.N = numbers[2] + i
		if err := l.append(e); err != nil {
			return err
		}
	}
	return l.f.Close()
}
