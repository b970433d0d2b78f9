package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors is which package may import which of ours; "-" is none, "…/*" all
// below. Move code rather than widen it.
const floors = `
contracts/merkle     : -
contracts/schema     : -
contracts/order      : contracts
contracts/plan       : contracts contracts/schema contracts/jcs
contracts/jcs        : contracts
contracts/exemplar   : contracts contracts/jcs
contracts            : contracts/merkle contracts/schema
contracts/seal       : contracts contracts/merkle
contracts/certify    : contracts contracts/merkle contracts/plan
blackboard/layout    : contracts
blackboard/settings  : contracts blackboard/layout
blackboard/durable   : contracts blackboard/layout
blackboard/archive   : contracts contracts/merkle blackboard/layout blackboard/durable
blackboard/journal   : contracts contracts/merkle blackboard/layout blackboard/durable blackboard/archive
blackboard/history   : contracts contracts/merkle contracts/seal blackboard/layout blackboard/durable blackboard/archive blackboard/journal
blackboard/lanes     : contracts blackboard/layout blackboard/journal blackboard/settings
blackboard/query     : contracts contracts/merkle blackboard/layout blackboard/settings blackboard/archive blackboard/journal blackboard/lanes
blackboard           : contracts contracts/merkle contracts/seal blackboard/layout blackboard/settings blackboard/archive blackboard/durable blackboard/journal blackboard/lanes blackboard/history
handlers             : contracts contracts/merkle blackboard blackboard/journal blackboard/layout blackboard/settings
handlers/foldtest    : contracts contracts/merkle blackboard blackboard/journal blackboard/layout blackboard/settings handlers
handlers/audit       : contracts blackboard blackboard/journal handlers
handlers/autonomy    : contracts handlers
handlers/board       : contracts blackboard blackboard/journal handlers
handlers/plan        : contracts contracts/certify contracts/merkle contracts/plan contracts/seal blackboard blackboard/journal blackboard/settings handlers
handlers/exemplar    : contracts contracts/exemplar handlers
handlers/sign        : contracts blackboard blackboard/journal handlers
handlers/batch       : contracts blackboard blackboard/journal handlers
handlers/followup    : contracts blackboard blackboard/journal handlers
handlers/all         : handlers handlers/*
plans/view           : contracts contracts/plan
plans/truth          : contracts contracts/certify contracts/merkle contracts/plan contracts/seal blackboard blackboard/durable blackboard/layout blackboard/query
plans/exec           : contracts contracts/plan blackboard blackboard/layout blackboard/durable
exemplars            : contracts contracts/jcs contracts/exemplar
plans                : contracts contracts/plan contracts/jcs blackboard blackboard/durable blackboard/layout plans/exec
gitops               : contracts contracts/jcs contracts/seal contracts/exemplar
daemon               : contracts contracts/merkle blackboard blackboard/* handlers
cli                  : contracts contracts/certify contracts/order contracts/merkle blackboard blackboard/* handlers handlers/all daemon plans plans/* contracts/plan gitops contracts/exemplar exemplars exemplars/* contracts/seal daemon/signer
exemplars/feed       : contracts contracts/exemplar blackboard blackboard/layout blackboard/query exemplars
daemon/signer        : contracts contracts/merkle contracts/seal blackboard blackboard/* handlers/sign daemon
.                    : cli
scripts/agents/writer: -
scripts/oracle       : -
scripts/oracle/cmd/oracle : scripts/oracle
scripts/crash        : scripts/oracle
scripts/bench/tail   : -
scripts/interop      : -
`

// doors is where a library of somebody else's may be imported: a file, a
// package, or any test.
const doors = `
github.com/fsnotify/fsnotify        : blackboard/lanes/watch.go
github.com/klauspost/compress       : blackboard/archive/zstd.go
github.com/tidwall/gjson            : contracts/json.go
github.com/tidwall/sjson            : contracts/json.go
github.com/tidwall/btree            : handlers/state.go
github.com/alecthomas/kong          : cli
github.com/goccy/go-yaml            : blackboard/settings/yaml.go contracts/plan/yaml.go
github.com/santhosh-tekuri/jsonschema : contracts/schema
golang.org/x/text                   : contracts/schema
github.com/itchyny/gojq             : blackboard/query/jq.go
gopkg.in/natefinch/lumberjack.v2    : daemon/log.go
github.com/transparency-dev         : test
golang.org/x/mod                    : contracts/merkle contracts/seal
golang.org/x/sys/unix               : blackboard blackboard/durable blackboard/lanes blackboard/layout plans/exec daemon cli scripts/crash
github.com/rogpeppe/go-internal     : test
go.uber.org/goleak                  : test
pgregory.net/rapid                  : test handlers/foldtest
modernc.org/sqlite                  : exemplars
os/exec                             : gitops/git.go gitops/gate.go gitops/secret.go daemon cli scripts/oracle scripts/crash scripts/bench/tail test
net/http                            : daemon cli test
unsafe                              : -
math/rand                           : test
math/rand/v2                        : test
`

