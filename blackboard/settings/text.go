package settings

import (
	"fmt"
	"strings"
)

// Text is the settings file that `stigmergy init` writes: every setting with
// what it does and its default, all of it commented out.
func Text() []byte {
	var b strings.Builder
	b.WriteString("# The settings of this board. All have defaults, shown here; take the # away to change one.\n")
	b.WriteString("# A flag (up --set NAME=VALUE) beats the environment (STIGMERGY_NAME, . as _), that beats this file.\n")
	b.WriteString("# `stigmergy status` shows the values in force and where each came from.\n")
	for _, r := range table() {
		def := r.def
		if strings.ContainsAny(def, ",:") {
			def = `"` + def + `"`
		}
		fmt.Fprintf(&b, "\n# %s.\n# Values: %s.\n#%s: %s\n", upperFirst(r.doc), r.expect, r.name, def)
	}
	b.WriteString(`
# Who may ask for what. Without roles every lane may ask for everything.
#roles:
#  admiral:  {lanes: ["admiral"], users: [deploy], may: ["hxo.plan.**", "genesis.**", "blueprint.events"]}
#  captain:  {lanes: ["captains/*"], may: []}
#  executor: {lanes: ["executors/*"], may: ["federation.**"]}
`)
	return []byte(b.String())
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
