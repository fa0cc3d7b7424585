package unit_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"ctl/internal/unit"
)

// The expectations are fnmatch(3) of glibc with FNM_NOESCAPE.
func TestFnmatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", ".a/b", true}, {"a*c", "abbc", true}, {"a*c", "abbd", false}, {"**a", "ba", true},
		{"?", "a", true}, {"?", "", false}, {"?", "ä", true}, {"[a-c]x", "bx", true}, {"[!a-c]x", "bx", false},
		{"[^a]", "b", true}, {"[]]", "]", true}, {"[!]]", "a", true}, {"[a", "[a", true}, {"[a-", "[a-", false}, {"[a-]", "-", true},
		{`\*`, `\x`, true}, {`\*`, "*", false}, {"[[:digit:]]", "7", true}, {"[[:alpha:]_]", "_", true}, {"[[:digit:]]", "a", false},
		{"a*b*c", "aXbYc", true}, {"*.service", "x.service", true}, {"", "", true}, {"", "a", false}, {"getty@*.service", "getty@tty1.service", true},
	} {
		if got := unit.Fnmatch(c.pattern, c.name); got != c.want {
			t.Errorf("Fnmatch(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

func TestPreset(t *testing.T) {
	var bad []string
	rules := unit.ParsePreset([]byte("# c\n; c\n\nenable a.service\ndisable a*\nignore  b.service\nenable t@.service x y\nenable\nbogus z\nenable c.service d e\ndisable\n"),
		func(line int, text string) { bad = append(bad, fmt.Sprint(line, " ", text)) })
	want := []string{"8 Couldn't parse line 'enable'. Ignoring.", "9 Couldn't parse line 'bogus z'. Ignoring.",
		"10 Couldn't parse line 'enable c.service d e'. Ignoring."}
	if strings.Join(bad, "\n") != strings.Join(want, "\n") {
		t.Errorf("bad lines %q", bad)
	}
	for _, c := range []struct {
		name      string
		want      unit.Action
		instances string
	}{
		{"a.service", unit.Enable, ""}, {"ab.service", unit.Disable, ""}, {"b.service", unit.Ignore, ""},
		{"z.service", unit.Enable, ""}, {"t@.service", unit.Enable, "t@x.service t@y.service"}, {"t@x.service", unit.Enable, ""},
	} {
		got, instances := rules.Match(c.name)
		if got != c.want || strings.Join(instances, " ") != c.instances {
			t.Errorf("Match(%q) = %d %q", c.name, got, instances)
		}
	}
}

func TestExpand(t *testing.T) {
	lookup := func(c byte) (string, error) {
		if c == 'z' {
			return "", syscall.EBADSLT
		}
		return "<" + string(c) + ">", nil
	}
	for _, c := range []struct{ text, want string }{
		{"a%ib", "a<i>b"}, {"%%i", "%i"}, {"%-", "%-"}, {"a%", "a%"}, {"%é", "%é"}, {"%1", "<1>"}, {"", ""},
	} {
		if got, err := unit.Expand(c.text, 255, lookup); got != c.want || err != nil {
			t.Errorf("Expand(%q) = %q, %v", c.text, got, err)
		}
	}
	if _, err := unit.Expand("%z", 255, lookup); !errors.Is(err, syscall.EBADSLT) {
		t.Error(err)
	}
	if _, err := unit.Expand(strings.Repeat("a", 256), 255, lookup); !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Error(err)
	}
}

// The expectations follow os-release(5) and what 262 made of %o, %w, %W, %B, %M in such a file.
func TestEnvFile(t *testing.T) {
	data := []byte("ID=foo\nVERSION_ID=\"1 2\"\nVARIANT_ID='x y'\nBUILD_ID=a\\ b\nIMAGE_ID=$x\n#c\nIMAGE_VERSION=\n BAD\nID=bar\nQ=\"a\\\"b\"\n")
	for name, want := range map[string]string{"ID": "bar", "VERSION_ID": "1 2", "VARIANT_ID": "x y", "BUILD_ID": "a b", "IMAGE_ID": "$x",
		"IMAGE_VERSION": "", "NONE": "", "Q": `a"b`} {
		if got := unit.EnvFile(data, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func FuzzPreset(f *testing.F) {
	f.Add([]byte("enable a@.service b c\ndisable *\n"), "a@.service")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		action, instances := unit.ParsePreset(data, func(int, string) {}).Match(name)
		if action < unit.Enable || action > unit.Ignore {
			t.Errorf("action %d", action)
		}
		for _, i := range instances {
			if !unit.Valid(i, unit.Instance) {
				t.Errorf("instance %q", i)
			}
		}
	})
}

func FuzzExpand(f *testing.F) {
	f.Add("a%ib%%", "v")
	f.Fuzz(func(t *testing.T, text, value string) {
		got, err := unit.Expand(text, 1000, func(byte) (string, error) { return value, nil })
		if err == nil && len(got) > 1000 {
			t.Errorf("%d bytes", len(got))
		}
		if !strings.Contains(text, "%") && err == nil && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func FuzzFnmatch(f *testing.F) {
	f.Add("[a-z]*?", "abc")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		got := unit.Fnmatch(pattern, name)
		if !strings.ContainsAny(pattern, "*?[") && got != (pattern == name) {
			t.Errorf("%q, %q: %v", pattern, name, got)
		}
		if got && !unit.Fnmatch("*"+pattern, name) {
			t.Errorf("%q matches %q, but not with a star before it", pattern, name)
		}
	})
}