// source is one parsed file of the repository.
type source struct {
	path, dir string
	test      bool
	file      *ast.File
	fset      *token.FileSet
	text      string
}

func (s *source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// floor says whether the file stands below cli and daemon, where nobody
// prints, logs or ends the process.
func (s *source) floor() bool {
	top, _, _ := strings.Cut(s.dir, "/")
	return !s.test && (top == "contracts" || top == "blackboard" || top == "handlers" || top == "plans")
}

func sources(t *testing.T) []*source {
	t.Helper()
	var out []*source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 1 && d.Name()[0] == '.') {
				return filepath.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		s := &source{path: filepath.ToSlash(p), test: strings.HasSuffix(p, "_test.go"), fset: token.NewFileSet(), text: string(text)}
		s.dir = path.Dir(s.path)
		s.file, err = parser.ParseFile(s.fset, p, text, parser.ParseComments)
		out = append(out, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// table reads "key : words" lines.
func table(text string) map[string][]string {
	out := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		key, words, _ := strings.Cut(line, " : ")
		if words == "" {
			key, words, _ = strings.Cut(line, ":")
		}
		out[strings.TrimSpace(key)] = strings.Fields(words)
	}
	return out
}

func imports(s *source) map[string]ast.Node {
	out := map[string]ast.Node{}
	for _, spec := range s.file.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			out[name] = spec
		}
	}
	return out
}

func TestFloors(t *testing.T) {
	may := table(floors)
	for _, s := range sources(t) {
		allowed, known := may[s.dir]
		if !known {
			t.Errorf("package %s stands on no floor: say in layers_test.go what it may import", s.dir)
			may[s.dir] = nil
		}
		for name, n := range imports(s) {
			ours, ok := strings.CutPrefix(name, "stigmergy/")
			if !ok || s.test || ours == s.dir {
				continue
			}
			if !slices.ContainsFunc(allowed, func(a string) bool { return matches(a, ours) }) {
				t.Errorf("%s: %s may not import %s: imports go down the corridor, move the code instead", s.at(n), s.dir, ours)
			}
		}
	}
}

func matches(pattern, name string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(name, dir+"/")
	}
	return pattern == name
}

func TestDoors(t *testing.T) {
	at := table(doors)
	for _, s := range sources(t) {
		for name, n := range imports(s) {
			door := ""
			for lib := range at {
				if (name == lib || strings.HasPrefix(name, lib+"/")) && len(lib) > len(door) {
					door = lib
				}
			}
			first, _, _ := strings.Cut(name, "/")
			switch {
			case door == "" && strings.Contains(first, "."):
				t.Errorf("%s: %s has no door: name in layers_test.go the one file that imports it, and in DEPENDENCIES.md why", s.at(n), name)
			case door == "" || s.test:
			case !slices.ContainsFunc(at[door], func(w string) bool { return w == s.path || w == s.dir }):
				t.Errorf("%s: %s is imported only in %s: ask there for what you need", s.at(n), name, strings.Join(at[door], " "))
			}
		}
	}
}

// TestHands: what is not done below cli and daemon, and what nobody does.
func TestHands(t *testing.T) {
	for _, s := range sources(t) {
		packages := map[string]bool{}
		for name := range imports(s) {
			packages[path.Base(name)] = true
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok || !packages[pkg.Name] { // a variable that is called like a package
				return true
			}
			switch call := pkg.Name + "." + sel.Sel.Name; {
			case s.floor() && (strings.HasPrefix(call, "log.") || strings.HasPrefix(call, "fmt.Print") || call == "os.Stdout" || call == "os.Stderr"):
				t.Errorf("%s: %s: below cli and daemon nobody prints: return it", s.at(n), call)
			case call == "os.Exit" && s.path != "main.go" && s.path != "daemon/daemon.go" && !strings.HasPrefix(s.dir, "scripts/") && !s.test:
				t.Errorf("%s: os.Exit: only main.go ends the process (and the daemon one whose handler hangs, for nobody can return from that)", s.at(n))
			case s.test && call == "time."+"Sleep":
				t.Errorf("%s: a test that sleeps is slow or wrong: wait on an event, or turn a clock by hand", s.at(n))
			case strings.HasPrefix(s.dir, "handlers") && !s.test && (call == "time.Now" || call == "time.Since" || call == "time.Until"):
				t.Errorf("%s: %s: a handler knows no clock: Tx.Now is the journal's", s.at(n), call)
			case strings.HasPrefix(s.dir, "contracts") && !s.test && (call == "time.Now" || call == "os.Getenv"):
				t.Errorf("%s: %s: contracts know no clock and no environment", s.at(n), call)
			}
			return true
		})
		if s.test {
			continue
		}
		for name, n := range imports(s) {
			if strings.HasPrefix(s.dir, "handlers") && s.dir != "handlers/foldtest" && (name == "os" || name == "io/fs" || name == "net" || name == "path/filepath") {
				t.Errorf("%s: a handler imports no %s: what the world says comes in as an event", s.at(n), name)
			}
			if strings.HasPrefix(s.dir, "contracts") && (name == "os" || name == "net") {
				t.Errorf("%s: contracts import no %s", s.at(n), name)
			}
		}
	}
}

