// Package exec runs shards: one process each, its standard output streamed into
// the content-addressed store.
//
// A shard's process is what its stage's argv says, and never a shell unless
// argv names one:
//
//	argv     placeholders filled in; argv[0] is looked up in PATH, or below root
//	         if it has a slash
//	cwd      a folder of its own, empty at the start, deleted at the end
//	stdin    the inputs one after the other if the job says so, else /dev/null
//	stdout   the shard's output: the object of the store that is its SHA-256
//	stderr   its end is the error's text if the process fails
//	environ  PATH, HOME and TMPDIR (the cwd), LC_ALL=C, TZ=UTC, and what the job
//	         declares; nothing else
//	group    its own: whatever it started is killed with it, at the end too
//
// By hand, and without the guards:
//
//	cd "$(mktemp -d)" && env -i PATH="$PATH" HOME=. LC_ALL=C gzip -9c /root/of/a.go | sha256sum
package exec
