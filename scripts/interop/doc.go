// Package interop is a module of its own, of tests only: it holds our trees, proofs
// and exported logs against programs of others.
package interop
