package container

import (
	"errors"
	"net"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/sandbox/mount"
)

// ResolvConf is how a container gets its resolv.conf(5), systemd-nspawn(1) --resolv-conf=.
type ResolvConf int

// The values of ResolvConf: where from, in threes of how.
const (
	ResolvConfAuto ResolvConf = iota
	ResolvConfOff
	ResolvConfCopyHost
	ResolvConfCopyStatic
	ResolvConfCopyUplink
	ResolvConfCopyStub
	ResolvConfReplaceHost
	ResolvConfReplaceStatic
	ResolvConfReplaceUplink
	ResolvConfReplaceStub
	ResolvConfBindHost
	ResolvConfBindStatic
	ResolvConfBindUplink
	ResolvConfBindStub
	ResolvConfDelete
)

var resolvConfNames = [...]string{"auto", "off", "copy-host", "copy-static", "copy-uplink", "copy-stub", "replace-host", "replace-static",
	"replace-uplink", "replace-stub", "bind-host", "bind-static", "bind-uplink", "bind-stub", "delete"}

// ResolvConfNames are the modes in the reference's order.
func ResolvConfNames() []string { return append(slices.Clone(resolvConfNames[1:]), "auto") }

// ParseResolvConf finds a mode by its name.
func ParseResolvConf(s string) (ResolvConf, bool) {
	i := slices.Index(resolvConfNames[:], s)
	return ResolvConf(i), i >= 0
}

// resolvConfFiles are where the four kinds come from.
var resolvConfFiles = [...]string{"/etc/resolv.conf", "/usr/lib/systemd/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/systemd/resolve/stub-resolv.conf"}

// readOnlyTree tells whether nothing can be written to the tree's /etc.
func (c *Container) readOnlyTree() bool {
	return c.ReadOnly && c.Volatile == VolatileNo || c.Volatile == VolatileState ||
		slices.ContainsFunc(c.Mounts, func(m Custom) bool { return m.Target == "/" }) // the tree is not to be written then
}

// resolvConf gives the container a resolv.conf(5). What fails is only warned of.
func (b *builder) resolvConf() error {
	mode := b.c.ResolvConf
	if mode == ResolvConfAuto {
		mode = b.chooseResolvConf()
	}
	switch {
	case mode == ResolvConfOff:
	case mode == ResolvConfDelete:
		return b.tellRemoved("/etc/resolv.conf")
	case mode >= ResolvConfBindHost:
		from := resolvConfFiles[mode-ResolvConfBindHost]
		if err := b.tellMount(from, "/etc/resolv.conf"); err != errNotMounted {
			return err
		}
		return b.tell("Failed to copy "+from+" to /etc/resolv.conf", b.copyEtc(from, "/etc/resolv.conf", false))
	default:
		from := resolvConfFiles[(mode-ResolvConfCopyHost)%4]
		return b.tell("Failed to copy "+from+" to /etc/resolv.conf", b.copyEtc(from, "/etc/resolv.conf", mode >= ResolvConfReplaceHost))
	}
	return nil
}

// tellMount mounts a file of the host, and warns if that could not be done.
func (b *builder) tellMount(from, target string) error {
	err := b.bindEtc(from, target)
	if errors.Is(err, unix.EROFS) {
		err = unix.ENOENT // that it could not be made is no news
	}
	if err == nil || errors.Is(err, unix.EOVERFLOW) && b.c.Users != nil {
		return err
	}
	b.warn("Failed to mount %s (type n/a) on %s (MS_BIND \"\"): %s", from, target, sys.Strerror(sys.Errno(err)))
	return errNotMounted
}

// errNotMounted has been told of.
var errNotMounted = errors.New("not mounted")

// tellRemoved removes a file that is not to be there, which a read-only file system refuses whether it is there or not.
func (b *builder) tellRemoved(target string) error {
	err := b.remove(target)
	if errors.Is(err, unix.EROFS) {
		b.warn("Failed to remove %s, ignoring: %s", target, sys.Strerror(unix.EROFS))
		return nil
	}
	return b.tell("Failed to remove "+target, err)
}

// tell warns of what could not be done, unless it is to be tried again (asOwner).
func (b *builder) tell(what string, err error) error {
	if errors.Is(err, unix.EROFS) {
		return nil // as is meant
	}
	if err != nil && !(errors.Is(err, unix.EOVERFLOW) && b.c.Users != nil) {
		b.warn("%s, ignoring: %s", what, sys.Strerror(sys.Errno(err)))
		return nil
	}
	return err
}

func (b *builder) chooseResolvConf() ResolvConf {
	readOnly := b.c.readOnlyTree()
	choose := func(writable, otherwise ResolvConf) ResolvConf {
		if readOnly {
			return otherwise
		}
		return writable
	}
	if b.c.ownNetwork() || b.c.Namespace.Loopback {
		return ResolvConfOff
	}
	if _, err := os.Stat(resolvConfFiles[3]); err == nil && stubAnswers() {
		return choose(ResolvConfCopyStub, ResolvConfBindStub)
	}
	if _, err := os.Stat(resolvConfFiles[0]); err == nil {
		return choose(ResolvConfCopyHost, ResolvConfBindHost)
	}
	return choose(ResolvConfDelete, ResolvConfOff)
}

