package unit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ctl/internal/unit"
)

func letter(a unit.Action) string {
	switch a {
	case unit.Enable:
		return "e"
	case unit.Disable:
		return "d"
	case unit.Ignore:
		return "i"
	}
	return "?"
}

// What `systemctl list-unit-files` of systemd 262 says of a preset file (after
// "FILE:"), and its PRESET column for a.service, b.service, t@.service, t@x.service, s.socket.
func TestParsePreset(t *testing.T) {
	names := [...]string{"a.service", "b.service", "t@.service", "t@x.service", "s.socket"}
	for _, c := range []struct{ data, log, presets string }{
		{"", "", "e e e e e"},
		{"disable *", "", "d d d d d"},
		{"enable a.service\ndisable *", "", "e d d d d"},
		{"disable a.service\nenable *", "", "d e e e e"},
		{"ignore a*\nenable *\n", "", "i e e e e"},
		{"enable t@.service x y\ndisable *\n", "", "d d e d d"},
		{"enable t@.service \"x y\"\ndisable *", "", "d d e d d"},
		{"enable t@.service x\"y\ndisable *", "", "d d e d d"},
		{"enable \"t@.service\" x\n", "1: Couldn't parse line 'enable \"t@.service\" x'. Ignoring.", "e e e e e"},
		{"enable t@\\x2d.service x\ndisable *", "1: Couldn't parse line 'enable t@\\x2d.service x'. Ignoring.", "d d d d d"},
		{"enable a.service\\\ndisable *", "", "d d d d d"},
		{"enable\ta.service\ndisable *", "", "e d d d d"},
		{"enable\x0ba.service\ndisable *", "1: Couldn't parse line 'enable\x0ba.service'. Ignoring.", "d d d d d"},
		{"enable a.service b.service\ndisable *\n", "1: Couldn't parse line 'enable a.service b.service'. Ignoring.", "d d d d d"},
		{"disable a.service b.service\n", "", "e e e e e"},
		{"disable  a.service  \n", "", "d e e e e"},
		{"disable \n", "", "e e e e e"},
		{"disable\n", "", "e e e e e"},
		{"ignore\n", "", "e e e e e"},
		{"enable t@.service\ndisable *\n", "", "d d e d d"},
		{"enable t@x.service a\ndisable *\n", "1: Couldn't parse line 'enable t@x.service a'. Ignoring.", "d d d d d"},
		{"enable t@.service x/y a\ndisable *", "", "d d e d d"},
		{"\xef\xbb\xbfenable a.service\ndisable *\n", "1: Couldn't parse line '\xef\xbb\xbfenable a.service'. Ignoring.", "d d d d d"},
		{"enable a.service #c\ndisable *", "1: Couldn't parse line 'enable a.service #c'. Ignoring.", "d d d d d"},
		{"disable \"a.service\"\n", "", "e e e e e"},
		{"enable *@.service x\ndisable *\n", "1: Couldn't parse line 'enable *@.service x'. Ignoring.", "d d d d d"},
		{"foo\n\nbar\r\nbaz", "1: Couldn't parse line 'foo'. Ignoring.\n3: Couldn't parse line 'bar'. Ignoring.\n4: Couldn't parse line 'baz'. Ignoring.", "e e e e e"},
		{"enable\xff a.service\n", "1: Couldn't parse line 'enable\xff a.service'. Ignoring.", "e e e e e"},
		{"disable *\xff\n", "", "e e e e e"},
		{"enable a.service\x00disable *", "", "e d d d d"},
		{"enable \\", "", "e e e e e"},
		{"disable \\a.service\n", "", "e e e e e"},
		{"# enable a.service\n; x\n  # y\n  disable a.service\n", "", "d e e e e"},
		{"Disable *\n", "1: Couldn't parse line 'Disable *'. Ignoring.", "e e e e e"},
		{"enabled a.service\ndisable *", "1: Couldn't parse line 'enabled a.service'. Ignoring.", "d d d d d"},
		{"disable [ab].service\n", "", "d d e e e"},
		{"disable [!ab]*\n", "", "e e d d d"},
		{"disable ?.service\n", "", "d d e e e"},
		{"disable *@*\n", "", "e e d d e"},
		{"disable *.socket\nignore *.service", "", "i i i i d"},
		// Ours: the reference crashes.
		{"enable\ndisable *\n", "1: Couldn't parse line 'enable'. Ignoring.", "d d d d d"},
		{"enable \t\ndisable *\n", "1: Couldn't parse line 'enable'. Ignoring.", "d d d d d"},
	} {
		var log, presets []string
		rules := unit.ParsePreset([]byte(c.data), func(line int, text string) {
			log = append(log, fmt.Sprintf("%d: %s", line, text))
		})
		for _, n := range names {
			presets = append(presets, letter(rules.MatchPattern(n)))
		}
		if got := strings.Join(log, "\n"); got != c.log {
			t.Errorf("%q: log %q, want %q", c.data, got, c.log)
		}
		if got := strings.Join(presets, " "); got != c.presets {
			t.Errorf("%q: %q, want %q", c.data, got, c.presets)
		}
	}
}

