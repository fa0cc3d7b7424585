package json

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPlaces: where texts that are no JSON go wrong, as systemd-nspawn 262 says of a config.json.
func TestPlaces(t *testing.T) {
	for text, want := range map[string][2]int{
		"{":                           {1, 2},
		"{\"a\":1,\n \"b\" 2}":        {2, 6},
		`{"ociVersion":"1.0.0"}x`:     {1, 23},
		`{"ociVersion":"1.0.0",}`:     {1, 24},
		`{"v":"1.0.0","a":01}`:        {1, 19},
		`{"hostname":"\ud83d"}`:       {1, 13},
		`{"hostname":"a\u0000b"}`:     {1, 13},
		"{\"hostname\":\"\xff\"}":     {1, 13},
		"{\"hostname\":\"a\nb\"}":     {1, 13},
		`{"a":"b" /* c */, "d":1}`:    {1, 10},
		strings.Repeat("[", 1) + "]]": {1, 3},
	} {
		_, err := Parse([]byte(text))
		e, ok := errors.AsType[*Error](err)
		if !ok || [2]int{e.Line, e.Column} != want {
			t.Errorf("%q: %v, not %v", text, err, want)
		}
	}
	if _, err := Parse(nil); !errors.Is(err, unix.ENODATA) {
		t.Error(err)
	}
	if _, err := Parse([]byte(strings.Repeat("[", deepest+1))); !errors.Is(err, unix.ELNRNG) {
		t.Error(err)
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string][3]bool{ // Number, Integer, Unsigned
		"0": {true, true, true}, "-1": {true, true, false}, "33.0": {true, true, true}, "33.5": {true, false, false}, "1e3": {true, true, true},
		"9223372036854775808": {true, false, true}, "18446744073709551615": {true, false, false}, `"1"`: {},
	} {
		v, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(text, err)
		}
		if got := [3]bool{v.Is(Number), v.Is(Integer), v.Is(Unsigned)}; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
