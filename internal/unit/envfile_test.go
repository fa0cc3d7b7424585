package unit_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"ctl/internal/unit"
)

// What systemctl 262 reads as %w, VERSION_ID, from a /usr/lib/os-release; log is the
// line after "FILE:".
func TestParseEnv(t *testing.T) {
	for _, c := range []struct {
		data, value, log string
		err              syscall.Errno
	}{
		{"VERSION_ID='a'b\"c\"", "ab\"c\"", "", 0},
		{"VERSION_ID=a\"b\"", "a\"b\"", "", 0},
		{"VERSION_ID=a'b'", "a'b'", "", 0},
		{"VERSION_ID=\"a\" \"b\"", "ab", "", 0},
		{"VERSION_ID=\"a\"b", "ab", "", 0},
		{"VERSION_ID=\"a\"#b", "a#b", "", 0},
		{"VERSION_ID=a#b", "a#b", "", 0},
		{"VERSION_ID=a #b", "a #b", "", 0},
		{"VERSION_ID= a", "a", "", 0},
		{"VERSION_ID =a", "a", "", 0},
		{" VERSION_ID=a", "a", "", 0},
		{"VERSION_ID=a ", "a", "", 0},
		{"VERSION_ID=a b  ", "a b", "", 0},
		{"VERSION_ID=\"a\\nb\"", "a\\nb", "", 0},
		{"VERSION_ID=\"a\\\"b\"", "a\"b", "", 0},
		{"VERSION_ID='a\\'b'", "a\\b'", "", 0},
		{"VERSION_ID=a\\ ", "a ", "", 0},
		{"VERSION_ID=a\\\nb", "ab", "", 0},
		{"VERSION_ID=\"a\\\nb\"", "ab", "", 0},
		{"VERSION_ID='a\\\nb'", "a\\\nb", "", 0},
		{"VERSION_ID=\"a\nb\"", "a\nb", "", 0},
		{"VERSION_ID=\"a", "a", "", 0},
		{"VERSION_ID='a", "a", "", 0},
		{"VERSION_ID=a\\", "a", "", 0},
		{"#\\\nVERSION_ID=a", "a", "", 0},
		{"#x\nVERSION_ID=a", "a", "", 0},
		{"; \nVERSION_ID=a", "a", "", 0},
		{"VERSION_ID", "", "", 0},
		{"VERSION_ID=a\nVERSION_ID", "a", "", 0},
		{"VERSION_ID=a\nVERSION_ID=", "", "", 0},
		{"X VERSION_ID=a", "", "", 0},
		{"export VERSION_ID=a", "", "", 0},
		{"VERSION_ID=\xff", "", "1: invalid UTF-8 value for key VERSION_ID: '\xef\xbf\xbd', ignoring.", syscall.EINVAL},
		{"X=\xff\nVERSION_ID=a", "", "2: invalid UTF-8 value for key X: '\xef\xbf\xbd', ignoring.", syscall.EINVAL},
		{"\xff=1\nVERSION_ID=a", "", "2: invalid UTF-8 in key '\xef\xbf\xbd', ignoring.", syscall.EINVAL},
		{"VERSION_ID=a\rVERSION_ID=b", "b", "", 0},
		{"VERSION_ID=\"a\"\\\nb", "ab", "", 0},
		{"VERSION_ID=\\\"a\\\"", "\"a\"", "", 0},
		{"VERSION_ID=a\\\"b\\\"", "a\"b\"", "", 0},
		{"VERSION_ID=\"\" ", "", "", 0},
		{"VERSION_ID=\"a\"  ", "a", "", 0},
		{"VERSION_ID=' a '", " a ", "", 0},
		{"VERSION_ID=\"$x`y\\$z\\`\"", "$x`y$z`", "", 0},
		{"VERSION_ID=$x", "$x", "", 0},
		{"VERSION_ID=a\x00b", "", "", syscall.EBADMSG},
		{"=a\nVERSION_ID=b", "b", "", 0},
		{"VERSION_ID==b", "=b", "", 0},
		{"VERSION_ID=\"a\"=b", "a=b", "", 0},
		{"\xef\xbb\xbfVERSION_ID=a", "", "", 0},
		{"VERSION_ID=\"a\"'b'", "ab", "", 0},
		{"VERSION_ID=\"a\";b", "a;b", "", 0},
		{"VERSION_ID=a;b", "a;b", "", 0},
		{"VERSION_ID=;b", ";b", "", 0},
		{"VERSION_ID=#b", "#b", "", 0},
		{"VERSION_ID= #b", "#b", "", 0},
		{"VERSION_ID=\n#x\\\nVERSION_ID=b", "b", "", 0},
		{"VERSION_ID=\\\nb", "b", "", 0},
		{"VERSION_ID= \\\n b", " b", "", 0},
		{"VERSION_ID=\"a\"\n\"b\"", "a", "", 0},
		{"VERSION_ID=a\n\n\nVERSION_ID=b", "b", "", 0},
		{"VERSION_ID=\xc0\x80", "", "1: invalid UTF-8 value for key VERSION_ID: '\xef\xbf\xbd\xef\xbf\xbd', ignoring.", syscall.EINVAL},
		{"VERSION_ID=\xed\xa0\x80", "", "1: invalid UTF-8 value for key VERSION_ID: '\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd', ignoring.", syscall.EINVAL},
		{"VERSION_ID=\"\xc3\xa9\"", "\xc3\xa9", "", 0},
		{"=a", "", "", 0},
		{"==a\nVERSION_ID=1", "1", "", 0},
		{"VERSION_ID=a  \\", "a  ", "", 0},
		{"VERSION_ID=a\\ \\ ", "a  ", "", 0},
		{"VERSION_ID=\"a\n\xff\"", "", "1: invalid UTF-8 value for key VERSION_ID: 'a\n\xef\xbf\xbd', ignoring.", syscall.EINVAL},
		{"VERSION_ID=\"a\\\n\"\nX=\xff", "", "2: invalid UTF-8 value for key X: '\xef\xbf\xbd', ignoring.", syscall.EINVAL},
		{"\n\nVERSION_ID=\xff", "", "1: invalid UTF-8 value for key VERSION_ID: '\xef\xbf\xbd', ignoring.", syscall.EINVAL},
		{"#\n\nVERSION_ID=\xff\n", "", "3: invalid UTF-8 value for key VERSION_ID: '\xef\xbf\xbd', ignoring.", syscall.EINVAL},
	} {
		value, log := "", ""
		err := unit.ParseEnv([]byte(c.data), func(k, v string) {
			if k == "VERSION_ID" {
				value = v
			}
		})
		if s, ok := errors.AsType[*unit.SyntaxError](err); ok {
			log = fmt.Sprintf("%d: %s", s.Line, s.Text)
		}
		if (c.err != 0 || err != nil) && !errors.Is(err, c.err) {
			t.Errorf("%q: error %v, want %v", c.data, err, c.err)
		}
		if log != c.log {
			t.Errorf("%q: log %q, want %q", c.data, log, c.log)
		}
		if err != nil {
			continue
		}
		if value != c.value {
			t.Errorf("%q: %q, want %q", c.data, value, c.value)
		}
		if got := unit.EnvFile([]byte(c.data), "VERSION_ID"); got != c.value {
			t.Errorf("EnvFile(%q) = %q, want %q", c.data, got, c.value)
		}
	}
}
