package copytree_test

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"

	"ctl/sandbox/copytree"
)

// TestChown gives a tree away as systemd-nspawn(1) --private-users-ownership=chown does.
func TestChown(t *testing.T) {
	at := fileSystem(t, "tmpfs", "4")
	outside := at + "/outside"
	root := at + "/t"
	script := `set -e; cd "$0"; echo x >outside; mkdir -p t/dir t/proc; echo x >t/dir/file; chown 5:6 t/dir/file; chmod 6755 t/dir/file
ln -s ../../outside t/dir/link; ln t/dir/file t/hard; mknod t/fifo p; chown -h 1000:70000 t/fifo`
	run(t, "sh", "-c", script, at)
	// user::rw- user:7:rw- group::r-- group:8:r-- mask::rw- other::r--
	acl := []byte("\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x06\x00\x07\x00\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff" +
		"\x08\x00\x04\x00\x08\x00\x00\x00\x10\x00\x06\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff")
	if err := unix.Setxattr(root+"/dir", "system.posix_acl_default", acl, 0); err != nil {
		t.Fatal(err)
	}
	run(t, "mount", "-t", "proc", "proc", root+"/proc")
	defer run(t, "umount", root+"/proc")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := copytree.Chown(cancelled, root, 0x90000); err == nil {
		t.Error("it was not interrupted")
	}
	for range 2 { // what was interrupted is begun again, and what is done is left
		if err := copytree.Chown(context.Background(), root, 0x90000); err != nil {
			t.Fatal(err)
		}
	}
	for p, want := range map[string][3]uint32{
		root: {0x90000, 0x90000, 0o755}, root + "/dir": {0x90000, 0x90000, 0o755}, root + "/dir/file": {0x90005, 0x90006, 0o6755},
		root + "/dir/link": {0x90000, 0x90000, 0o777}, root + "/hard": {0x90005, 0x90006, 0o6755},
		root + "/fifo": {0x90000 + 1000, 0x90000 + 70000&0xFFFF, 0o644}, outside: {0, 0, 0o644}, root + "/proc/self": {0, 0, 0o777},
	} {
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			t.Fatal(err)
		}
		if got := [3]uint32{st.Uid, st.Gid, st.Mode & 0o7777}; got != want {
			t.Errorf("%s: %o, not %o", p, got, want)
		}
	}
	got := make([]byte, 100)
	n, err := unix.Getxattr(root+"/dir", "system.posix_acl_default", got)
	if err != nil || n != len(acl) || string(got[14:20]) != "\x06\x00\x07\x00\x09\x00" || string(got[30:36]) != "\x04\x00\x08\x00\x09\x00" {
		t.Errorf("the ACL is %q, %v", got[:max(n, 0)], err)
	}
}
