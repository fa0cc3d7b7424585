package enable

import (
	"os"
	"os/user"
	"strconv"
	"syscall"

	"ctl/internal/sys"
	"ctl/internal/unit"
)

// maxSpecified is the length of the longest word that [Install] may expand to, in bytes.
const maxSpecified = 256

// expand replaces the specifiers that [Install] may use, systemd.unit(5). Errors:
// EBADSLT for another specifier, EUNATCH where the tree does not say, ENOMEDIUM and
// ENOPKG for a machine ID that is not set yet, ENAMETOOLONG.
func (j *job) expand(u *unitFile, text string) (string, error) {
	return unit.Expand(text, maxSpecified, func(letter byte) (string, error) {
		if v, ok := unit.NameSpecifier(u.name, u.defaultInstance, letter); ok {
			return v, nil
		}
		return j.ix.Specifier(letter)
	})
}

// Specifier returns what a letter says of the host or of the tree. The kernel, the
// boot and the host's name are the running ones, as with the reference; what a
// file of the tree says is read there.
func (ix *Index) Specifier(letter byte) (string, error) {
	switch letter {
	case 'a':
		return architecture(), nil
	case 'b':
		return bootID()
	case 'v':
		return uname(func(u *syscall.Utsname) []byte { return field(u.Release[:]) }), nil
	case 'H':
		return hostname(), nil
	case 'l':
		return shortHostname(), nil
	case 'q':
		return prettyHostname(), nil
	case 'm':
		return ix.machineID()
	case 'o':
		return ix.osRelease("ID")
	case 'w':
		return ix.osRelease("VERSION_ID")
	case 'W':
		return ix.osRelease("VARIANT_ID")
	case 'B':
		return ix.osRelease("BUILD_ID")
	case 'M':
		return ix.osRelease("IMAGE_ID")
	case 'A':
		return ix.osRelease("IMAGE_VERSION")
	case 'g', 'G', 'u', 'U':
		return ix.owner(letter)
	}
	return "", syscall.EBADSLT
}

// owner is the user that the units' manager runs as: root, or the caller. The
// units of all users have no such one.
func (ix *Index) owner(letter byte) (string, error) {
	if ix.cfg.Scope == Global {
		return "", syscall.EINVAL
	}
	uid, gid := "0", "0"
	if ix.cfg.Scope == User {
		uid, gid = strconv.Itoa(os.Geteuid()), strconv.Itoa(os.Getegid())
	}
	switch letter {
	case 'U':
		return uid, nil
	case 'G':
		return gid, nil
	case 'u':
		if uid == "0" {
			return "root", nil
		}
		if u, err := user.LookupId(uid); err == nil {
			return u.Username, nil
		}
		return uid, nil
	}
	if gid == "0" {
		return "root", nil
	}
	if g, err := user.LookupGroupId(gid); err == nil {
		return g.Name, nil
	}
	return gid, nil
}

// machineID reads machine-id(5) of the tree.
func (ix *Index) machineID() (string, error) {
	data, _, err := ix.tree.ReadFile("/etc/machine-id", maxUnitFile)
	if sys.Errno(err) == syscall.ENOENT {
		return "", syscall.EUNATCH
	}
	if err != nil {
		return "", sys.Errno(err)
	}
	id, err := unit.MachineID(data)
	if err != nil {
		return "", sys.Errno(err)
	}
	return id, nil
}

// osRelease reads os-release(5) of the tree. SYSTEMD_OS_RELEASE names another file of it.
func (ix *Index) osRelease(name string) (string, error) {
	files := []string{"/etc/os-release", "/usr/lib/os-release"}
	if f := ix.cfg.getenv("SYSTEMD_OS_RELEASE"); f != "" {
		files = []string{f}
	}
	for _, f := range files {
		data, _, err := ix.tree.ReadFile(f, 1<<20)
		if sys.Errno(err) == syscall.ENOENT {
			continue
		}
		if err != nil {
			return "", sys.Errno(err)
		}
		value := ""
		err = unit.ParseEnv(data, func(k, v string) {
			if k == name {
				value = v
			}
		})
		if err != nil {
			return "", sys.Errno(err)
		}
		return value, nil
	}
	return "", syscall.EUNATCH
}
