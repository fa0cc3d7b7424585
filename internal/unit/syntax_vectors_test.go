package unit_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"ctl/internal/unit"
)

// reading is what came of a file, in the shape of syntaxVectors.
type reading struct {
	log, words []string
	err        error
}

// read interprets a file as far as the vectors need it: unknown keys and WantedBy=.
func read(data string) *reading {
	r := &reading{}
	say := func(line int, text string) { r.log = append(r.log, fmt.Sprintf("%d: %s", line, text)) }
	r.err = unit.Parse([]byte(data), unit.InstallSections, func(section, key, value string, line int) {
		switch {
		case strings.HasPrefix(key, "X-"):
		case key != "WantedBy":
			say(line, fmt.Sprintf("Unknown key '%s' in section [%s], ignoring.", key, section))
		default:
			words, err := unit.Words(value, unit.Unquote|unit.RetainEscape)
			if err != nil {
				say(line, "Failed to parse WantedBy="+value+", ignoring: Invalid argument")
				return
			}
			r.words = append(r.words, words...)
		}
	}, say)
	if s, ok := errors.AsType[*unit.SyntaxError](r.err); ok && s.Text != "" {
		say(s.Line, s.Text)
	}
	if r.err != nil {
		r.words = nil
	}
	return r
}

func TestParseVectors(t *testing.T) {
	for _, c := range syntaxVectors {
		r := read(c.data)
		if got := strings.Join(r.log, "\n"); got != c.log {
			t.Errorf("%q:\n got log %q\nwant     %q", c.data, got, c.log)
		}
		if got := strings.Join(r.words, "|"); got != c.words {
			t.Errorf("%q: words %q, want %q", c.data, got, c.words)
		}
		if (c.err != 0 || r.err != nil) && !errors.Is(r.err, c.err) {
			t.Errorf("%q: error %v, want %v", c.data, r.err, c.err)
		}
	}
}

