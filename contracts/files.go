package contracts

import (
	"embed"
	"fmt"
	"sync"

	"stigmergy/contracts/schema"
)

//go:embed files/*.schema.json
var fileSchemas embed.FS

// FileContract is the contract of a file that is no event: gitops_batches.v1,
// gitops_receipt.v1. An unknown name is a mistake of the program and panics.
func FileContract(name string) *schema.Schema { return fileContracts()[name] }

// fileContracts reads the embedded ones, once; a test reads them all.
var fileContracts = sync.OnceValue(func() map[string]*schema.Schema {
	out := map[string]*schema.Schema{}
	for _, name := range FileContracts() {
		text, err := FileContractText(name)
		if err != nil {
			panic(err)
		}
		s, err := schema.CompileTrusted(text)
		if err != nil {
			panic(fmt.Sprintf("built-in contract %s: %v", name, err))
		}
		out[name] = s
	}
	return out
})

// FileContracts are the names of the contracts of files, sorted.
func FileContracts() []string { return []string{"gitops_batches.v1", "gitops_receipt.v1"} }

// FileContractText is the schema of one of them as it is written.
func FileContractText(name string) ([]byte, error) {
	return fileSchemas.ReadFile("files/" + name + schemaExt)
}
