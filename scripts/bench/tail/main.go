// Command tail measures a daemon that takes lanes in. scripts/bench/tail.sh
// calls it; every path comes in as an argument.
//
//	tail gen -n 100000 -out FILE                              lines that every contract accepts
//	tail catchup -bin stigmergy -file FILE -n N -work DIR     throughput, CPU, memory
//	tail latency -bin stigmergy -work DIR -rate 1000 -secs 10 append → journaled, append → handled
//	tail idle -bin stigmergy -work DIR -lanes 1000 -secs 30   CPU while nothing happens
//	tail restart -bin stigmergy -file FILE -work DIR -lanes 1000 -bytes 2147483648
//
// Each prints one line of key=value words and exits 1 when the daemon did
// something wrong, never because it was slow: tail.sh judges that.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

// config is what the command line says.
type config struct {
	bin, file, work string
	n, rate, lanes  int
	bytes           int64
	secs            int
	settings        string
	runs            int
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tail:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: tail gen|catchup|latency|idle|restart [flags]")
	}
	var c config
	fs := flag.NewFlagSet(args[0], flag.ContinueOnError)
	fs.StringVar(&c.bin, "bin", "stigmergy", "the binary")
	fs.StringVar(&c.file, "file", "", "event lines")
	fs.StringVar(&c.file, "out", "", "gen: where to write them")
	fs.StringVar(&c.work, "work", "", "a folder of our own; it is emptied")
	fs.IntVar(&c.n, "n", 100_000, "how many lines")
	fs.IntVar(&c.rate, "rate", 1000, "lines a second")
	fs.IntVar(&c.lanes, "lanes", 1000, "how many lanes")
	fs.Int64Var(&c.bytes, "bytes", 2<<30, "how much history")
	fs.IntVar(&c.secs, "secs", 10, "how long")
	fs.StringVar(&c.settings, "settings", "", "more lines for stigmergy.yaml")
	fs.IntVar(&c.runs, "runs", 5, "how often")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	modes := map[string]func(config) error{"gen": gen, "catchup": catchup, "latency": latency, "idle": idle, "restart": restart}
	mode := modes[args[0]]
	if mode == nil {
		return fmt.Errorf("no mode %s", args[0])
	}
	return mode(c)
}

// patience ends a measurement that hangs.
const patience = 10 * time.Minute
