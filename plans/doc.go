// Package plans looks at the world for plans: it reads a submitted document,
// expands its globs, hashes its files, and writes what came of it, the manifest
// and its chunks of shards, into the content-addressed store.
//
//	r := plans.Resolver{Root: "/src/project", Board: "/src/project/board", Put: cas.Put}
//	res, err := r.Resolve(ctx, plan.Resolve{PlanID: id, Plan: document})
//
// Files are opened below the root and nowhere else, whatever links lead out of
// it. What is wrong with a plan is in the result, all of it at once; an error is
// what the board itself failed at, and worth another try.
//
// The name of a shard in the shell, for one file of a stage of kind exec:
//
//	printf '{"inputs":[{"name":"a.txt","sha256":"%s"}],"kind":"exec","spec":{"argv":["wc","-c","{input}"]},"v":1}' \
//	  "$(sha256sum < a.txt | cut -c1-64)" | sha256sum | cut -c1-16
package plans
