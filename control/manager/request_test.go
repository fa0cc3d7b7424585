package manager

import (
	"bytes"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

// TestPlainCall: godbus reads of a call what was to be said, and what it does not take is not written.
func TestPlainCall(t *testing.T) {
	for _, call := range []Call{
		{Path: "/a", Interface: "b.c", Method: "D"},
		{Path: "/a/b_2ec", Interface: "b.c", Method: "D", Args: []any{""}},
		{Path: "/", Interface: "b.c", Method: "Dd", Args: []any{"é", []string{}, []string{"", "a", "bcdefgh"}, uint32(7), true, false, "x"}},
		GetAll(UnitPath("dev-sda.device"), ""),
		Method("StartUnit", "a.service", strings.Repeat("replace", 1000)),
	} {
		for _, to := range []string{"", Service} {
			whole := plainCall(call, to, dbus.FlagAllowInteractiveAuthorization, 77)
			m, err := dbus.DecodeMessage(bytes.NewReader(whole))
			if err != nil {
				t.Fatalf("%v: %v", call, err)
			}
			want := map[dbus.HeaderField]any{dbus.FieldPath: call.Path, dbus.FieldInterface: call.Interface, dbus.FieldMember: call.Method}
			if to != "" {
				want[dbus.FieldDestination] = to
			}
			if call.Args != nil {
				want[dbus.FieldSignature] = dbus.SignatureOf(call.Args...)
			}
			got := make(map[dbus.HeaderField]any)
			for k, v := range m.Headers {
				got[k] = v.Value()
			}
			if d := cmp.Diff(want, got, cmp.AllowUnexported(dbus.Signature{})); d != "" {
				t.Errorf("%v: fields: - wanted, + read\n%s", call, d)
			}
			if d := cmp.Diff(call.Args, m.Body); d != "" {
				t.Errorf("%v: arguments: - wanted, + read\n%s", call, d)
			}
			if m.Serial() != 77 || m.Type != dbus.TypeMethodCall || m.Flags != dbus.FlagAllowInteractiveAuthorization {
				t.Errorf("%v: %v", call, m)
			}
		}
	}
	for _, call := range []Call{
		{Path: "a", Interface: "b.c", Method: "D"},
		{Path: "/a", Interface: "b.c", Method: "D", Args: []any{"\xff"}},
		{Path: "/a", Interface: "b.c", Method: "D", Args: []any{[]string{"a\x00"}}},
		{Path: "/a", Interface: "b.c", Method: "D", Args: []any{1.5}},
	} {
		if plainCall(call, "", 0, 1) != nil {
			t.Errorf("%v is written", call)
		}
	}
}
