package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ctl/internal/oracle"
)

// spawnEnv has the tree and the ctl binary for the part of the bench that runs with mounts of its own.
const spawnEnv = "CTL_BENCH_SPAWN"

// runSpawn measures how long containers take to start, in mounts that the host does not see, with the unified cgroup hierarchy that the
// reference wants.
func runSpawn() error {
	tree, err := oracle.SpawnTree()
	if err != nil {
		return err
	}
	bin, err := oracle.Ctl()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ctl-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-spawn")
	cmd.Env = append(os.Environ(), spawnEnv+"="+strings.Join([]string{tree, bin, dir}, ":"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	return cmd.Run()
}

// spawnInside is the part that runs there.
func spawnInside(spec string) error {
	part := strings.Split(spec, ":")
	tree, bin, dir := part[0], part[1], part[2]
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, m := range [][4]string{{"cgroup2", "/sys/fs/cgroup", "cgroup2", ""}, {"tmpfs", "/run", "tmpfs", "mode=755"}, {"tmpfs", dir, "tmpfs", "mode=755"}} {
		if err := syscall.Mount(m[0], m[1], m[2], 0, m[3]); err != nil {
			return fmt.Errorf("mount %s: %w", m[1], err)
		}
	}
	root := dir + "/root"
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := syscall.Mount("overlay", root, "overlay", 0, "lowerdir="+tree+",upperdir="+dir+"/upper,workdir="+dir+"/work"); err != nil {
		return fmt.Errorf("mount a tree: %w", err)
	}
	nspawn := dir + "/systemd-nspawn"
	if err := os.Symlink(bin, nspawn); err != nil {
		return err
	}
	options := []string{"--keep-unit", "--register=no", "-q", "--restrict-address-families=AF_INET AF_INET6 AF_UNIX", "-D", root, "--pipe", "/bin/true"}
	programs := []struct {
		name  string
		argv  []string
		bound float64 // of ctl's time to this one's
	}{
		{"ctl", append([]string{nspawn}, options...), 0},
		{"systemd-nspawn", append(oracle.InTree(tree, "systemd-nspawn"), options...), 0.1},
	}
	if bwrap, err := exec.LookPath("bwrap"); err == nil {
		programs = append(programs, struct {
			name  string
			argv  []string
			bound float64
		}{"bwrap", bwrapLike(bwrap, root), 1.2})
	} else {
		fmt.Println("  bwrap is not installed (package bubblewrap)")
	}
	times := make([][]float64, len(programs))
	for range 40 {
		for i, p := range programs {
			start := time.Now()
			if out, err := exec.Command(p.argv[0], p.argv[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", p.name, err, out)
			}
			times[i] = append(times[i], float64(time.Since(start).Microseconds())/1000)
		}
	}
	fmt.Println("a container that runs /bin/true; milliseconds, medians of 40 interleaved runs")
	own := median(times[0])
	fmt.Printf("  %-16s %8.2f\n", "ctl", own)
	for i, p := range programs[1:] {
		m := median(times[i+1])
		fmt.Printf("  %-16s %8.2f   ctl takes %.2f of it (at most %.2f)\n", p.name, m, own/m, p.bound)
	}
	return spawnMany(append([]string{nspawn}, options...))
}

// spawnMany starts many containers one after the other and says whether the last ones took longer, and how much memory the supervisor had.
func spawnMany(argv []string) error {
	var first, last []float64
	memory := int64(0)
	const n = 500
	for i := range n {
		cmd := exec.Command(argv[0], argv[1:]...)
		start := time.Now()
		if err := cmd.Run(); err != nil {
			return err
		}
		took := float64(time.Since(start).Microseconds()) / 1000
		if i < 50 {
			first = append(first, took)
		} else if i >= n-50 {
			last = append(last, took)
		}
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			return errors.New("no usage")
		}
		memory = max(memory, usage.Maxrss)
	}
	fmt.Printf("  %d in a row: the first 50 took %.2f, the last 50 %.2f; peak memory %.1f MiB (at most 16)\n", n, median(first), median(last), float64(memory)/1024)
	return nil
}

// bwrapLike has bwrap(1) make as many mounts of the same kinds.
func bwrapLike(bwrap, root string) []string {
	argv := []string{bwrap, "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup", "--bind", root, "/", "--tmpfs", "/tmp",
		"--ro-bind", "/sys", "/sys", "--dev", "/dev", "--tmpfs", "/run", "--tmpfs", "/run/unix-export", "--mqueue", "/dev/mqueue", "--proc", "/proc"}
	for i := range 12 {
		argv = append(argv, "--ro-bind", root+"/usr/lib/os-release", fmt.Sprintf("/run/host/mask%d", i))
	}
	return append(argv, "/bin/true")
}