// stubAnswers tells whether systemd-resolved(8) listens on this host.
func stubAnswers() bool {
	conn, err := net.DialTimeout("tcp", "127.0.0.53:53", 100*time.Millisecond)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// remove removes a file of the tree.
func (b *builder) remove(target string) error {
	d, err := b.root.OpenDir(path.Dir(target))
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Remove(path.Base(target)); !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// bindEtc mounts a file of the host, read-only, on a file of the tree, which is made if it is missing; over a link that leads nowhere.
func (b *builder) bindEtc(from, target string) error {
	fd, err := unix.Open(from, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	s := &Step{Do: HostBind, Target: target, Attr: readOnly | noSuid | noDev, Follow: true}
	if _, err := b.root.Handle(target, unix.O_PATH); !errors.Is(err, unix.ENOENT) {
		return b.bindFrom(fd, s)
	}
	link, err := b.root.Handle(target, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return b.bindFrom(fd, s)
	}
	defer unix.Close(link)
	m, err := b.hostFile(fd, s)
	if err != nil {
		return err
	}
	defer unix.Close(m)
	return mount.Attach(m, link)
}

// copyEtc copies a file of the host to the tree. A link there is somebody's decision and stays, unless it is to be replaced.
func (b *builder) copyEtc(from, target string, replace bool) error {
	data, err := sys.ReadFile(from)
	if err != nil {
		return err
	}
	d, err := b.root.OpenDir(path.Dir(target))
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return err
	}
	defer d.Close()
	name := path.Base(target)
	if replace {
		_ = d.Remove(name)
	}
	fd, err := unix.Openat(d.Fd(), name, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o644)
	if errors.Is(err, unix.ELOOP) {
		return nil
	}
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), target)
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if s := b.c.shift(); s != 0 {
		return unix.Fchown(fd, s, s)
	}
	return nil
}

// Timezone is how a container gets its localtime(5), systemd-nspawn(1) --timezone=.
type Timezone int

// The values of Timezone.
const (
	TimezoneAuto Timezone = iota
	TimezoneOff
	TimezoneCopy
	TimezoneBind
	TimezoneSymlink
	TimezoneDelete
)

var timezoneNames = [...]string{"auto", "off", "copy", "bind", "symlink", "delete"}

// TimezoneNames are the modes in the reference's order.
func TimezoneNames() []string { return append(slices.Clone(timezoneNames[1:]), "auto") }

// ParseTimezone finds a mode by its name.
func ParseTimezone(s string) (Timezone, bool) {
	i := slices.Index(timezoneNames[:], s)
	return Timezone(i), i >= 0
}

// zone is the host's time zone as its localtime(5) names it, "" if that names none.
func zone() (name string, link bool, err error) {
	target, err := os.Readlink("/etc/localtime")
	if err != nil {
		if errors.Is(err, unix.EINVAL) {
			err = nil
		}
		return "", false, err
	}
	for _, prefix := range []string{"../usr/share/zoneinfo/", "/usr/share/zoneinfo/"} {
		if z, ok := strings.CutPrefix(target, prefix); ok {
			return z, true, nil
		}
	}
	return "", true, nil
}

// timezone gives the container a localtime(5). What fails is only warned of.
func (b *builder) timezone() error {
	const target = "/etc/localtime"
	name, _, err := zone()
	mode := b.c.Timezone
	if mode == TimezoneAuto {
		switch {
		case err != nil:
			mode = TimezoneDelete
		case name == "":
			mode = TimezoneCopy
		case b.c.readOnlyTree():
			mode = TimezoneBind
		default:
			mode = TimezoneSymlink
		}
		if b.c.readOnlyTree() && mode != TimezoneBind {
			mode = TimezoneOff
			if err == nil {
				mode = TimezoneBind
			}
		}
	}
	if mode == TimezoneSymlink {
		if name == "" {
			b.warn("/etc/localtime does not point into /usr/share/zoneinfo/, not updating container timezone.")
			return nil
		}
		if _, err := b.root.Stat("/usr/share/zoneinfo/" + name); err != nil {
			mode = TimezoneBind // the container does not know the zone
		}
	}
	switch mode {
	case TimezoneDelete:
		return b.tellRemoved(target)
	case TimezoneSymlink:
		return b.tell("Failed to correct timezone of container", b.linkZone("../usr/share/zoneinfo/"+name))
	case TimezoneBind:
		where := target
		if r, err := b.root.Resolve(target, true); err == nil {
			where = r
		}
		return b.tellMount("/etc/localtime", where)
	case TimezoneCopy:
		return b.tell("Failed to copy "+target, b.copyEtc("/etc/localtime", target, true))
	}
	return nil
}

func (b *builder) linkZone(to string) error {
	d, err := b.root.OpenDir("/etc")
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	if had, err := d.Readlink("localtime"); err == nil && (had == to || had == strings.TrimPrefix(to, "..")) {
		return nil
	}
	if err := d.ReplaceLink(to, "localtime"); err != nil {
		return err
	}
	return b.own(d.Fd(), "localtime", nil)
}
