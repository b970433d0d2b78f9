package lanes

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// scenario is a story of a board in steps; after each of them the reader looks
// until there is nothing more to be said.
type scenario struct {
	name  string
	steps []func(r *reader)
	want  string
}

func do(fs ...func(r *reader)) []func(r *reader) { return fs }

func appends(rel, text string) func(*reader) {
	return func(r *reader) { r.append(rel, text) }
}

var scenarios = []scenario{
	{"new lanes, at any depth, in new folders",
		do(appends("a.jsonl", "1\n"), appends("x/y/b.jsonl", "2\n"), appends("x/y/b.jsonl", "3\n")),
		"found a@1\nfound x/y/b@1\na@1 = 1/\nx/y/b@1 = 2/3/\n"},
	{"no lanes: dot names, archive, contracts, other names",
		do(appends(".hidden.jsonl", "1\n"), appends(".git/a.jsonl", "1\n"), appends("archive/a.jsonl", "1\n"),
			appends("contracts/a.jsonl", "1\n"), appends("a.json", "1\n"), appends("b/archive/c.jsonl", "1\n")),
		"found b/archive/c@1\nb/archive/c@1 = 1/\n"},
	{"an unfinished line waits",
		do(appends("a.jsonl", "1\n2"), appends("a.jsonl", "2"), appends("a.jsonl", "2\n")),
		"found a@1\na@1 = 1/222/\n"},
	{"deleted while tailed, with bytes unread",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.append("a.jsonl", "2\n"); r.remove("a.jsonl") }),
		"found a@1\ngone a@1 deleted\na@1 = 1/2/\n"},
	{"deleted while a writer has it open",
		do(appends("a.jsonl", "1\n"), func(r *reader) {
			f, err := os.OpenFile(r.path("a.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
			must(r.t, err)
			r.remove("a.jsonl")
			r.settle()
			_, err = f.WriteString("late\n")
			must(r.t, err)
			must(r.t, f.Close())
			r.sweep()
		}),
		"found a@1\ngone a@1 deleted\na@1 = 1/late/\n"},
	{"deleted, and created anew later",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.remove("a.jsonl") }, appends("a.jsonl", "1\n2\n")),
		"found a@1\ngone a@1 deleted\nfound a@2\na@1 = 1/\na@2 = 1/2/\n"},
	{"deleted and created anew at once, with other content",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.append("a.jsonl", "2\n"); r.remove("a.jsonl"); r.append("a.jsonl", "3\n") }),
		"found a@1\nreplaced a@1 deleted\nfound a@2\na@1 = 1/2/\na@2 = 3/\n"},
	{"deleted and created anew at once, with the old content and more",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.remove("a.jsonl"); r.append("a.jsonl", "1\n2\n") }, appends("a.jsonl", "3\n")),
		"found a@1\ncontinued a@1\na@1 = 1/2/3/\n"},
	{"deleted and created anew at once, with less of the old content",
		do(appends("a.jsonl", "1\n2\n"), func(r *reader) { r.remove("a.jsonl"); r.append("a.jsonl", "1\n") }),
		"found a@1\nreplaced a@1 deleted\nfound a@2\na@1 = 1/2/\na@2 = 1/\n"},
	{"renamed over",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.append("a.jsonl", "2\n"); r.append("tmp", "3\n"); r.rename("tmp", "a.jsonl") }),
		"found a@1\nreplaced a@1 deleted\nfound a@2\na@1 = 1/2/\na@2 = 3/\n"},
	{"an editor's atomic save that only appends",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.append(".a.swp", "1\n2\n"); r.rename(".a.swp", "a.jsonl") }, appends("a.jsonl", "3\n")),
		"found a@1\ncontinued a@1\na@1 = 1/2/3/\n"},
	{"an editor that keeps a backup and writes in pieces",
		do(appends("a.jsonl", "1\n2\n"),
			func(r *reader) { r.rename("a.jsonl", "a.jsonl~"); r.look(); r.append("a.jsonl", ""); r.look() },
			appends("a.jsonl", "3\n"),
		),
		"found a@1\nreplaced a@1 renamed\nfound a@2\na@1 = 1/2/\na@2 = 3/\n"},
	{"an editor that keeps a backup, writes in pieces and appends",
		do(appends("a.jsonl", "1\n2\n"), func(r *reader) {
			r.rename("a.jsonl", "a.jsonl~")
			r.look()
			r.append("a.jsonl", "1\n")
			r.look()
			r.append("a.jsonl", "2\n3")
			r.look()
			r.append("a.jsonl", "\n")
			r.remove("a.jsonl~")
		}),
		"found a@1\ncontinued a@1\na@1 = 1/2/3/\n"},
	{"continued, and late bytes into the old file",
		do(appends("a.jsonl", "1\n"), func(r *reader) {
			f, err := os.OpenFile(r.path("a.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
			must(r.t, err)
			r.append("tmp", "1\n2\n")
			r.rename("tmp", "a.jsonl")
			r.settle()
			_, err = f.WriteString("late\n")
			must(r.t, err)
			must(r.t, f.Close())
			r.sweep()
			r.sweep()
		}),
		"found a@1\ncontinued a@1\norphan a@2\na@1 = 1/2/\na@2 = late/\n"},
	{"continued without the unfinished line of the old file",
		do(appends("a.jsonl", "1\nunfin"), func(r *reader) {
			r.append("tmp", "1\n2\n")
			r.rename("tmp", "a.jsonl")
			r.settle()
			r.sweep()
		}),
		"found a@1\ncontinued a@1\norphan a@2\na@1 = 1/2/\n"},
	{"truncated to shorter",
		do(appends("a.jsonl", "1\n2\n"), func(r *reader) { r.write("a.jsonl", "3\n") }),
		"found a@1\ntruncated a@1\nfound a@2\na@1 = 1/2/\na@2 = 3/\n"},
	{"truncated to nothing, an unfinished line lost",
		do(appends("a.jsonl", "1\nunfin"), func(r *reader) { must(r.t, os.Truncate(r.path("a.jsonl"), 0)) }, appends("a.jsonl", "2\n")),
		"found a@1\ntruncated a@1 lost [2,7)\nfound a@2\na@1 = 1/\na@2 = 2/\n"},
	{"truncated to equal length",
		do(appends("a.jsonl", "1\n2\n"), func(r *reader) { r.write("a.jsonl", "3\n4\n") }),
		"found a@1\ntruncated a@1\nfound a@2\na@1 = 1/2/\na@2 = 3/4/\n"},
	{"truncated to longer",
		do(appends("a.jsonl", "1\n2\n"), func(r *reader) { r.write("a.jsonl", "3\n4\n5\n") }),
		"found a@1\ntruncated a@1\nfound a@2\na@1 = 1/2/\na@2 = 3/4/5/\n"},
	{"truncated to a part of itself",
		do(appends("a.jsonl", "1\n2\n"), func(r *reader) { must(r.t, os.Truncate(r.path("a.jsonl"), 2)) }),
		"found a@1\ntruncated a@1\nfound a@2\na@1 = 1/2/\na@2 = 1/\n"},
	{"moved out and back",
		do(appends("a.jsonl", "1\n"), func(r *reader) { must(r.t, os.Rename(r.path("a.jsonl"), r.away())) },
			func(r *reader) { must(r.t, os.Rename(r.away(), r.path("a.jsonl"))) }, appends("a.jsonl", "2\n")),
		"found a@1\ngone a@1 away\nreturned a@1: a.jsonl → a.jsonl\na@1 = 1/2/\n"},
	{"moved out and back at once",
		do(appends("a.jsonl", "1\n"), func(r *reader) {
			must(r.t, os.Rename(r.path("a.jsonl"), r.away()))
			r.look()
			must(r.t, os.Rename(r.away(), r.path("a.jsonl")))
		}, appends("a.jsonl", "2\n")),
		"found a@1\na@1 = 1/2/\n"},
	{"moved out, and a restored copy in its place",
		do(appends("a.jsonl", "1\n"), func(r *reader) { must(r.t, os.Rename(r.path("a.jsonl"), r.away())) }, appends("a.jsonl", "1\n2\n")),
		"found a@1\ngone a@1 away\ncontinued a@1\na@1 = 1/2/\n"},
	{"identical heads are separate lanes",
		do(appends("a.jsonl", "1\n"), appends("b.jsonl", "1\n"), appends("b.jsonl", "2\n")),
		"found a@1\nfound b@1\na@1 = 1/\nb@1 = 1/2/\n"},
	{"renamed within the board",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.rename("a.jsonl", "b.jsonl") }, appends("b.jsonl", "2\n"), appends("a.jsonl", "3\n")),
		"found a@1\nmoved a@1: a.jsonl → b.jsonl\nfound a@2\na@1 = 1/2/\na@2 = 3/\n"},
	{"renamed over another lane",
		do(appends("a.jsonl", "1\n"), appends("b.jsonl", "2\n"), func(r *reader) {
			r.append("a.jsonl", "3\n")
			r.append("b.jsonl", "4\n")
			r.rename("a.jsonl", "b.jsonl")
		}, appends("b.jsonl", "5\n")),
		"found a@1\nfound b@1\nmoved a@1: a.jsonl → b.jsonl\ngone b@1 deleted\na@1 = 1/3/5/\nb@1 = 2/4/\n"},
	{"two lanes swapped",
		do(appends("a.jsonl", "1\n"), appends("b.jsonl", "2\n"), func(r *reader) {
			r.rename("a.jsonl", "t")
			r.rename("b.jsonl", "a.jsonl")
			r.rename("t", "b.jsonl")
		}, appends("b.jsonl", "3\n")),
		"found a@1\nfound b@1\nmoved a@1: a.jsonl → b.jsonl\nmoved b@1: b.jsonl → a.jsonl\na@1 = 1/3/\nb@1 = 2/\n"},
	{"a folder of lanes renamed",
		do(appends("x/y/a.jsonl", "1\n"), func(r *reader) { r.rename("x", "z") }, appends("z/y/a.jsonl", "2\n"), appends("z/y/b.jsonl", "3\n")),
		"found x/y/a@1\nmoved x/y/a@1: x/y/a.jsonl → z/y/a.jsonl\nfound z/y/b@1\nx/y/a@1 = 1/2/\nz/y/b@1 = 3/\n"},
	{"a folder of lanes renamed and back",
		do(appends("x/a.jsonl", "1\n"), func(r *reader) { r.rename("x", "z"); r.rename("z", "x") }, appends("x/a.jsonl", "2\n"), appends("x/b.jsonl", "3\n")),
		"found x/a@1\nfound x/b@1\nx/a@1 = 1/2/\nx/b@1 = 3/\n"},
	{"a folder of lanes deleted and made anew",
		do(appends("x/a.jsonl", "1\n"), func(r *reader) { must(r.t, os.RemoveAll(r.path("x"))) }, appends("x/a.jsonl", "2\n"), appends("x/a.jsonl", "3\n")),
		"found x/a@1\ngone x/a@1 deleted\nfound x/a@2\nx/a@1 = 1/\nx/a@2 = 2/3/\n"},
	{"rotated by others, with create",
		do(appends("a.jsonl", "1\n"), func(r *reader) {
			f, err := os.OpenFile(r.path("a.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
			must(r.t, err)
			r.rename("a.jsonl", "a.jsonl.1")
			r.append("a.jsonl", "")
			r.settle()
			_, err = f.WriteString("late\n")
			must(r.t, err)
			must(r.t, f.Close())
		}, appends("a.jsonl", "2\n")),
		"found a@1\nreplaced a@1 renamed\nfound a@2\na@1 = 1/late/\na@2 = 2/\n"},
	{"rotated by others, without create, then compressed",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.rename("a.jsonl", "a.jsonl.1") }, appends("a.jsonl.1", "late\n"),
			appends("a.jsonl", "2\n"), func(r *reader) { r.remove("a.jsonl.1") }),
		"found a@1\ngone a@1 renamed\nreplaced a@1 renamed\nfound a@2\ngone a@1 deleted\na@1 = 1/late/\na@2 = 2/\n"},
	{"copytruncate",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.write("a.jsonl.1", "1\n"); must(r.t, os.Truncate(r.path("a.jsonl"), 0)) },
			appends("a.jsonl", "2\n")),
		"found a@1\ntruncated a@1\nfound a@2\na@1 = 1/\na@2 = 2/\n"},
	{"no lanes: symlink, fifo, socket, folder, link to a folder",
		do(func(r *reader) { must(r.t, os.Symlink("/etc/passwd", r.path("s.jsonl"))) },
			func(r *reader) { must(r.t, syscall.Mkfifo(r.path("f.jsonl"), 0o644)) },
			func(r *reader) { must(r.t, os.Mkdir(r.path("d.jsonl"), 0o755)) },
			func(r *reader) { must(r.t, os.Symlink(r.t.TempDir(), r.path("link"))) },
			func(r *reader) { r.socket("k.jsonl") }, appends("d.jsonl/x.jsonl", "1\n"), appends("a.jsonl", "1\n")),
		"not_a_lane s.jsonl symlink\nnot_a_lane f.jsonl fifo\nnot_a_lane d.jsonl folder\nnot_a_lane link symlink\nnot_a_lane k.jsonl socket\nfound a@1\na@1 = 1/\n"},
	{"a lane becomes a fifo, and a lane again",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.remove("a.jsonl"); must(r.t, syscall.Mkfifo(r.path("a.jsonl"), 0o644)) },
			func(r *reader) { r.remove("a.jsonl"); r.append("a.jsonl", "2\n") }),
		"found a@1\nnot_a_lane a.jsonl fifo\ngone a@1 deleted\nfound a@2\na@1 = 1/\na@2 = 2/\n"},
	{"hard link: the first name is the lane",
		do(func(r *reader) { r.append("b.jsonl", "1\n"); must(r.t, os.Link(r.path("b.jsonl"), r.path("a.jsonl"))) },
			appends("b.jsonl", "2\n"), appends("a.jsonl", "3\n")),
		"found a@1\nhard_link b.jsonl of a.jsonl\na@1 = 1/2/3/\n"},
	{"hard link: a tracked lane keeps its name, and passes it on",
		do(appends("b.jsonl", "1\n"), func(r *reader) { must(r.t, os.Link(r.path("b.jsonl"), r.path("c.jsonl"))) },
			appends("c.jsonl", "2\n"), func(r *reader) { r.remove("b.jsonl") }, appends("c.jsonl", "3\n")),
		"found b@1\nhard_link c.jsonl of b.jsonl\nmoved b@1: b.jsonl → c.jsonl\nb@1 = 1/2/3/\n"},
	{"odd names",
		do(appends("a\nb.jsonl", "1\n"), appends("\xff'\".jsonl", "2\n"), appends("-rf.jsonl", "3\n"), appends("%41 .jsonl", "4\n")),
		"found a%0Ab@1\nfound %FF%27%22@1\nfound -rf@1\nfound %2541%20@1\n%2541%20@1 = 4/\n%FF%27%22@1 = 2/\n-rf@1 = 3/\na%0Ab@1 = 1/\n"},
	{"owned lanes and settings",
		do(func(r *reader) { r.set.Expect("hxo", 2); r.append("hxo.jsonl", "1\n") }, appends("hxo.jsonl", "foreign\n"),
			appends("quarantine/x/a.jsonl", "1\n"), appends("stigmergy.yaml", "a: b\n"), appends("contracts/my.schema.json", "{}"),
			func(r *reader) { r.remove("stigmergy.yaml"); r.append("gitops.jsonl", "1\n") }, func(r *reader) { r.remove("hxo.jsonl") }),
		"owned_touched hxo.jsonl 10\nowned_touched quarantine/x/a.jsonl 2\nconfig_changed stigmergy.yaml\n" +
			"config_changed contracts/my.schema.json\nconfig_changed stigmergy.yaml\nfound gitops@1\nowned_touched hxo.jsonl -1\ngitops@1 = 1/\n"},
	{"a folder becomes a link to a folder elsewhere",
		do(appends("x/a.jsonl", "1\n"), func(r *reader) {
			must(r.t, os.Rename(r.path("x"), r.away()))
			must(r.t, os.Symlink(r.away(), r.path("x")))
		}, func(r *reader) { must(r.t, os.WriteFile(filepath.Join(r.away(), "b.jsonl"), []byte("2\n"), 0o644)) }),
		"found x/a@1\nnot_a_lane x symlink\ngone x/a@1 away\nx/a@1 = 1/\n"},
}

