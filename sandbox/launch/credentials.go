package launch

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
	"ctl/sandbox/mount"
)

// credentialStores are where credentials without a path are, https://systemd.io/CREDENTIALS; the first is what the manager was given.
func (r *Room) credentialStores() []string {
	stores := []string{"/run/credentials/@system", "/etc/credstore", "/run/credstore", "/usr/local/lib/credstore", "/usr/lib/credstore"}
	if d := os.Getenv("CREDENTIALS_DIRECTORY"); d != "" { // ours, as of a container
		stores[0] = d
	}
	return stores
}

// The most that there may be of credentials, all together and of one.
const (
	maxCredentials = 1 << 20
	maxCredential  = 1 << 20
)

// A keep is a directory of credentials that is being filled.
type keep struct {
	dir  string
	id   *identity
	left int
}

// credentials makes the directory of LoadCredential= and its kin, a file system of its own where we may mount one.
func (r *Room) credentials() error {
	s := r.s
	if len(s.LoadCredentials)+len(s.SetCredentials)+len(s.ImportCredentials) == 0 {
		return nil
	}
	top := "/run/credentials"
	if r.h.User {
		top = r.top(0) + "/credentials"
	}
	dir := path.Join(top, r.u.Name)
	if err := os.MkdirAll(top, 0o755); err != nil {
		return at(credentials, err)
	}
	_ = os.Chmod(dir, 0o700) // of a call that was killed
	_ = os.RemoveAll(dir)
	memory := -1
	if !r.h.User {
		fd, err := credentialFS()
		if err != nil && !denied(err) {
			return at(credentials, err)
		}
		if memory = fd; err == nil {
			defer unix.Close(memory)
			r.leavesMounted(dir)
		}
	}
	if memory < 0 {
		r.leaves(dir)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return at(credentials, err)
	}
	r.creds = dir
	k := keep{dir: dir, id: &r.id, left: maxCredentials}
	if memory >= 0 {
		k.dir = "." // of this thread alone, which is in the file system until that is somewhere
		if err := unix.Fchdir(memory); err != nil {
			return at(credentials, err)
		}
	}
	err := r.fill(&k)
	if err == nil {
		err = k.give(k.dir, 0o500)
	}
	if err == nil && memory >= 0 {
		err = r.mountCredentials(memory)
	}
	return at(credentials, err)
}

// credentialFS makes the file system of credentials, which is mounted nowhere yet: one in memory that is never swapped out.
func credentialFS() (int, error) {
	const attr = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW
	options := []string{"mode=0700", "size=" + strconv.Itoa(maxCredentials), "nr_inodes=1024", "noswap"}
	fd, err := mount.New("tmpfs", "none", options, attr)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.4
		fd, err = mount.New("ramfs", "none", options[:1], attr)
	}
	return fd, err
}

