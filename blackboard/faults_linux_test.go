package blackboard_test

import "syscall"

func (b *board) fifo(rel string) { b.Helper(); b.must(syscall.Mkfifo(b.path(rel), 0o644)) }