// away is a path outside the board on the same file system.
func (r *reader) away() string { return r.dir + "-away" }

func (r *reader) socket(rel string) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(r.t, err)
	defer unix.Close(fd)
	// A socket's path may be short only: bind in the folder itself.
	at, err := unix.Open(r.dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(r.t, err)
	defer unix.Close(at)
	must(r.t, unix.Bind(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + itoa(at) + "/" + rel}))
}

func TestScenarios(t *testing.T) {
	for _, mode := range []string{"sweeps", "events"} {
		for _, sc := range scenarios {
			t.Run(mode+"/"+strings.ReplaceAll(sc.name, " ", "_"), func(t *testing.T) {
				defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
				r := newReader(t, Options{Watch: mode == "events"})
				r.start(nil)
				defer func() { must(t, r.set.Close()); must(t, os.RemoveAll(r.away())) }()
				r.settle()
				for _, step := range sc.steps {
					step(r)
					r.settle()
				}
				if got := r.did(); got != sc.want {
					t.Errorf("got\n%swant\n%s", got, sc.want)
				}
				checkSet(t, r.set)
			})
		}
	}
}

// TestEventsInParts: of a rename onto another lane's name one half is heard of
// before the other. What was renamed over is told all the same.
func TestEventsInParts(t *testing.T) {
	for _, first := range []string{"a.jsonl", "b.jsonl"} {
		r := newReader(t, Options{})
		r.start(nil)
		r.append("a.jsonl", "1\n")
		r.append("b.jsonl", "2\n")
		r.settle()
		r.append("a.jsonl", "3\n")
		r.append("b.jsonl", "4\n")
		r.rename("a.jsonl", "b.jsonl")
		for _, rel := range []string{first, "a.jsonl", "b.jsonl"} {
			r.set.Hint(rel)
			r.drain()
		}
		r.append("b.jsonl", "5\n")
		r.settle()
		want := "found a@1\nfound b@1\nmoved a@1: a.jsonl → b.jsonl\ngone b@1 deleted\na@1 = 1/3/5/\nb@1 = 2/4/\n"
		if got := r.did(); got != want {
			t.Errorf("%s first: got\n%swant\n%s", first, got, want)
		}
		checkSet(t, r.set)
		must(t, r.set.Close())
	}
}

