package launch

import (
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// removeIPC removes what the user and the group of the service have left of System V and POSIX IPC, RemoveIPC=. Root's stays.
func (r *Room) removeIPC() {
	ours := func(uid, gid uint32) bool {
		return r.id.set && r.id.uid != 0 && uid == r.id.uid || r.id.grouped && r.id.gid != 0 && gid == r.id.gid
	}
	for _, k := range [...]struct {
		name string
		call uintptr
		args int // before the command
	}{{"shm", unix.SYS_SHMCTL, 1}, {"sem", unix.SYS_SEMCTL, 2}, {"msg", unix.SYS_MSGCTL, 1}} {
		data, _ := os.ReadFile("/proc/sysvipc/" + k.name)
		var column []string
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if column == nil {
				column = f
				continue
			}
			value := make(map[string]uint64)
			for i := range min(len(f), len(column)) {
				value[column[i]], _ = strconv.ParseUint(f[i], 10, 32)
			}
			if value["nattch"] > 0 || !ours(uint32(value["uid"]), uint32(value["gid"])) {
				continue
			}
			args := [3]uintptr{uintptr(value[k.name+"id"])}
			args[k.args] = unix.IPC_RMID
			_, _, _ = unix.Syscall(k.call, args[0], args[1], args[2])
		}
	}
	for _, dir := range [...]string{"/dev/shm", "/dev/mqueue"} {
		removeOwned(dir, ours)
	}
}

// removeOwned removes from a directory, in which everybody may make files, those of certain owners.
func removeOwned(dir string, ours func(uid, gid uint32) bool) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	d := os.NewFile(uintptr(fd), dir)
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, n := range names {
		var st unix.Stat_t
		if unix.Fstatat(fd, n, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || !ours(st.Uid, st.Gid) {
			continue
		}
		flags := 0
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			removeOwned(path.Join(dir, n), ours)
			flags = unix.AT_REMOVEDIR
		}
		_ = unix.Unlinkat(fd, n, flags)
	}
}
