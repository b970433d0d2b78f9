// Package crash breaks running boards and lets the oracle judge what is left:
// daemons killed at random and at every durable step, disks that are full or
// failing, power that goes. Its tests build the real binary and run it.
//
//	go test ./scripts/crash                                    # tiny counts, some seconds
//	go test ./scripts/crash -some                              # what CI runs
//	go test ./scripts/crash -run TestWriters -full -v          # 200 writers × 500 lines, a kill every 200 ms
//	go test ./scripts/crash -run TestRandomKills -full -v      # 500 SIGKILLs
//	go test ./scripts/crash -run TestEveryStep -full -v        # a kill at every durable step
//	go test ./scripts/crash -run TestEveryFault -full -v       # ENOSPC, EIO, EDQUOT, EROFS at every durable step
//	go test ./scripts/crash -run TestEveryCall -full -v        # a kill at every writing system call, by strace
//	go test ./scripts/crash -run 'TestFullDisk|TestPower' -full -v  # root only: tmpfs, loop images
//
// STIGMERGY=path takes a binary that is built already.
package crash
