package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// Run prints what was built from what.
func (versionCmd) Run(a *app) error {
	version, revision := buildVersion(), ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	r := record{text("version", version), text("revision", revision), text("go", runtime.Version()),
		text("platform", runtime.GOOS+"/"+runtime.GOARCH)}
	if a.line.Output == "" || a.line.Output == "text" {
		_, err := fmt.Fprintf(a.out, "stigmergy %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	}
	return a.one(r)
}

// buildVersion names this build in the journal.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
