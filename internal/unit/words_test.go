package unit_test

import (
	"slices"
	"syscall"
	"testing"

	"ctl/internal/unit"
)

// The units that systemctl 262 finds in Also=, and where it ends with EINVAL: for
// a word that is no unit name, or for the splitting.
func TestWordsOfAlso(t *testing.T) {
	for _, c := range []struct {
		value   string
		words   []string
		invalid bool
	}{
		{"b.service c.service", []string{"b.service", "c.service"}, false},
		{"b\\x2dc.service", []string{"bx2dc.service"}, false},
		{"b.service\\ c.service", []string{}, true},
		{"\"b.service\"", []string{}, true},
		{"'b.service", []string{}, true},
		{"b.service \\\\x.service", []string{"b.service", "\\x.service"}, false},
		{"b.service x\\\\\\\\", []string{}, true},
		{"b.service\tc.service\\", []string{}, true},
		{"b.service x\\", []string{}, true},
		{"\\b.service", []string{"b.service"}, false},
		{"b\\\\c.service", []string{"b\\c.service"}, false},
		{"b.service\x0bc.service", []string{}, true},
		{"b.service  ", []string{"b.service"}, false},
		{"", []string{}, false},
	} {
		words, err := unit.Words(c.value, 0)
		bad := err != nil || slices.ContainsFunc(words, func(w string) bool { return !unit.Valid(w, unit.Any) })
		if bad != c.invalid {
			t.Errorf("Words(%q) = %q, %v", c.value, words, err)
		}
		if !bad && !slices.Equal(words, c.words) {
			t.Errorf("Words(%q) = %q, want %q", c.value, words, c.words)
		}
	}
}

// The words of WantedBy= are in syntaxVectors; here is what precedes an error.
func TestWordsBeforeError(t *testing.T) {
	for _, c := range []struct {
		s     string
		flags unit.WordFlags
		words []string
	}{
		{`a "b c" "d`, unit.Unquote | unit.RetainEscape, []string{"a", "b c"}},
		{`a 'b`, unit.Unquote, []string{"a"}},
		{`a b\`, 0, []string{"a"}},
		{`"`, unit.Unquote, nil},
	} {
		words, err := unit.Words(c.s, c.flags)
		if err != syscall.EINVAL || !slices.Equal(words, c.words) {
			t.Errorf("Words(%q, %d) = %q, %v", c.s, c.flags, words, err)
		}
	}
}
