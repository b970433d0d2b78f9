// Package gitops commits a working tree in small, path-scoped commits, with
// evidence: which batches there are is read from .gitops/batches.json, the real
// git does the work, and a proof bundle tells what was done.
//
//	u, err := gitops.Prepare(gitops.Options{Dir: ".", Root: ".", …})
//	receipt, err := u.Run(ctx)
//
// # One batch
//
//	copy the index                          GIT_INDEX_FILE=COPY from here on
//	git diff-files / ls-files --others      what of the batch changed
//	git update-index --stdin                staged in the copy
//	git write-tree, diff-tree HEAD TREE     what the commit will be
//	the gates                               over exactly that
//	git commit-tree                         a commit that nobody sees yet
//	git update-ref --stdin                  published, if the branch did not move, and in
//	the index                               the next moment the index, if that did not
//	                                        change either (see publish.go)
//
// A kill between any two of these leaves whole commits only; what the index
// could not follow, the next run brings along.
//
// # The bundle
//
//	artifacts/proofs/gitops_20260129T023113Z__gen88-v4/
//	    gitops_receipt.json   contract gitops_receipt.v1 (contracts/files)
//	    run.log               every command, pasteable, and what it printed
//	    batches.json          the configuration as it was
//	    exemplar.json         the run as an hfo.exemplar packet
//	    attestation.jsonl     an in-toto statement in a signed DSSE envelope
//	    run_id.txt proof_dir.txt
//	    checksums.sha256      sha256sum -c checksums.sha256
//
// A run's id is its bundle's name, a dot and eight random hex digits. Commits
// carry it as the trailer Run-Id, and their batch as Batch-Id.
package gitops
