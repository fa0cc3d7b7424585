package launch

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/sandbox/service"
)

// directoryKinds are the five kinds of directories.
var directoryKinds = [...]struct {
	top, variable string
	step          step
}{
	{"/run", "RUNTIME_DIRECTORY", runtimeDirectory},
	{"/var/lib", "STATE_DIRECTORY", stateDirectory},
	{"/var/cache", "CACHE_DIRECTORY", cacheDirectory},
	{"/var/log", "LOGS_DIRECTORY", logsDirectory},
	{"/etc", "CONFIGURATION_DIRECTORY", configurationDirectory},
}

// top is where directories of a kind are; those of users are where basedir-spec has them.
func (r *Room) top(k service.DirectoryKind) string {
	if !r.h.User {
		return directoryKinds[k].top
	}
	home := os.Getenv("HOME")
	for _, d := range [...]struct {
		kind         service.DirectoryKind
		variable, at string
		below        string
	}{{service.RuntimeDirectory, "XDG_RUNTIME_DIR", "/run/user", ""}, {service.StateDirectory, "XDG_STATE_HOME", home + "/.local/state", ""},
		{service.CacheDirectory, "XDG_CACHE_HOME", home + "/.cache", ""}, {service.LogsDirectory, "XDG_STATE_HOME", home + "/.local/state", "/log"},
		{service.ConfigurationDirectory, "XDG_CONFIG_HOME", home + "/.config", ""}} {
		if d.kind != k {
			continue
		}
		if v := os.Getenv(d.variable); path.IsAbs(v) {
			return v + d.below
		}
		return d.at + d.below
	}
	return ""
}

// private tells whether directories of a kind are in a directory that others cannot enter, for their user is another the next time.
func (r *Room) private(k service.DirectoryKind) bool {
	return r.s.DynamicUser && (k == service.StateDirectory || k == service.CacheDirectory || k == service.LogsDirectory)
}

// directories makes RuntimeDirectory= and its kin.
func (r *Room) directories() error {
	for k := range r.s.Directories {
		kind := service.DirectoryKind(k)
		l := slices.Clone(r.s.Directories[k].List)
		slices.SortFunc(l, func(a, b service.ManagedDirectory) int { return strings.Compare(a.Path, b.Path) })
		for i := range l {
			if err := r.directory(kind, &l[i]); err != nil {
				return at(directoryKinds[k].step, err)
			}
		}
	}
	return nil
}

