// Command stigmergy is a blackboard of append-only JSON Lines files.
//
//	stigmergy init && stigmergy up
//	echo '{"type":"build.done","data":{"ok":true}}' >> board/ci.jsonl
//	stigmergy query build.done
package main

import (
	"os"

	"stigmergy/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
