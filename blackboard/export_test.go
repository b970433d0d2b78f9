package blackboard

import "errors"

// Crash lets go of everything as a SIGKILL would leave it: nothing is drained,
// saved or synced.
func (k *Kernel) Crash() error {
	k.pipe.close()
	k.work.close()
	close(k.sync.quit)
	<-k.sync.done
	return errors.Join(k.set.Close(), k.pub.close(), k.journal.Close())
}

// Hint is the test's crank: look at this path.
func (k *Kernel) Hint(rel string) { k.set.Hint(rel) }

// Busy says whether something is done beside the kernel.
func (k *Kernel) Busy() bool { return k.work.busy }
