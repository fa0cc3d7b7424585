package difftest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// TestTable holds our tables of verbs and options against those of the reference,
// which prints them with --introspect-cli.
func TestTable(t *testing.T) {
	ref, ctl := oracle.Programs(t)
	want, got := introspection(t, ref), introspection(t, ctl)
	if len(want) != 5 {
		t.Fatalf("%d commands", len(want))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("- the reference, + ctl:\n%s", d)
	}
}

// introspection returns the commands, without the list of what systemd was built with.
func introspection(t *testing.T, p oracle.Program) []map[string]any {
	t.Helper()
	var doc struct {
		Commands []map[string]any `json:"commands"`
	}
	if err := json.Unmarshal([]byte(p.Run(t, "/", nil, "--introspect-cli").Stdout), &doc); err != nil {
		t.Fatal(err)
	}
	for _, c := range doc.Commands {
		delete(c, "features")
		verbs, _ := c["verbs"].([]any)
		for _, v := range verbs {
			// That the verb itself must be there goes without saying.
			if verb, ok := v.(map[string]any); ok && verb["minArguments"] == 1.0 {
				delete(verb, "minArguments")
			}
		}
	}
	return doc.Commands
}
