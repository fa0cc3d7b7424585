package managertest

import (
	"encoding/json"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestJSON has ctl under its own name write JSON where systemctl has none; the values are those that the reference writes
// as text.
func TestJSON(t *testing.T) {
	m := oracle.Boot(t, "testdata/files")
	m.Shell(t, "systemctl start ok tr.timer")
	for _, c := range []struct{ ctl, reference, member string }{
		{"is-active ok ok2 nope", "is-active ok ok2 nope", "active"},
		{"is-failed ok ok2", "is-failed ok ok2", "active"},
		{"is-enabled ok wanted st-enabled", "is-enabled ok wanted st-enabled", "state"},
		{"show ok tr.timer -p Id", "show ok tr.timer -P Id", "Id"},
		{"show ok tr.timer -p FragmentPath", "show ok tr.timer -P FragmentPath", "FragmentPath"},
		{"status ok tr.timer", "show ok tr.timer -P ActiveState", "active"},
		{"status ok tr.timer ok2", "show ok tr.timer ok2 -P SubState", "sub"},
		{"status", "show -P SystemState", "state"},
		{"list-dependencies ok tr.timer", "show ok tr.timer -P Id", "unit"},
	} {
		got := m.Run(t, "/ctl/ctl "+c.ctl+" -o json")
		want := m.Run(t, "/usr/bin/systemctl "+c.reference)
		var objects []map[string]any
		if err := json.Unmarshal([]byte(got.Stdout), &objects); err != nil {
			t.Errorf("%s: %v: %s%s", c.ctl, err, got.Stdout, got.Stderr)
			continue
		}
		var values []string
		for _, o := range objects {
			s, _ := o[c.member].(string)
			values = append(values, s)
		}
		if g, w := strings.Join(values, " "), strings.Join(strings.Fields(want.Stdout), " "); g != w {
			t.Errorf("%s: %s of each is %q; want %q", c.ctl, c.member, g, w)
		}
		if !strings.HasPrefix(c.reference, "show") && got.Exit != want.Exit {
			t.Errorf("%s: exit %d; want %d", c.ctl, got.Exit, want.Exit)
		}
	}
	for line, want := range map[string]string{
		"start ok fail":                    `[{"unit":"ok.service","result":"done"},{"unit":"fail.service","result":"failed"}]`,
		"stop ok":                          `[{"unit":"ok.service","result":"done"}]`,
		"start nope ok --job-mode=fail -T": `[{"unit":"nope.service","result":null},{"unit":"ok.service","result":"done"}]`,
		"restart --no-block ok":            `[{"unit":"ok.service","result":null}]`,
	} {
		got := m.Run(t, "/ctl/ctl "+line+" -o json")
		var jobs []struct {
			Unit   string  `json:"unit"`
			Result *string `json:"result"`
		}
		err := json.Unmarshal([]byte(got.Stdout), &jobs)
		if b, _ := json.Marshal(jobs); err != nil || string(b) != want {
			t.Errorf("%s: %v %s; want %s", line, err, got.Stdout, want)
		}
	}
	// As systemctl there is none.
	for _, line := range []string{"is-active -o json ok", "show -o json -p Id ok", "is-enabled -o json ok"} {
		got, want := m.Run(t, "/ctl/systemctl "+line), m.Run(t, "/usr/bin/systemctl "+line)
		if got != want {
			t.Errorf("systemctl %s: %+v; want %+v", line, got, want)
		}
	}
}
