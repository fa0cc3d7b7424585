package unit

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"syscall"

	"ctl/internal/clock"
)

// Limit reads one limit of setrlimit(2), called as the settings are, without "": a size, a time, a number, a nice level.
func Limit(name, s string) (uint64, error) {
	if s == "infinity" && name != "NICE" {
		return math.MaxUint64, nil
	}
	switch name {
	case "CPU":
		v, err := clock.ParseSpan(s, clock.Second)
		return (v + clock.Second - 1) / clock.Second, err
	case "RTTIME":
		return clock.ParseSpan(s, 1)
	case "NICE":
		return niceLimit(s)
	case "NOFILE", "NPROC", "LOCKS", "SIGPENDING", "RTPRIO":
		return Unsigned(strings.TrimLeft(s, " \t\n\r"), 64)
	}
	return Size(s, 1024)
}

// niceLimit reads a nice level with its sign, or the number that stands for it, setrlimit(2).
func niceLimit(s string) (uint64, error) {
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
		n, err := Signed(s, 32)
		if err == nil && (n < -20 || n > 19) {
			err = syscall.ERANGE
		}
		return uint64(20 - n), err
	}
	n, err := Unsigned(s, 64)
	if err == nil && n > 40 {
		err = syscall.ERANGE
	}
	return n, err
}

// Size reads a number of bytes, in units that are powers of base, the largest first: "1G 500M".
func Size(s string, base float64) (uint64, error) {
	const units = "EPTGMKB"
	total, from := uint64(0), 0
	for {
		s = strings.TrimLeft(s, " \t\n\r")
		if negative, ok := strings.CutPrefix(s, "-"); ok {
			if strings.TrimLeft(negative, "0123456789") == negative {
				return 0, syscall.EINVAL
			}
			return 0, syscall.ERANGE
		}
		s = strings.TrimPrefix(s, "+")
		rest := strings.TrimLeft(s, "0123456789")
		if len(rest) < len(s) && strings.HasPrefix(rest, ".") {
			rest = strings.TrimLeft(rest[1:], "0123456789")
		}
		f, err := strconv.ParseFloat(s[:len(s)-len(rest)], 64)
		if err != nil {
			return 0, syscall.EINVAL
		}
		whole, err := strconv.ParseUint(s[:len(s)-len(rest)], 10, 64)
		s = strings.TrimLeft(rest, " \t\n\r")
		at := len(units) // none
		if s != "" && strings.IndexByte(units, s[0]) >= 0 {
			at = strings.IndexByte(units, s[0])
			s = s[1:]
		}
		if at < from || from > len(units) {
			return 0, syscall.EINVAL
		}
		from = at + 1
		factor := math.Pow(base, float64(max(len(units)-1-at, 0)))
		if f*factor >= math.MaxUint64 {
			return 0, syscall.ERANGE
		}
		if err != nil || factor > 1 {
			whole = uint64(f * factor)
		}
		if total += whole; s == "" {
			return total, nil
		}
	}
}

// Unsigned reads a number, which may be hexadecimal (0x), octal (0) or binary (0b).
func Unsigned(s string, bits int) (uint64, error) {
	if strings.Contains(s, "_") {
		return 0, syscall.EINVAL
	}
	if _, err := Parsed(strconv.ParseInt(s, 0, 64)); err == nil && strings.HasPrefix(s, "-") {
		return 0, syscall.ERANGE
	}
	return Parsed(strconv.ParseUint(strings.TrimPrefix(s, "+"), 0, bits))
}

// Signed reads a number as Unsigned does.
func Signed(s string, bits int) (int64, error) {
	if strings.Contains(s, "_") {
		return 0, syscall.EINVAL
	}
	return Parsed(strconv.ParseInt(s, 0, bits))
}

// Parsed is what strconv came to: the number, or the errno that says what was wrong with it.
func Parsed[T int64 | uint64](n T, err error) (T, error) {
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, syscall.ERANGE
	case err != nil:
		return 0, syscall.EINVAL
	}
	return n, nil
}

// Integer reads an integer as systemd does: decimal, or with 0x, 0o, 0b.
func Integer(s string) (int64, bool) {
	s = strings.TrimLeft(s, " \t\n\r")
	n, err := strconv.ParseInt(s, 0, 64)
	return n, err == nil && !strings.Contains(s, "_")
}

// Hundredths reads a number with "%", "‰" or "‱", in hundredths of a percent.
func Hundredths(s string) (uint64, bool) {
	for _, sign := range [...]struct {
		text   string
		places int
	}{{"%", 2}, {"‰", 1}, {"‱", 0}} {
		digits, ok := strings.CutSuffix(s, sign.text)
		if !ok {
			continue
		}
		whole, part, dotted := strings.Cut(digits, ".")
		if len(part) > sign.places || whole == "" || dotted && part == "" {
			return 0, false
		}
		n, err := Signed(strings.TrimLeft(whole+part+"00"[len(part):sign.places], "0"), 32)
		return uint64(n), err == nil && n >= 0 || strings.Trim(whole+part, "0") == ""
	}
	return 0, false
}
