package contracts_test

import (
	"testing"

	"stigmergy/contracts"
	"stigmergy/contracts/schema"
)

// TestFileContracts: the contracts of files are schemas by the standard's own,
// and can be had by name.
func TestFileContracts(t *testing.T) {
	for _, name := range contracts.FileContracts() {
		text, err := contracts.FileContractText(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := schema.Compile(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if errs := contracts.FileContract(name).Check([]byte(`7`)); len(errs) == 0 {
			t.Errorf("%s takes a number", name)
		}
	}
}
