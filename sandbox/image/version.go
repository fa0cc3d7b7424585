package image

import (
	"cmp"
	"errors"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"ctl/internal/unit"
)

// A Sought is a kind of file of which a directory can have several versions, systemd.v(7).
type Sought struct {
	Suffix string // of their names
	Fits   func(os.FileInfo) bool
}

// Trees are directories, Images the files of disk images, or devices.
var (
	Trees  = Sought{"", os.FileInfo.IsDir}
	Images = Sought{".raw", func(st os.FileInfo) bool {
		kind := st.Mode().Type()
		return kind == 0 || kind&(os.ModeDevice|os.ModeCharDevice) == os.ModeDevice
	}}
)

// ErrNoVersion is a versioned directory that has nothing of what is sought.
var ErrNoVersion = errors.New("No matching entries in versioned directory found.")

// Newest is the path of the newest version, if p is a directory with versions, NAME.v, or names them in such a directory, DIR.v/NAME___SUFFIX.
// Any other path is what it is. Without a version the error is ErrNoVersion, where there is no directory that of opening it.
func (k Sought) Newest(p string) (string, error) {
	p = path.Clean(p)
	dir, prefix, suffix := p, "", k.Suffix
	if versioned(p) {
		name, _ := strings.CutSuffix(path.Base(p), ".v")
		prefix = strings.TrimSuffix(name, k.Suffix)
	} else {
		i := strings.LastIndex(path.Base(p), "___")
		if dir = path.Dir(p); i < 0 || !versioned(dir) {
			return p, nil
		}
		prefix, suffix = path.Base(p)[:i], path.Base(p)[i+len("___"):]
	}
	return k.newest(dir, prefix+"_", suffix)
}

func versioned(p string) bool { return strings.HasSuffix(path.Base(p), ".v") && path.Base(p) != ".v" }

// newest looks through a directory. What has the name of a version and leads nowhere is an error.
func (k Sought) newest(dir, prefix, suffix string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var best *version
	for _, e := range entries {
		v, ok := strings.CutPrefix(e.Name(), prefix)
		if ok {
			v, ok = strings.CutSuffix(v, suffix)
		}
		if !ok {
			continue
		}
		candidate := parseVersion(v)
		if candidate == nil {
			continue
		}
		candidate.name = e.Name()
		st, err := os.Stat(path.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		if k.Fits(st) && (best == nil || best.compare(candidate) < 0) {
			best = candidate
		}
	}
	if best == nil {
		return "", ErrNoVersion
	}
	return path.Join(dir, best.name), nil
}

// A version is what the name of a file says of it.
type version struct {
	name, version string
	arch          int // how good it is for us
	left, done    uint64
}

// parseVersion reads VERSION[_ARCHITECTURE][+LEFT[-DONE]]; nil is what is none, or is for other machines. An architecture that nobody
// knows is passed over with all that follows.
func parseVersion(s string) *version {
	v := &version{left: math.MaxUint64}
	if i := strings.LastIndexByte(s, '+'); i >= 0 {
		if left, done, ok := parseTries(s[i+1:]); ok {
			v.left, v.done, s = left, done, s[:i]
		}
	}
	v.version = s
	if i := strings.LastIndexByte(s, '_'); i >= 0 {
		v.version = s[:i]
		switch arch := s[i+1:]; {
		case arch == Architecture():
			v.arch = 2
		case arch == secondArchitecture():
			v.arch = 1
		case slices.Contains(architectures[:], arch):
			return nil
		}
	}
	if v.version == "" || strings.Trim(v.version, versionCharacters) != "" {
		return nil
	}
	return v
}

// parseTries reads how often a version may still be tried, and how often it was.
func parseTries(s string) (left, done uint64, ok bool) {
	l, d, both := strings.Cut(s, "-")
	left, err := strconv.ParseUint(l, 10, 32)
	if err == nil && both {
		done, err = strconv.ParseUint(d, 10, 32)
	}
	return left, done, err == nil
}

// compare tells whether a version is better than another, greater than 0, or worse. Those whose tries are used up are the worst.
func (v *version) compare(than *version) int {
	usable := func(v *version) int { return int(min(v.left, 1)) }
	return cmp.Or(cmp.Compare(usable(v), usable(than)), unit.CompareVersions(v.version, than.version), cmp.Compare(v.arch, than.arch),
		cmp.Compare(v.left, than.left), cmp.Compare(than.done, v.done), strings.Compare(v.name, than.name))
}

const versionCharacters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.~^-"

// architectures are all that ConditionArchitecture= knows, systemd.unit(5).
var architectures = [...]string{"alpha", "arc", "arc-be", "arm", "arm-be", "arm64", "arm64-be", "cris", "ia64", "loongarch64", "m68k", "mips",
	"mips-le", "mips64", "mips64-le", "nios2", "parisc", "parisc64", "ppc", "ppc-le", "ppc64", "ppc64-le", "riscv32", "riscv64", "s390", "s390x",
	"sh", "sh64", "sparc", "sparc64", "tilegx", "x86", "x86-64"}

// secondArchitecture is what our processor runs, too.
func secondArchitecture() string {
	switch Architecture() {
	case "x86-64":
		return "x86"
	case "arm64":
		return "arm"
	case "s390x":
		return "s390"
	case "ppc64-le":
		return "ppc-le"
	}
	return ""
}
