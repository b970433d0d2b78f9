package lanes

// HeldByWriter says whether anybody has the file open for writing. It takes a
// lease for an instant, so ask it of renamed or deleted files only.
func (t *Tail) HeldByWriter() (held, known bool) { return heldByWriter(t.file) }

func heldByWriter(f *file) (held, known bool) {
	free, known, _ := underLease(f, func() error { return nil })
	return known && !free, known
}

// Seal runs fn while nobody can have t's file open for writing (a read lease:
// openers for writing wait meanwhile, so fn must be brief), and says whether
// that held to the end of fn. sealed false, known true: somebody holds it open,
// or asked to; fn may not have run. known false: it cannot be told here, fn
// did not run. err is fn's. For renamed or deleted files only.
//
// In fn, read what is new (t.ReadAt to io.EOF), journal it and Advance.
func (s *Set) Seal(t *Tail, fn func() error) (sealed, known bool, err error) {
	if s.polling.network != nil {
		return false, false, nil // a lease would not bind other machines
	}
	return underLease(t.file, fn)
}
