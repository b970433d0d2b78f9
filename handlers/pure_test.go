package handlers_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// pure is what a fold may import of the standard library.
var pure = map[string]bool{
	"bytes": true, "cmp": true, "crypto/sha256": true, "encoding/base64": true, "encoding/binary": true, "encoding/hex": true, "encoding/json": true,
	"errors": true, "fmt": true, "math": true, "slices": true, "sort": true, "strconv": true, "strings": true,
	"sync/atomic": true, "unicode/utf8": true,
}

// TestPure: no package of the fold can reach a clock, randomness, a file or
// another goroutine, and none depends on the order of a map.
func TestPure(t *testing.T) {
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if d.Name() == "testdata" || d.Name() == "foldtest" {
			return fs.SkipDir
		}
		checkPure(t, dir)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkPure(t *testing.T, dir string) {
	t.Helper()
	set := token.NewFileSet()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, filepath.Join(dir, e.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		checkImports(t, set, f)
	}
	checkMaps(t, set, files)
}

func checkImports(t *testing.T, set *token.FileSet, f *ast.File) {
	t.Helper()
	for _, im := range f.Imports {
		path, _ := strconv.Unquote(im.Path.Value)
		ours := strings.HasPrefix(path, "stigmergy/") || path == "github.com/tidwall/btree"
		if !ours && !pure[path] {
			t.Errorf("%s: the fold must not import %s", set.Position(im.Pos()), path)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType:
			t.Errorf("%s: the fold has one goroutine", set.Position(n.Pos()))
		}
		return true
	})
}

// checkMaps finds ranges over maps. What is imported need not be known for
// that.
func checkMaps(t *testing.T, set *token.FileSet, files []*ast.File) {
	t.Helper()
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: nothing{}, Error: func(error) {}}
	_, _ = conf.Check("fold", set, files, info)
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			r, ok := n.(*ast.RangeStmt)
			if !ok {
				return true
			}
			if typ := info.Types[r.X].Type; typ != nil {
				if _, isMap := typ.Underlying().(*types.Map); isMap {
					t.Errorf("%s: a range over a map has no order", set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

type nothing struct{}

func (nothing) Import(string) (*types.Package, error) {
	return nil, errors.New("not needed")
}