// TestGlobals: no init, and no package variable that anything changes.
func TestGlobals(t *testing.T) {
	byDir := map[string][]*source{}
	for _, s := range sources(t) {
		if !s.test && !strings.HasPrefix(s.dir, "scripts/") {
			byDir[s.dir] = append(byDir[s.dir], s)
		}
	}
	for _, files := range byDir {
		vars := map[string]string{} // name → where it is declared
		for _, s := range files {
			globals(t, s, vars)
		}
		for _, s := range files {
			changed(t, s, vars)
		}
	}
}

func globals(t *testing.T, s *source, vars map[string]string) {
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			t.Errorf("%s: init runs before anybody asked: make a constructor", s.at(f))
		}
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			embed := g.Doc != nil && strings.Contains(g.Doc.List[len(g.Doc.List)-1].Text, "go:embed")
			for _, name := range v.Names {
				if len(v.Values) == 0 && !embed {
					t.Errorf("%s: %s begins empty, so something changes it: package variables are constants in all but name", s.at(name), name.Name)
				}
				if name.Name != "_" {
					vars[name.Name] = s.at(name)
				}
			}
		}
	}
}

// changed finds assignments to package variables and to their parts.
func changed(t *testing.T, s *source, vars map[string]string) {
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		local := locals(f)
		tell := func(x ast.Expr) {
			name := root(x)
			if at, global := vars[name]; global && !local[name] {
				t.Errorf("%s: %s (declared at %s) is changed: state belongs to a value that somebody owns", s.at(x), name, at)
			}
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, l := range n.Lhs {
						tell(l)
					}
				}
			case *ast.IncDecStmt:
				tell(n.X)
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(n.Args) > 0 {
					tell(n.Args[0])
				}
			}
			return true
		})
	}
}

// root is the name that an expression like a.b[c].d begins with.
func root(x ast.Expr) string {
	for {
		switch y := x.(type) {
		case *ast.IndexExpr:
			x = y.X
		case *ast.SelectorExpr:
			x = y.X
		case *ast.StarExpr:
			x = y.X
		case *ast.Ident:
			return y.Name
		default:
			return ""
		}
	}
}

// locals are the names that a function declares anywhere in itself.
func locals(f *ast.FuncDecl) map[string]bool {
	out := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				out[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				out[name.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, l := range n.Lhs {
					out[root(l)] = true
				}
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				for _, x := range []ast.Expr{n.Key, n.Value} {
					if x != nil {
						out[root(x)] = true
					}
				}
			}
		}
		return true
	})
	return out
}

// TestSizes: files of at most 400 lines. Functions are aimed at 60; a mirror
// and not a gate, so only one that is far beyond is told.
func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		if n := strings.Count(s.text, "\n"); n > 400 {
			t.Errorf("%s has %d lines, more than anybody reads at once (400)", s.path, n)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			if n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; n > 90 {
				t.Errorf("%s: %s has %d lines, more than one thought (90)", s.at(f), f.Name.Name, n)
			}
		}
	}
}

// TestDocs: every package says what it is, every exported name what it does.
func TestDocs(t *testing.T) {
	said := map[string]bool{}
	files := sources(t)
	for _, s := range files {
		said[s.dir] = said[s.dir] || !s.test && s.file.Doc != nil
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("package %s has no comment that says what it is", dir)
		}
	}
	for _, s := range files {
		if s.test || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			documented(t, s, d)
		}
	}
}

// wellKnown methods mean what they mean everywhere.
var wellKnown = []string{"Error", "Unwrap", "String", "Len", "Less", "Swap"}

func documented(t *testing.T, s *source, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) && !slices.Contains(wellKnown, d.Name.Name) {
			t.Errorf("%s: %s says nothing about itself", s.at(d), d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			var names []*ast.Ident
			var doc, comment *ast.CommentGroup
			switch v := spec.(type) {
			case *ast.TypeSpec:
				names, doc, comment = []*ast.Ident{v.Name}, v.Doc, v.Comment
			case *ast.ValueSpec:
				names, doc, comment = v.Names, v.Doc, v.Comment
			}
			for _, n := range names {
				if n.IsExported() && d.Doc == nil && doc == nil && comment == nil {
					t.Errorf("%s: %s says nothing about itself", s.at(n), n.Name)
				}
			}
		}
	}
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	x := f.Recv.List[0].Type
	for {
		switch y := x.(type) {
		case *ast.StarExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.Ident:
			return y.IsExported()
		default:
			return false
		}
	}
}
