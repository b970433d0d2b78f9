package query

func (r *run) findHoles() {}

func (r *run) byTime(fn func(*Hit) error) error { return nil }