// What `systemctl preset` of systemd 262 enables when asked for t@.service,
// t@x.service and t@y.service.
func TestMatchInstances(t *testing.T) {
	names := [...]string{"t@.service", "t@x.service", "t@y.service"}
	for _, c := range []struct {
		data    string
		enabled [len(names)]string
	}{
		{"enable t@.service x y\ndisable *\n", [...]string{"t@x.service t@y.service", "t@x.service", "t@y.service"}},
		{"enable t@.service \"x y\"\ndisable *", [...]string{"t@.service", "", ""}},
		{"enable t@.service \\x\ndisable *", [...]string{"t@\\x.service", "", ""}},
		{"enable t@.service\ndisable *\n", [...]string{"t@.service", "", ""}},
		{"enable t@.service x/y a\ndisable *", [...]string{"t@.service", "", ""}},
		{"enable t@.service a x/y\ndisable *", [...]string{"t@.service", "", ""}},
		{"enable t@.service x\nenable t@.service y\ndisable *", [...]string{"t@x.service", "t@x.service", "t@y.service"}},
		{"disable t@x.service\nenable t@.service x y\ndisable *", [...]string{"t@x.service t@y.service", "", "t@y.service"}},
		{"enable t@.service y\nenable t@x.service\ndisable *", [...]string{"t@y.service", "t@x.service", "t@y.service"}},
		{"enable t@.service " + strings.Repeat("z", 250) + "\ndisable *", [...]string{"t@.service", "", ""}},
		{"disable *\nenable t@.service x", [...]string{"", "", ""}},
		{"ignore t@.service\nenable t@.service x", [...]string{"", "t@x.service", "t@y.service"}},
		{"enable t@x.service\ndisable *", [...]string{"", "t@x.service", ""}},
		{"enable t@.service @\ndisable *", [...]string{"t@@.service", "", ""}},
		{"enable u@.service x\ndisable *", [...]string{"", "", ""}},
		{"enable t@.service x x\ndisable *", [...]string{"t@x.service", "t@x.service", ""}},
	} {
		rules := unit.ParsePreset([]byte(c.data), func(line int, text string) { t.Errorf("%q: %d: %s", c.data, line, text) })
		for i, n := range names {
			action, instances := rules.Match(n)
			got := ""
			if action == unit.Enable {
				got = n
				if len(instances) > 0 {
					slices.Sort(instances)
					got = strings.Join(slices.Compact(instances), " ")
				}
			}
			if got != c.enabled[i] {
				t.Errorf("%q: %s enables %q, want %q", c.data, n, got, c.enabled[i])
			}
		}
	}
}