// TestPassedBy: a file had a lane's name only between two looks, as a rename
// event tells; its lines are not lost.
func TestPassedBy(t *testing.T) {
	r := newReader(t, Options{Watch: true})
	r.start(nil)
	defer func() { must(t, r.set.Close()) }()
	r.append("x/a.jsonl", "0\n")
	r.settle()
	for i := range 3 { // logrotate, thrice
		r.append("x/a.jsonl", itoa(i+1)+"\n")
		for j := 3; j > 0; j-- {
			if _, err := os.Stat(r.path("x/a.jsonl." + itoa(j))); err == nil {
				r.rename("x/a.jsonl."+itoa(j), "x/a.jsonl."+itoa(j+1))
			}
		}
		r.rename("x/a.jsonl", "x/a.jsonl.1")
	}
	r.append("x/a.jsonl", "4\n")
	r.append("b\xff.jsonl", "5\n")
	r.rename("b\xff.jsonl", "c")
	r.append("archive.jsonl", "6\n")
	r.rename("archive.jsonl", ".hidden")
	r.settle()
	r.append("x/a.jsonl.2", "late\n")
	r.settle()
	r.restart()
	r.append("x/a.jsonl.1", "later\n")
	r.settle()
	got := r.taken
	for k, want := range map[string]string{"x/a@1": "0\n1\n", "b%FF@1": "5\n", "archive@1": "6\n"} {
		if string(got[k]) != want {
			t.Errorf("%s: took in %q, want %q", k, got[k], want)
		}
		delete(got, k)
	}
	all := string(got["x/a@2"]) + string(got["x/a@3"]) + string(got["x/a@4"])
	for _, line := range []string{"2\nlate\n", "3\nlater\n", "4\n"} {
		if strings.Count(all, line) != 1 {
			t.Errorf("%q: took in %q", line, all)
		}
	}
	checkSet(t, r.set)
}
