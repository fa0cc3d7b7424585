package container

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/sandbox/mount"
	"ctl/sandbox/program"
)

// A span of IDs: inside, outside, how many, user_namespaces(7).
type idSpan struct{ inside, outside, count uint32 }

// parseSpan reads a line of uid_map or gid_map.
func parseSpan(line string) (s idSpan, ok bool) {
	f := strings.Fields(line)
	if len(f) != 3 {
		return s, false
	}
	for i, v := range []*uint32{&s.inside, &s.outside, &s.count} {
		n, err := strconv.ParseUint(f[i], 10, 32)
		if err != nil {
			return s, false
		}
		*v = uint32(n)
	}
	return s, true
}

// MappedIDs are how many users, from root on, our user namespace has if it is not the one of the whole system, 0 if it is that.
func MappedIDs() uint32 {
	ids := uint32(0)
	for _, f := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		data, err := sys.ReadFile(f)
		if err != nil {
			return 0
		}
		n := uint32(0)
		for line := range strings.Lines(string(data)) {
			s, ok := parseSpan(line)
			if !ok || s.inside != n {
				break
			}
			if s.inside == 0 && s.outside == 0 && s.count == ^uint32(0) {
				return 0
			}
			n += s.count
		}
		if ids == 0 || n < ids {
			ids = n
		}
	}
	return ids
}

// newUserNamespace makes a user namespace with these IDs that no process is in.
func newUserNamespace(heap *program.Heap, uids, gids []idSpan) (int, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return -1, err
	}
	defer unix.Close(pipe[1])
	p := program.Program{}
	var b [1]byte
	p.Sys("wait", program.None, unix.SYS_CLOSE, pipe[1])
	p.Sys("wait", program.None, unix.SYS_READ, pipe[0], program.Address(&p, &b), 1)
	p.Sys("end", program.None, unix.SYS_EXIT_GROUP, 0)
	pid, e := p.Start(heap, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD), ^uintptr(0), nil)
	unix.Close(pipe[0])
	if e != 0 {
		return -1, e
	}
	defer func() {
		_ = unix.Kill(int(pid), unix.SIGKILL)
		_, _ = unix.Wait4(int(pid), nil, 0, nil)
	}()
	if err := writeMaps(int(pid), uids, gids); err != nil {
		return -1, err
	}
	return unix.Open(fmt.Sprintf("/proc/%d/ns/user", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

// writeMaps gives the user namespace of a process its IDs.
func writeMaps(pid int, uids, gids []idSpan) error {
	for _, m := range []struct {
		file  string
		spans []idSpan
	}{{"gid_map", gids}, {"uid_map", uids}} {
		var text []byte
		for _, s := range m.spans {
			text = fmt.Appendf(text, "%d %d %d\n", s.inside, s.outside, s.count)
		}
		if err := os.WriteFile("/proc/"+strconv.Itoa(pid)+"/"+m.file, text, 0); err != nil {
			return err
		}
	}
	return nil
}

// spans are the container's IDs.
func (u *UserMap) spans() []idSpan { return []idSpan{{0, u.Base, u.Range}} }

// within are the container's IDs in the pieces that our own user namespace has them in, for no span may be part of two.
func (u *UserMap) within(file string) []idSpan {
	data, err := sys.ReadFile("/proc/self/" + file)
	if err != nil || u.Base != 0 {
		return u.spans()
	}
	var l []idSpan
	n := uint32(0)
	for line := range strings.Lines(string(data)) {
		s, ok := parseSpan(line)
		if !ok || s.inside != n || n >= u.Range {
			break
		}
		s.outside, s.count = n, min(s.count, u.Range-n)
		n += s.count
		l = append(l, s)
	}
	if n < u.Range {
		return u.spans()
	}
	return l
}

// mapCustom gives the files of a bind mount, fd of what is open as from, the owners that were asked for.
func (b *builder) mapCustom(m *Custom, fd, from int) error {
	u, spans := b.c.Users, []idSpan(nil)
	if u == nil {
		if m.Map == MapAll {
			return unix.EINVAL
		}
		u = &UserMap{Range: math.MaxUint32}
	}
	switch m.Map {
	case MapAll:
		spans = u.spans()
	case MapRoot, MapOwner, MapUser:
		var st, target unix.Stat_t
		if err := unix.Fstat(from, &st); err != nil {
			return err
		}
		if m.Map == MapOwner {
			target.Uid = u.Base // whom a mount point that is made belongs to
			place, err := b.root.Handle(m.Target, unix.O_PATH)
			if err == nil {
				err = unix.Fstat(place, &target)
				unix.Close(place)
			}
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
			if target.Uid -= u.Base; target.Uid >= u.Range {
				return unix.EOVERFLOW
			}
		}
		if m.Map == MapUser {
			target.Uid = m.Owner
		}
		spans = []idSpan{{st.Uid, u.Base + target.Uid, 1}} // of groups too, as the reference does
	}
	ns, err := newUserNamespace(program.FindHeap(), spans, spans)
	if err != nil {
		return err
	}
	defer unix.Close(ns)
	return mount.MapIDs(fd, ns, !m.Shallow)
}