// mountCredentials mounts it where the credentials are to be, and nobody can write to it any more.
func (r *Room) mountCredentials(fs int) error {
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	context, err := unix.Fspick(fs, "", unix.FSPICK_EMPTY_PATH|unix.FSPICK_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(context)
	if err := unix.FsconfigSetFlag(context, "ro"); err != nil {
		return err
	}
	if err := unix.FsconfigReconfigure(context); err != nil {
		return err
	}
	target, err := unix.Open(r.creds, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	r.credsMounted = true
	return mount.Attach(fs, target)
}

// fill writes the credentials.
func (r *Room) fill(k *keep) error {
	s := r.s
	for _, pattern := range s.ImportCredentials {
		r.importCredentials(k, pattern)
	}
	for _, c := range s.LoadCredentials {
		if c.Encrypted {
			return detailed(credentials, unix.EOPNOTSUPP, "encrypted credentials are not supported")
		}
		err := r.loadCredential(k, c.Name, c.Path)
		if errors.Is(err, fs.ErrNotExist) && (!path.IsAbs(c.Path) || r.hasDefault(c.Name)) {
			continue
		}
		if err != nil {
			return err
		}
	}
	for _, c := range s.SetCredentials {
		if c.Encrypted {
			return detailed(credentials, unix.EOPNOTSUPP, "encrypted credentials are not supported")
		}
		if _, err := os.Lstat(path.Join(k.dir, c.Name)); err == nil {
			continue
		}
		if err := k.put(c.Name, c.Data); err != nil {
			return err
		}
	}
	return nil
}

func (r *Room) hasDefault(name string) bool {
	for _, c := range r.s.SetCredentials {
		if c.Name == name {
			return true
		}
	}
	return false
}

// loadCredential loads a file, all files of a directory, or what a socket says.
func (r *Room) loadCredential(k *keep, name, from string) error {
	if !path.IsAbs(from) {
		if from == "" {
			from = name
		}
		for _, store := range r.credentialStores() {
			data, err := readSecret(path.Join(store, from))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			return k.put(name, data)
		}
		return fs.ErrNotExist
	}
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	switch {
	case st.IsDir():
		return filepathWalk(from, func(p, below string) error {
			data, err := readSecret(p)
			if err != nil {
				return err
			}
			return k.put(name+"_"+strings.ReplaceAll(below, "/", "_"), data)
		})
	case st.Mode()&fs.ModeSocket != 0:
		data, err := r.askSocket(from, name)
		if err != nil {
			return err
		}
		return k.put(name, data)
	}
	data, err := readSecret(from)
	if err != nil {
		return err
	}
	return k.put(name, data)
}

// filepathWalk visits the files below a directory.
func filepathWalk(dir string, visit func(p, below string) error) error {
	return fs.WalkDir(os.DirFS(dir), ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return visit(path.Join(dir, p), p)
	})
}

// importCredentials takes what there is of names that fit, from the first store that has it.
func (r *Room) importCredentials(k *keep, pattern string) {
	pattern, rename, renamed := strings.Cut(pattern, ":")
	for _, store := range r.credentialStores() {
		entries, err := os.ReadDir(store)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if !unit.Fnmatch(pattern, e.Name()) || e.IsDir() {
				continue
			}
			name := e.Name()
			if renamed {
				if plain, glob := strings.CutSuffix(pattern, "*"); glob {
					name = rename + strings.TrimPrefix(name, plain)
				} else {
					name = rename
				}
			}
			if _, err := os.Lstat(path.Join(k.dir, name)); err == nil {
				continue
			}
			if data, err := readSecret(path.Join(store, e.Name())); err == nil {
				_ = k.put(name, data)
			}
		}
	}
}

// patience is how long a socket is waited for.
const patience = 90 * time.Second

// askSocket reads a credential from a socket; who asks, and for what, the address that we are bound to tells.
func (r *Room) askSocket(p, name string) ([]byte, error) {
	own := &net.UnixAddr{Name: "@" + r.o.Invocation[:16] + "/unit/" + r.u.Name + "/" + name, Net: "unix"}
	dialer := net.Dialer{LocalAddr: own, Deadline: time.Now().Add(patience)}
	c, err := dialer.Dial("unix", p)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(dialer.Deadline); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(c, maxCredential+1))
}

func readSecret(p string) ([]byte, error) {
	f, err := os.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxCredential+1))
}

// put writes a credential.
func (k *keep) put(name string, data []byte) error {
	if k.left -= len(name) + len(data); k.left < 0 {
		return unix.E2BIG
	}
	p := path.Join(k.dir, name)
	_ = os.Remove(p)
	if err := os.WriteFile(p, data, 0o400); err != nil {
		return err
	}
	return k.give(p, 0o400)
}

// give lets the user of the service read what belongs to root, acl(5); where there are no such lists, it becomes the user's.
func (k *keep) give(p string, mode uint32) error {
	if k.id.uid == 0 || os.Geteuid() != 0 {
		return unix.Chmod(p, mode)
	}
	perm := uint16(mode >> 6)
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range [...]struct {
		tag, perm uint16
		id        uint32
	}{{1, perm, ^uint32(0)}, {2, perm, k.id.uid}, {4, 0, ^uint32(0)}, {0x10, perm, ^uint32(0)}, {0x20, 0, ^uint32(0)}} {
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.perm)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	err := unix.Setxattr(p, "system.posix_acl_access", list, 0)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		if err = unix.Chmod(p, mode); err == nil {
			err = unix.Chown(p, int(k.id.uid), int(k.id.gid))
		}
	}
	return err
}
