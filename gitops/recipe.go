package gitops

import "unicode/utf8"

// maxRecipe is how many paths a recipe names one by one; a larger run's names
// the tree of each commit instead.
const maxRecipe = 500

// maxRecipeBytes bounds what a recipe takes of its packet, which is one line.
const maxRecipeBytes = 256 << 10

// Recipe is the git commands that make the run's commits again, in any clone
// that has its objects, at HEAD-before: their last prints the tree. No working
// tree is needed, and none is changed.
//
//	git switch --detach HEAD_BEFORE
//	jq -r '.commands[] | @sh' exemplar.json | sh
func (r *Receipt) Recipe() [][]string {
	var out [][]string
	at, total := value(r.HeadBefore), 0
	if at != "" {
		out = append(out, []string{"git", "read-tree", at})
	} else {
		out = append(out, []string{"git", "read-tree", "--empty"})
	}
	for _, b := range r.Batches {
		total += len(b.Paths)
	}
	for _, b := range r.Batches {
		if b.Outcome != Committed || b.CommitSHA == nil {
			continue
		}
		if parent := value(b.Parent); parent != at && parent != "" {
			out = append(out, []string{"git", "read-tree", parent}) // somebody committed in between
		}
		if total > maxRecipe || !named8(b.Paths) {
			out = append(out, []string{"git", "read-tree", value(b.Tree)})
		} else {
			out = append(out, cacheInfo(b.Paths)...)
		}
		out = append(out, []string{"git", "commit", "-q", "--no-verify", "--allow-empty", "-m", message(b.Message, r.RunID, b.BatchID)})
		at = *b.CommitSHA
	}
	out = append(out, []string{"git", "write-tree"})
	if total = 0; len(r.Commits) > 0 {
		for _, argv := range out {
			for _, a := range argv {
				total += len(a)
			}
		}
		if total > maxRecipeBytes {
			return [][]string{{"git", "read-tree", value(r.TreeAfter)}, {"git", "write-tree"}}
		}
	}
	return out
}

// named8 tells whether every path can stand in JSON.
func named8(changes []Change) bool {
	for _, c := range changes {
		if !utf8.ValidString(c.Path) {
			return false
		}
	}
	return true
}

// cacheInfo is the changes as `git update-index`, what goes first.
func cacheInfo(changes []Change) [][]string {
	var out [][]string
	gone := []string{"git", "update-index", "--force-remove", "--"}
	for _, c := range changes {
		if c.Mode == "" {
			gone = append(gone, c.Path)
		}
	}
	if len(gone) > 4 {
		out = append(out, gone)
	}
	there := []string{"git", "update-index", "--add"}
	for _, c := range changes {
		if c.Mode != "" {
			there = append(there, "--cacheinfo", c.Mode+","+c.Blob+","+c.Path)
		}
	}
	if len(there) > 3 {
		out = append(out, there)
	}
	return out
}

// Allowlist is everything that the run was allowed to take.
func (r *Receipt) Allowlist() []string {
	out := []string{}
	for _, b := range r.Batches {
		if b.Type == Untracked {
			out = append(out, b.Allow...)
		} else {
			out = append(out, b.Pathspecs...)
		}
	}
	return out
}
