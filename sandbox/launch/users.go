package launch

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// An identity is whom commands run as.
type identity struct {
	set         bool // there is a User=, or DynamicUser=
	grouped     bool // there is a Group=, or a user
	name        string
	uid, gid    uint32
	home, shell string // "" where they are of no use
	groups      []uint32
	dynamic     bool
}

// identify looks up User=, Group= and SupplementaryGroups=.
func (r *Room) identify() (identity, error) {
	s := r.s
	var id identity
	if s.DynamicUser {
		if err := r.dynamicUser(&id); err != nil {
			return id, at(user, err)
		}
	} else if s.User != "" {
		if err := id.lookUp(s.User); err != nil {
			return id, detailed(user, unix.ESRCH, "No such process")
		}
	} else if s.SetLoginEnvironment != nil && *s.SetLoginEnvironment || s.PAMName != "" {
		_ = id.lookUp("root")
		id.set = false
	}
	if s.Group != "" && !(id.dynamic && s.Group == id.name) {
		gid, ok := groupID(s.Group)
		if !ok {
			return id, detailed(group, unix.ESRCH, "No such process")
		}
		id.gid, id.grouped = gid, true
	}
	if id.set && id.gid != 0 {
		id.groups = groupsOf(id.name, id.gid)
	}
	for _, name := range s.SupplementaryGroups {
		gid, ok := groupID(name)
		if !ok {
			return id, detailed(group, unix.ESRCH, "No such process")
		}
		if !slices.Contains(id.groups, gid) {
			id.groups = append(id.groups, gid)
		}
	}
	return id, nil
}

// lookUp finds a user by name or number, passwd(5).
func (id *identity) lookUp(name string) error {
	n, numeric := number(name)
	found := false
	eachRecord("/etc/passwd", 7, func(f []string) bool {
		uid, err := strconv.ParseUint(f[2], 10, 32)
		gid, err2 := strconv.ParseUint(f[3], 10, 32)
		if err != nil || err2 != nil || f[0] != name && !(numeric && uint32(uid) == n) {
			return true
		}
		*id = identity{name: f[0], uid: uint32(uid), gid: uint32(gid), home: f[5], shell: f[6]}
		found = true
		return false
	})
	switch {
	case found && id.uid == 0, !found && (name == "root" || numeric && n == 0):
		id.name, id.uid, id.gid, id.home = "root", 0, 0, cmp.Or(id.home, "/root")
		id.shell = cmp.Or(id.shell, "/bin/sh")
	case name == "nobody" || numeric && n == nobodyID:
		*id = identity{name: "nobody", uid: nobodyID, gid: nobodyID}
	case !found:
		return unix.ESRCH
	}
	id.set, id.grouped = true, true
	if strings.Trim(id.home, "/") == "" || id.home[0] != '/' {
		id.home = ""
	}
	if noLogin(id.shell) {
		id.shell = ""
	}
	return nil
}

// nobodyID is the user and group that nothing belongs to, https://systemd.io/UIDS-GIDS.
const nobodyID = 65534

// noLogin tells whether a shell is one that lets nobody in.
func noLogin(shell string) bool {
	switch shell[strings.LastIndexByte(shell, '/')+1:] {
	case "", "nologin", "false", "true":
		return true
	}
	return false
}

func number(name string) (uint32, bool) {
	n, err := unit.Unsigned(name, 32)
	return uint32(n), err == nil && name != "" && name[0] >= '0' && name[0] <= '9' && n != 1<<32-1 && n != 1<<16-1
}

// groupID is the number of a group, group(5).
func groupID(name string) (gid uint32, ok bool) {
	number, numeric := number(name)
	eachRecord("/etc/group", 4, func(f []string) bool {
		n, err := strconv.ParseUint(f[2], 10, 32)
		if err == nil && (f[0] == name || numeric && uint32(n) == number) {
			gid, ok = uint32(n), true
		}
		return !ok
	})
	if ok {
		return gid, true
	}
	switch name {
	case "root", "0":
		return 0, true
	case "nogroup", "65534":
		return nobodyID, true
	}
	return 0, false
}

// groupsOf are the groups of a user, the main one first.
func groupsOf(name string, gid uint32) []uint32 {
	l := []uint32{gid}
	eachRecord("/etc/group", 4, func(f []string) bool {
		n, err := strconv.ParseUint(f[2], 10, 32)
		if err == nil && uint32(n) != gid && slices.Contains(strings.Split(f[3], ","), name) {
			l = append(l, uint32(n))
		}
		return true
	})
	return l
}

// readFile reads a file of the host or tree: what is no file, or has no end, is not read.
func readFile(name string) ([]byte, error) {
	const limit = 16 << 20
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch st, err := f.Stat(); {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, unix.EBADFD
	case st.Size() > limit:
		return nil, unix.E2BIG
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// eachRecord calls visit for the lines of a file with so many fields until it returns false.
func eachRecord(file string, fields int, visit func(f []string) bool) {
	data, err := readFile(file)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) == fields && f[0] != "" && !visit(f) {
			return
		}
	}
}

// The users that DynamicUser= gives out, https://systemd.io/UIDS-GIDS.
const (
	firstDynamic = 0xEF00
	lastDynamic  = 0xFFEF
)

// dynamicUser takes a user that nobody has, or the one of the name if there is one.
func (r *Room) dynamicUser(id *identity) error {
	name := r.s.User
	if name == "" {
		name = unit.Prefix(r.u.Name)
	}
	gid, grouped := groupID(name)
	if err := id.lookUp(name); err == nil {
		if grouped && gid != id.gid {
			return unix.EILSEQ
		}
		id.home, id.shell = "", ""
		return nil
	}
	if _, numeric := number(name); grouped && !numeric {
		return unix.EILSEQ
	}
	*id = identity{set: true, grouped: true, dynamic: true, name: name}
	taken := make(map[uint32]bool)
	for _, file := range [...]struct {
		name   string
		fields int
	}{{"/etc/passwd", 7}, {"/etc/group", 4}} {
		eachRecord(file.name, file.fields, func(f []string) bool {
			if n, ok := number(f[2]); ok {
				taken[n] = true
			}
			return true
		})
	}
	const span = lastDynamic - firstDynamic + 1
	h := unit.SipHash([2]uint64{0xf548cecf317e5337, 0x59ecd98d5739bb8a}, name)
	n := uint32(h) % span
	for range span {
		if uid := firstDynamic + n; !taken[uid] && r.claim(uid, name) {
			id.uid, id.gid = uid, uid
			return nil
		}
		n = (n + 1) % span
	}
	return unix.EBUSY
}

// claim marks a user ID as given out, as a manager does, which looks there too.
func (r *Room) claim(uid uint32, name string) bool {
	const dir = "/run/systemd/dynamic-uid"
	if unix.Access("/run/systemd/system", unix.F_OK) != nil {
		return true // there is no manager to share them with
	}
	_ = os.MkdirAll(dir, 0o755)
	path := dir + "/" + strconv.FormatUint(uint64(uid), 10)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return true
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		f.Close()
		return false
	}
	r.leaves(path)
	r.dynamic, r.dynamicPath = f, path
	_ = f.Truncate(0)
	fmt.Fprintln(f, name)
	return true
}
