package copytree_test

import (
	"os"
	"os/exec"
	"testing"

	"ctl/internal/oracle"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		os.Exit(helper())
	}
	oracle.OwnMounts(m, nil)
}

// run runs a program that must do its work.
func run(t testing.TB, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", argv, err, out)
	}
}

// fileSystem makes and mounts a file system of that type, with so many megabytes.
func fileSystem(t *testing.T, kind, megabytes string) string {
	t.Helper()
	oracle.NeedRoot(t, "mounting a file system")
	dir := oracle.Scratch(t) // in memory: the disk would be waited for at each umount
	at := dir + "/at"
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if kind == "tmpfs" {
		run(t, "mount", "-t", "tmpfs", "-o", "size="+megabytes+"m", "ctl-copytree", at)
	} else {
		mkfs := "mkfs." + kind
		switch kind {
		case "btrfs":
			oracle.PackageTool(t, mkfs, "btrfs-progs")
		case "xfs":
			oracle.PackageTool(t, mkfs, "xfsprogs")
		}
		run(t, "truncate", "-s", megabytes+"M", dir+"/image")
		run(t, mkfs, "-q", dir+"/image")
		run(t, "mount", "-o", "loop", dir+"/image", at)
	}
	t.Cleanup(func() {
		run(t, "umount", at)
	})
	return at
}