// A line of 1 MiB and more is too long, in one piece or continued (systemctl 262).
func TestParseLongLines(t *testing.T) {
	const limit = 1 << 20
	x := strings.Repeat("x", limit)
	for _, c := range []struct {
		name, data string
		ok         bool
	}{
		{"comment", "#" + x[:limit-2], true},
		{"long comment", "#" + x[:limit-1], false},
		{"line", "[Unit]\n" + x[:limit-1] + "\n", true},
		{"long line", "[Unit]\n" + x + "\n", false},
		{"at the end", "[Unit]\n" + x, false},
		{"continued", "[Unit]\n" + x[:limit/2] + "\\\n" + x[:limit/2-2], true},
		{"continued to the limit", "[Unit]\n" + x[:limit/2] + "\\\n" + x[:limit/2-1], true},
		{"continued too far", "[Unit]\n" + x[:limit/2] + "\\\n" + x[:limit/2], false},
	} {
		err := unit.Parse([]byte(c.data), unit.InstallSections, func(_, _, _ string, _ int) {}, func(int, string) {})
		if c.ok && err != nil || !c.ok && !errors.Is(err, syscall.ENOBUFS) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Which bytes systemctl 262 does not take in the name of a section; newlines end the line.
func TestParseSectionNames(t *testing.T) {
	for c := 1; c < 0x80; c++ {
		if c == '\n' || c == '\r' {
			continue
		}
		err := unit.Parse([]byte("[A"+string(rune(c))+"B]\n"), func(string) unit.Interest { return unit.Skip }, nil, nil)
		bad := c < ' ' || c == 0x7f || strings.ContainsRune("\"'*?[\\", rune(c))
		if errors.Is(err, syscall.EBADMSG) != bad {
			t.Errorf("%q in a section's name: %v", rune(c), err)
		}
	}
}

func TestInstallSections(t *testing.T) {
	for section, want := range map[string]unit.Interest{
		"Install": unit.Want, "Unit": unit.Skip, "Service": unit.Skip, "X-": unit.Skip, "X-Foo": unit.Skip,
		"X": unit.Unknown, "install": unit.Unknown, "": unit.Unknown, "Manager": unit.Unknown, "Network": unit.Unknown,
	} {
		if got := unit.InstallSections(section); got != want {
			t.Errorf("InstallSections(%q) = %v, want %v", section, got, want)
		}
	}
	for _, typ := range unit.Types() {
		section := strings.ToUpper(typ[:1]) + typ[1:]
		if got := unit.InstallSections(section); got != unit.Skip {
			t.Errorf("InstallSections(%q) = %v", section, got)
		}
	}
}

// syntaxVectors are unit files, and what `systemctl enable` of systemd 262 says of
// them: the lines after "FILE:", the words of WantedBy=, and the error.
var syntaxVectors = []struct {
	data, log, words string
	err              syscall.Errno
}{
	{"[Install]\nWantedBy=w.target\n",
		"", "w.target", 0},
	{"[Install]\r\nWantedBy=w.target\r\n",
		"", "w.target", 0},
	{"[Install]\rWantedBy=w.target\r",
		"", "w.target", 0},
	{"[Install]\r\r\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\n\rBad\n",
		"2: Missing '=', ignoring line.", "", 0},
	{"[Install]\x00Bad\x00WantedBy=w.target\x00",
		"2: Missing '=', ignoring line.", "w.target", 0},
	{"[Install]\x00\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\n\x00\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\r\x00\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\nWantedBy=w.target",
		"", "w.target", 0},
	{"[Install]\nWantedBy=a.target \\\nb.target\nBad\n",
		"4: Missing '=', ignoring line.", "a.target|b.target", 0},
	{"[Install]\nWantedBy=a.target \\\n#c\n;d\nb.target\nBad\n",
		"6: Missing '=', ignoring line.", "a.target|b.target", 0},
	{"[Install]\nWantedBy=a.target \\\n# c \\\nb.target\nBad\n",
		"5: Missing '=', ignoring line.", "a.target|b.target", 0},
	{"[Install]\nWantedBy=a.target \\\n\nb.target\nBad\n",
		"4: Missing '=', ignoring line.\n5: Missing '=', ignoring line.", "a.target", 0},
	{"[Install]\nWantedBy=a.target \\\n  \nb.target\nBad\n",
		"4: Missing '=', ignoring line.\n5: Missing '=', ignoring line.", "a.target", 0},
	{"[Install]\nWantedBy=a.target \\",
		"", "a.target", 0},
	{"[Install]\nWantedBy=a.target \\\n",
		"", "a.target", 0},
	{"[Install]\nWantedBy=a.target\\\\\nBad\n",
		"3: Missing '=', ignoring line.", "a.target\\\\", 0},
	{"[Install]\nWantedBy=a.target\\\\\\\nb.target\nBad\n",
		"4: Missing '=', ignoring line.", "a.target\\\\|b.target", 0},
	{"[Install]\nWantedBy=a.target\\\nb.target\n",
		"", "a.target|b.target", 0},
	{"[Install]\nWantedBy=a.target \\ \nb.target\n",
		"3: Missing '=', ignoring line.", "a.target|\\", 0},
	{"[Install]\nWantedBy=a.target \\\r\nb.target\n",
		"", "a.target|b.target", 0},
	{"\\\n[Install]\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\n\\\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\n\\\n\\\nBad\n",
		"4: Missing '=', ignoring line.", "", 0},
	{"\xef\xbb\xbf[Install]\nWantedBy=w.target\n",
		"", "w.target", 0},
	{"\xef\xbb\xbf\xef\xbb\xbf[Install]\nWantedBy=w.target\n",
		"1: Assignment outside of section. Ignoring.\n2: Assignment outside of section. Ignoring.", "", 0},
	{"[Install]\n\xef\xbb\xbfWantedBy=w.target\n",
		"", "w.target", 0},
	{" \xef\xbb\xbf[Install]\nWantedBy=w.target\n",
		"1: Assignment outside of section. Ignoring.\n2: Assignment outside of section. Ignoring.", "", 0},
	{"\xef\xbb\xbf#x\n[Install]\nBad\n",
		"1: Assignment outside of section. Ignoring.\n3: Missing '=', ignoring line.", "", 0},
	{"#\n\xef\xbb\xbf#x\n[Install]\nBad\n",
		"2: Assignment outside of section. Ignoring.\n4: Missing '=', ignoring line.", "", 0},
	{"\n\xef\xbb\xbf[Install]\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"\n\n\xef\xbb\xbf[Install]\nBad\n",
		"4: Missing '=', ignoring line.", "", 0},
	{"\n\xef\xbb\xbf[Install]\n\xef\xbb\xbfBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\nWantedBy=\xff\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: WantedBy=\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\n#\xff\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Inst\xff\nBad\n",
		"1: String is not UTF-8 clean, ignoring assignment: [Inst\xef\xbf\xbd", "", syscall.EINVAL},
	{"\xff\n[Install]\nBad\n",
		"1: String is not UTF-8 clean, ignoring assignment: \xef\xbf\xbd", "", syscall.EINVAL},
	{"[Ins\xfftall]\nBad\n",
		"1: String is not UTF-8 clean, ignoring assignment: [Ins\xef\xbf\xbdtall]", "", syscall.EINVAL},
	{"[Install]\nWantedBy=\xed\xa0\x80\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: WantedBy=\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\nWantedBy=\xef\xbf\xbf.target\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: WantedBy=\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.target", "", syscall.EINVAL},
	{"[Install]\nWantedBy=\xef\xb7\x90.target\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: WantedBy=\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.target", "", syscall.EINVAL},
	{"[Install]\nWantedBy=\xf4\x90\x80\x80\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: WantedBy=\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\nWantedBy=\xc0\x80\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: WantedBy=\xef\xbf\xbd\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\nWantedBy=\xf0\x9f\xbf\xbe\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: WantedBy=\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\nWantedBy=\x01.target\nB\x01ad\n",
		"3: Missing '=', ignoring line.", "\x01.target", 0},
	{"[Install]\n\x0cWantedBy=w.target\nBad\x0b\n\x0b\n",
		"2: Unknown key '\x0cWantedBy' in section [Install], ignoring.\n3: Missing '=', ignoring line.\n4: Missing '=', ignoring line.", "", 0},
	{"[Install\nBad\n",
		"1: Invalid section header '[Install'", "", syscall.EBADMSG},
	{"[]\nBad\n",
		"1: Section header invalid '[]'", "", syscall.EBADMSG},
	{"[Install] \nBad\n",
		"2: Missing '=', ignoring line.", "", 0},
	{"[Install] x\nBad\n",
		"1: Invalid section header '[Install] x'", "", syscall.EBADMSG},
	{"[ Install ]\nBad\n",
		"1: Unknown section ' Install '. Ignoring.", "", 0},
	{" [Install]\nBad\n",
		"2: Missing '=', ignoring line.", "", 0},
	{"[Ins]tall]\nBad\n",
		"1: Unknown section 'Ins]tall'. Ignoring.", "", 0},
	{"[install]\nBad\n",
		"1: Unknown section 'install'. Ignoring.", "", 0},
	{"[\nBad\n",
		"1: Invalid section header '['", "", syscall.EBADMSG},
	{"]\nBad\n",
		"1: Assignment outside of section. Ignoring.\n2: Assignment outside of section. Ignoring.", "", 0},
	{"[Inst\\\nall]\nBad\n",
		"2: Unknown section 'Inst all'. Ignoring.", "", 0},
	{"[Install]\\\nBad\nBad2\n",
		"2: Invalid section header '[Install] Bad'", "", syscall.EBADMSG},
	{"[\"Install\"]\nx\n",
		"1: Section header invalid '[\"Install\"]'", "", syscall.EBADMSG},
	{"[[Install]]\nBad\n",
		"1: Section header invalid '[[Install]]'", "", syscall.EBADMSG},
	{"[X-\nBad",
		"1: Invalid section header '[X-'", "", syscall.EBADMSG},
	{"[Install]#c\nBad\n",
		"1: Invalid section header '[Install]#c'", "", syscall.EBADMSG},
	{"[X-Foo]\nBad\n[Install]\nX-Foo=1\nX-Bad\nx-foo=1\nXFoo=1\n",
		"5: Missing '=', ignoring line.\n6: Unknown key 'x-foo' in section [Install], ignoring.\n7: Unknown key 'XFoo' in section [Install], ignoring.", "", 0},
	{"[X-]\nBad\n[X]\nBad\n",
		"3: Unknown section 'X'. Ignoring.", "", 0},
	{"[Bogus]\nBad\nfoo=1\n[Install]\nWantedBy=w.target\n",
		"1: Unknown section 'Bogus'. Ignoring.", "w.target", 0},
	{"[Bogus]\n[Bogus]\n",
		"1: Unknown section 'Bogus'. Ignoring.\n2: Unknown section 'Bogus'. Ignoring.", "", 0},
	{"[Unit]\nBad\n[Service]\nBad\n[Socket]\nBad\n[Timer]\nBad\n[Path]\nBad\n[Mount]\nBad\n[Automount]\nBad\n[Swap]\nBad\n[Slice]\nBad\n[Scope]\nBad\n[Target]\nBad\n[Device]\nBad\n[Manager]\nBad\n[Install]\nBad\n[Exec]\nBad\n[Link]\nBad\n[Network]\nBad\n",
		"25: Unknown section 'Manager'. Ignoring.\n28: Missing '=', ignoring line.\n29: Unknown section 'Exec'. Ignoring.\n31: Unknown section 'Link'. Ignoring.\n33: Unknown section 'Network'. Ignoring.", "", 0},
	{"a=b\nBad\n=x\n[Install]\nBad\n",
		"1: Assignment outside of section. Ignoring.\n2: Assignment outside of section. Ignoring.\n3: Assignment outside of section. Ignoring.\n5: Missing '=', ignoring line.", "", 0},
	{"[Unit]\nBad\n=x\n[Install]\nBad\n=x\n =x\n",
		"5: Missing '=', ignoring line.\n6: Missing key name before '=', ignoring line.\n7: Missing key name before '=', ignoring line.", "", 0},
	{"[Install]\n=\n==\nFoo=\nFoo==\nFoo = bar = baz\n",
		"2: Missing key name before '=', ignoring line.\n3: Missing key name before '=', ignoring line.\n4: Unknown key 'Foo' in section [Install], ignoring.\n5: Unknown key 'Foo' in section [Install], ignoring.\n6: Unknown key 'Foo' in section [Install], ignoring.", "", 0},
	{"[Install]\nWantedBy =  w.target  \n",
		"", "w.target", 0},
	{"[Install]\nWanted By=w.target\nWantedby=w.target\n",
		"2: Unknown key 'Wanted By' in section [Install], ignoring.\n3: Unknown key 'Wantedby' in section [Install], ignoring.", "", 0},
	{"[Install]\n   =w.target\n",
		"2: Missing key name before '=', ignoring line.", "", 0},
	{"[Install]\nWantedBy=\"a.target\" 'b.target' c\"d.targ\"et \"e f.target\"\n",
		"", "a.target|b.target|cd.target|e f.target", 0},
	{"[Install]\nWantedBy=a.target \"b.target\n",
		"2: Failed to parse WantedBy=a.target \"b.target, ignoring: Invalid argument", "", 0},
	{"[Install]\nWantedBy='b.target\nBad",
		"2: Failed to parse WantedBy='b.target, ignoring: Invalid argument\n3: Missing '=', ignoring line.", "", 0},
	{"[Install]\nWantedBy=\"\"\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\nWantedBy=a.target \"\" b.target\nBad\n",
		"3: Missing '=', ignoring line.", "a.target||b.target", 0},
	{"[Install]\nWantedBy=\\\"a.target\\\" b\\\\.target \"c\\\"d.target\"\n",
		"2: Failed to parse WantedBy=\\\"a.target\\\" b\\\\.target \"c\\\"d.target\", ignoring: Invalid argument", "", 0},
	{"[Install]\nWantedBy=a.target\\\\ b.target \\x\n",
		"", "a.target\\\\|b.target|\\x", 0},
	{"[Install]\nWantedBy=\"a\\\\\" b.target\n",
		"", "a\\\\|b.target", 0},
	{"[Install]\nWantedBy=\"a\\\n",
		"3: Failed to parse WantedBy=\"a, ignoring: Invalid argument", "", 0},
	{"[Install]\nWantedBy=\"a\\",
		"3: Failed to parse WantedBy=\"a, ignoring: Invalid argument", "", 0},
	{"[Install]\nWantedBy=a.target \\\\\\",
		"", "a.target|\\\\", 0},
	{"[Install]\nWantedBy=a\\ b.target c.target\n",
		"", "a\\|b.target|c.target", 0},
	{"[Install]\nWantedBy=a.target\x0bb.target\n",
		"", "a.target\x0bb.target", 0},
	{"[Install]\nWantedBy=a.target\xc2\xa0b.target\n",
		"", "a.target\xc2\xa0b.target", 0},
	{"[Install]\nWantedBy=a.target\tb.target\n",
		"", "a.target|b.target", 0},
	{" ",
		"", "", 0},
	{"\n",
		"", "", 0},
	{"#",
		"", "", 0},
	{"\\",
		"", "", 0},
	{"  # foo\n[Install]\n  ; bar\n  Bad\n",
		"4: Missing '=', ignoring line.", "", 0},
	{"[Install]\n#foo\\\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\nWantedBy=w.target # foo\n",
		"", "w.target|#|foo", 0},
	{"[Install]\nWantedBy=a.target \\\n[Unit]\nBad\n",
		"4: Missing '=', ignoring line.", "a.target|[Unit]", 0},
	{"[Install]\nWantedBy\\\n=a.target\nBad\n",
		"4: Missing '=', ignoring line.", "a.target", 0},
	{"[Install]\nWanted\\\nBy=a.target\n",
		"3: Unknown key 'Wanted By' in section [Install], ignoring.", "", 0},
	{"[Install]\nWantedBy=a.target \\\n\xff\nBad\n",
		"3: String is not UTF-8 clean, ignoring assignment: WantedBy=a.target  \xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\nWantedBy=a.target \\\n#\xff\nb.target\nBad\n",
		"5: Missing '=', ignoring line.", "a.target|b.target", 0},
	{"[Install]\n  \xef\xbb\xbf  WantedBy=w.target\nBad\n",
		"2: Unknown key '\xef\xbb\xbf  WantedBy' in section [Install], ignoring.\n3: Missing '=', ignoring line.", "", 0},
	{"[Install]\n\xef\xbb\xbf#WantedBy=w.target\nBad\n",
		"2: Unknown key '#WantedBy' in section [Install], ignoring.\n3: Missing '=', ignoring line.", "", 0},
	{"[Install]\nWantedBy=a.target \\\n\xef\xbb\xbfb.target\nBad\n",
		"4: Missing '=', ignoring line.", "a.target|b.target", 0},
	{"\xef\xbb\xbf\n\xef\xbb\xbf[Install]\nBad\n",
		"2: Assignment outside of section. Ignoring.\n3: Assignment outside of section. Ignoring.", "", 0},
	{"#\xef\xbb\xbf\n\xef\xbb\xbf[Install]\nBad\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"\xef\xbb\xbf\\\n#c\n[Install]\nBad\n",
		"4: Missing '=', ignoring line.", "", 0},
	{"\xef\xbb\xbf",
		"", "", 0},
	{"[Install]\nBad\n\xef\xbb\xbf",
		"2: Missing '=', ignoring line.", "", 0},
	{"\xef\xbb\xbf;c\n[Install]\nBad",
		"1: Assignment outside of section. Ignoring.\n3: Missing '=', ignoring line.", "", 0},
	{"[Install]\n\xef\xbb\xbf#a=b\n",
		"2: Unknown key '#a' in section [Install], ignoring.", "", 0},
	{"[Install]\n\\\n \\\n  x\nBad\n",
		"4: Missing '=', ignoring line.\n5: Missing '=', ignoring line.", "", 0},
	{"[Unit]\nA=\xff\n[Install]\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: A=\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Foo]\nA=\xff\n[Install]\nBad\n",
		"1: Unknown section 'Foo'. Ignoring.\n2: String is not UTF-8 clean, ignoring assignment: A=\xef\xbf\xbd", "", syscall.EINVAL},
	{"[X-Foo]\nA=\xff\n[Install]\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: A=\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\n  \xff\xfe  \nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: \xef\xbf\xbd\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\nA=\xc3\xa9\xff\xef\xbf\xbd\x01\xe2\x82\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: A=\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\x01\xef\xbf\xbd\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\nA=\xe2\x82",
		"2: String is not UTF-8 clean, ignoring assignment: A=\xef\xbf\xbd\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\nA=\xf0\x9f\x98x\n",
		"2: String is not UTF-8 clean, ignoring assignment: A=\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx", "", syscall.EINVAL},
	{"[Install]\nA=\xff\x00B\n",
		"2: String is not UTF-8 clean, ignoring assignment: A=\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\nA=\x1b[0m\x07\xff\t\x7f\n",
		"2: String is not UTF-8 clean, ignoring assignment: A=\x1b[0m\x07\xef\xbf\xbd\t\x7f", "", syscall.EINVAL},
	{"[\x1bX]\n[Install]\n\x1bA=\n",
		"1: Section header invalid '[\x1bX]'", "", syscall.EBADMSG},
	{"[\x1bX\n",
		"1: Invalid section header '[\x1bX'", "", syscall.EBADMSG},
	{"[\x1bX]\n",
		"1: Section header invalid '[\x1bX]'", "", syscall.EBADMSG},
	{"[Install]\nBad\\",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\nBad\\\n",
		"3: Missing '=', ignoring line.", "", 0},
	{"[Install]\nBad\\\n#x\n",
		"4: Missing '=', ignoring line.", "", 0},
	{"[Install]\nBad\\\n#x",
		"4: Missing '=', ignoring line.", "", 0},
	{"[Install\\\n",
		"2: Invalid section header '[Install'", "", syscall.EBADMSG},
	{"[Install\\\n#\n#\n",
		"4: Invalid section header '[Install'", "", syscall.EBADMSG},
	{"[Install\\",
		"2: Invalid section header '[Install'", "", syscall.EBADMSG},
	{"[Install]\nBad\\\n#x\\\ny\nBad2\n",
		"4: Missing '=', ignoring line.\n5: Missing '=', ignoring line.", "", 0},
	{"[Install]\nBad \\\n#\\",
		"4: Missing '=', ignoring line.", "", 0},
	{"[Install]\nA=\xf4\x90\x80\x80\nBad\n",
		"2: String is not UTF-8 clean, ignoring assignment: A=\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "", syscall.EINVAL},
	{"[Install]\nWantedBy=\"a\\\n   b\" x.target\n",
		"", "a    b|x.target", 0},
	{"[Install]\nA\\\n   \xff\n",
		"3: String is not UTF-8 clean, ignoring assignment: A    \xef\xbf\xbd", "", syscall.EINVAL},
	{"   [Install]\n   A\\\n\t\xff  \n",
		"3: String is not UTF-8 clean, ignoring assignment: A \t\xef\xbf\xbd", "", syscall.EINVAL},
}