func (r *Room) directory(k service.DirectoryKind, d *service.ManagedDirectory) error {
	top, mode := r.top(k), r.s.Directories[k].Mode
	p := path.Join(top, d.Path)
	dir := p
	if k == service.RuntimeDirectory && r.s.PreserveRuntimeDirectory != "yes" {
		r.leaves(p)
		for _, l := range d.Links {
			r.leaves(path.Join(top, l))
		}
	}
	if err := makeParents(p); err != nil {
		return err
	}
	if r.private(k) {
		inner := path.Join(top, "private")
		if err := os.Mkdir(inner, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		dir = path.Join(inner, d.Path)
		if err := makeParents(dir); err != nil {
			return err
		}
		if err := moveTo(p, dir); err != nil {
			return err
		}
		if err := os.Mkdir(dir, fs.FileMode(mode)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := linkTo(dir, p); err != nil {
			return err
		}
	} else {
		if to, err := os.Readlink(p); err == nil && path.Join(path.Dir(p), to) == path.Join(top, "private", d.Path) { // it was DynamicUser='s
			if err := os.Remove(p); err != nil {
				return err
			}
			if err := os.Rename(path.Join(top, "private", d.Path), p); err != nil {
				return err
			}
		}
		err := os.Mkdir(p, fs.FileMode(mode))
		if errors.Is(err, fs.ErrExist) {
			if st, e := os.Stat(p); e == nil && st.IsDir() {
				err = nil
			}
			if k == service.ConfigurationDirectory {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	for _, l := range d.Links {
		if r.s.RootDirectory != "" || r.s.RootImage != "" {
			break // they are made there
		}
		link := path.Join(top, l)
		if err := makeParents(link); err != nil {
			return err
		}
		if err := linkTo(p, link); err != nil {
			return err
		}
	}
	return r.own(dir, mode)
}

// own gives a directory its mode and, if its owner is another, with all that is in it to the user of the service.
func (r *Room) own(dir string, mode uint32) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fchmod(fd, mode); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || r.h.User || st.Uid == r.id.uid && st.Gid == r.id.gid {
		return err
	}
	return r.give(fd)
}

// give gives a directory and what is in it to the user of the service. It goes by descriptors: whose it was can still exchange what is on a path.
func (r *Room) give(dir int) error {
	uid, gid := int(r.id.uid), int(r.id.gid)
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return err
	}
	if err := unix.Fchown(dir, uid, gid); err != nil {
		return err
	}
	if r.id.dynamic { // of files, the kernel takes these bits away
		if err := unix.Fchmod(dir, st.Mode&0o1777); err != nil {
			return err
		}
	}
	list, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	d := os.NewFile(uintptr(list), "directory")
	names, err := d.Readdirnames(-1)
	d.Close()
	for i := 0; i < len(names) && err == nil; i++ {
		if err = r.giveOne(dir, names[i]); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return err
}

func (r *Room) giveOne(dir int, name string) error {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		return r.give(fd)
	}
	if !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ELOOP) {
		return err
	}
	return unix.Fchownat(dir, name, int(r.id.uid), int(r.id.gid), unix.AT_SYMLINK_NOFOLLOW)
}

func makeParents(p string) error { return os.MkdirAll(path.Dir(p), 0o755) }

// moveTo moves a directory that is at p from before to where it is to be, if there is none yet.
func moveTo(p, to string) error {
	st, err := os.Lstat(p)
	if err != nil || !st.IsDir() {
		return nil
	}
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	return os.Rename(p, to)
}

// linkTo makes a symbolic link, relative, if it is not there already.
func linkTo(target, link string) error {
	relative, err := filepath.Rel(path.Dir(link), target)
	if err != nil {
		return err
	}
	err = os.Symlink(relative, link)
	if errors.Is(err, fs.ErrExist) {
		to, e := os.Stat(target)
		if at, e2 := os.Stat(link); e == nil && e2 == nil && os.SameFile(to, at) {
			return nil
		}
	}
	return err
}

// connected are the directories in which PrivateTmp= has directories of the service's own, "" for one in which it has not.
func (r *Room) connected() (l [2]string) {
	if r.s.PrivateTmp == "yes" {
		l[0] = "/tmp"
	}
	if r.s.VarTmp() == "yes" {
		l[1] = "/var/tmp"
	}
	return l
}

// temporary makes the directories of PrivateTmp=yes.
func (r *Room) temporary() error {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	prefix := "systemd-private-" + strings.ReplaceAll(strings.TrimSpace(string(boot)), "-", "") + "-" + r.u.Name + "-"
	for i, dir := range r.connected() {
		if dir == "" || r.shares.tmp[i] != "" {
			continue
		}
		var suffix [8]byte
		sys.Random(suffix[:])
		outer := dir + "/" + prefix + hex.EncodeToString(suffix[:])
		r.leaves(outer)
		if err := os.Mkdir(outer, 0o700); err != nil {
			return at(namespaces, err)
		}
		if err := os.Mkdir(outer+"/tmp", 0o777); err != nil {
			return at(namespaces, err)
		}
		if err := os.Chmod(outer+"/tmp", 0o777|fs.ModeSticky); err != nil {
			return at(namespaces, err)
		}
		r.shares.tmp[i] = outer + "/tmp"
	}
	for i, dir := range r.connected() {
		if dir != "" {
			r.tmp[i] = r.shares.tmp[i]
		}
	}
	return nil
}

// remove removes what does not outlive the activation.
func (r *Room) remove(restarting bool) error {
	var first error
	gone := func(err error) {
		if first == nil && !errors.Is(err, fs.ErrNotExist) {
			first = err
		}
	}
	if r.shares.users == 1 {
		for _, t := range r.shares.tmp {
			if t != "" {
				gone(os.RemoveAll(path.Dir(t)))
			}
		}
	}
	if r.credsMounted {
		_ = unix.Unmount(r.creds, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
	if r.creds != "" {
		_ = os.Chmod(r.creds, 0o700) // of whose owner is not root
		gone(os.RemoveAll(r.creds))
	}
	if r.s.RemoveIPC {
		r.removeIPC()
	}
	if r.dynamic != nil {
		gone(os.Remove(r.dynamicPath))
		r.dynamic.Close()
	}
	if keep := r.s.PreserveRuntimeDirectory; keep == "yes" || keep == "restart" && restarting {
		return first
	}
	top := r.top(service.RuntimeDirectory)
	for _, d := range r.s.Directories[service.RuntimeDirectory].List {
		gone(os.RemoveAll(path.Join(top, d.Path)))
		for _, l := range d.Links {
			gone(os.Remove(path.Join(top, l)))
		}
	}
	return first
}
