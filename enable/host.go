package enable

import (
	"bytes"
	"os"
	"strings"
	"syscall"

	"ctl/internal/sys"
	"ctl/internal/unit"
)

// uname returns one field of uname(2), "" if the call fails.
func uname(get func(*syscall.Utsname) []byte) string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return ""
	}
	return string(get(&u))
}

// field turns a field of struct utsname, whose bytes are signed on some
// architectures, into the bytes before its NUL.
func field[T int8 | uint8](f []T) []byte {
	b := make([]byte, 0, len(f))
	for _, c := range f {
		b = append(b, byte(c))
	}
	b, _, _ = bytes.Cut(b, []byte{0})
	return b
}

// architecture is the machine's, as systemd.unit(5) spells it (ConditionArchitecture=).
func architecture() string {
	m := uname(func(u *syscall.Utsname) []byte { return field(u.Machine[:]) })
	switch m {
	case "x86_64":
		return "x86-64"
	case "i386", "i486", "i586", "i686":
		return "x86"
	case "aarch64":
		return "arm64"
	case "aarch64_be":
		return "arm64-be"
	case "ppc64le":
		return "ppc64-le"
	case "ppcle":
		return "ppc-le"
	case "mips", "mips64", "ppc", "ppc64", "riscv32", "riscv64", "s390", "s390x", "sparc", "sparc64", "ia64", "parisc", "parisc64", "alpha", "m68k", "sh", "sh64", "tilegx", "cris", "nios2":
		return m
	case "loongarch64":
		return "loongarch64"
	}
	if strings.HasPrefix(m, "arm") {
		if strings.HasSuffix(m, "b") {
			return "arm-be"
		}
		return "arm"
	}
	return m
}

func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", sys.Errno(err)
	}
	return strings.ReplaceAll(strings.TrimSpace(string(data)), "-", ""), nil
}

func hostname() string {
	return uname(func(u *syscall.Utsname) []byte { return field(u.Nodename[:]) })
}

func shortHostname() string {
	h, _, _ := strings.Cut(hostname(), ".")
	return h
}

// prettyHostname is PRETTY_HOSTNAME of the host's machine-info(5), or its short name.
func prettyHostname() string {
	if data, err := os.ReadFile("/etc/machine-info"); err == nil {
		if p := unit.EnvFile(data, "PRETTY_HOSTNAME"); p != "" {
			return p
		}
	}
	return shortHostname()
}
