// Command oracle judges boards: see package oracle.
//
//	oracle check [--quiet] [--truth DIR] [--max-line N] [--handlers a,b] BOARD
//	oracle hash BOARD
//	oracle tree BOARD
//	oracle derived BOARD
//
// It exits 0 when every promise holds, 1 when one is broken (each on a line of
// its own, with its place), 2 when the board could not be judged.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"stigmergy/scripts/oracle"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 0 {
		return usage()
	}
	fs := flag.NewFlagSet(args[0], flag.ContinueOnError)
	var opt oracle.Options
	fs.BoolVar(&opt.Quiet, "quiet", false, "everything was taken in and stands still")
	fs.StringVar(&opt.Truth, "truth", "", "what the writers know")
	fs.Int64Var(&opt.MaxLine, "max-line", 0, "the board's max_line in bytes")
	handlers := fs.String("handlers", "", "names that derived ids may be made of")
	if fs.Parse(args[1:]) != nil || fs.NArg() != 1 {
		return usage()
	}
	if *handlers != "" {
		opt.Handlers = strings.Split(*handlers, ",")
	}
	dir := fs.Arg(0)
	switch args[0] {
	case "check":
		return check(dir, opt)
	case "hash":
		sum, err := oracle.Hash(dir)
		return say(err, sum)
	case "tree":
		return say(oracle.Tree(dir, func(rel, sum string) { fmt.Printf("%s  %s\n", sum, rel) }))
	case "derived":
		lines, err := oracle.Derived(dir)
		return say(err, lines...)
	}
	return usage()
}

func usage() int {
	fmt.Fprintln(os.Stderr, "usage: oracle check|hash|tree|derived [flags] BOARD")
	return 2
}

func say(err error, lines ...string) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		return 2
	}
	for _, l := range lines {
		fmt.Println(l)
	}
	return 0
}

func check(dir string, opt oracle.Options) int {
	found, sum, err := oracle.Check(dir, opt)
	for _, f := range found {
		fmt.Println(f)
	}
	fmt.Println(sum)
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		return 2
	}
	if len(found) > 0 {
		return 1
	}
	return 0
}
