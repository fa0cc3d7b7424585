// Bench measures ctl and the real systemctl side by side in one run: medians of
// interleaved runs, on a real Debian tree and on made ones of 1,000 and 10,000 units.
// It prints ratios beside the bounds that the project has set itself; it never fails.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"ctl/internal/oracle"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A row is one comparison; bound is the largest ratio of ctl's time to the reference's that is wanted.
type row struct {
	name  string
	args  []string
	undo  []string // before each run
	runs  int
	bound float64
}

type bench struct {
	ref, ctl oracle.Program
	dir      string
}

func run() error {
	tree, err := oracle.Tree()
	if err != nil {
		return err
	}
	bin, err := oracle.Ctl()
	if err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Dir(bin))
	dir, err := os.MkdirTemp("", "ctl-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := bench{oracle.Reference(tree), oracle.Installed(bin), dir}

	real := dir + "/debian"
	for _, d := range []string{"/etc/systemd", "/usr/lib/systemd/system", "/usr/lib/systemd/system-preset"} {
		if err := os.MkdirAll(filepath.Dir(real+d), 0o755); err != nil {
			return err
		}
		if out, err := exec.Command("cp", "-a", tree+d, real+d).CombinedOutput(); err != nil {
			return fmt.Errorf("copy: %w: %s", err, out)
		}
	}
	fmt.Println("Debian's tree; milliseconds, medians; starting an empty program costs", b.empty())
	root := "--root=" + real
	for _, r := range []row{
		{"--version", []string{"--version"}, nil, 100, 0.5},
		{"is-enabled", []string{root, "is-enabled", "getty@.service"}, nil, 100, 0.5},
		{"enable", []string{root, "-q", "enable", "systemd-networkd.service"}, []string{root, "-q", "disable", "systemd-networkd.service"}, 50, 0.5},
		{"disable", []string{root, "-q", "disable", "systemd-networkd.service"}, []string{root, "-q", "enable", "systemd-networkd.service"}, 50, 0.5},
		{"preset-all", []string{root, "-q", "preset-all"}, nil, 30, 0.1},
		{"list-unit-files", []string{root, "list-unit-files"}, nil, 30, 0.05},
	} {
		if _, err := b.compare(r); err != nil {
			return err
		}
	}
	var small, large [2]float64
	for i, n := range []int{1000, 10000} {
		made := fmt.Sprintf("%s/made%d", dir, n)
		if err := madeTree(made, n); err != nil {
			return err
		}
		fmt.Printf("a tree of %d units\n", n)
		runs, list, preset := 3, 0.0, 0.0
		if n == 10000 {
			runs, list, preset = 1, 0.005, 0.1 // minutes each
		}
		t := [2]float64{}
		for k, r := range []row{
			{"list-unit-files", []string{"--root=" + made, "list-unit-files"}, nil, runs, list},
			{"preset-all", []string{"--root=" + made, "-q", "preset-all"}, nil, runs, preset},
		} {
			if t[k], err = b.compare(r); err != nil {
				return err
			}
		}
		if i == 0 {
			small = t
		} else {
			large = t
			for _, verb := range []string{"list-unit-files", "preset-all"} {
				fmt.Printf("  %-16s peak memory of ctl %5.1f MiB (at most 48)\n", verb, b.memory("--root="+made, "-q", verb))
			}
		}
	}
	fmt.Printf("from 1,000 to 10,000 units: list-unit-files %.1f times, preset-all %.1f times (at most 12)\n", large[0]/small[0], large[1]/small[1])
	return nil
}

// madeTree makes a tree of n units, some enabled, some templates, with presets.
func madeTree(root string, n int) error {
	dir, etc := root+"/usr/lib/systemd/system/", root+"/etc/systemd/system/multi-user.target.wants/"
	presets := root + "/usr/lib/systemd/system-preset"
	for _, d := range []string{dir, etc, presets} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	write := func(p, text string) error { return os.WriteFile(p, []byte(text), 0o644) }
	err := write(dir+"multi-user.target", "[Unit]\n")
	for i := 0; i < n && err == nil; i++ {
		name := fmt.Sprintf("unit%05d.service", i)
		text := "[Unit]\nDescription=One of many\n\n[Service]\nExecStart=/bin/true\n\n[Install]\nWantedBy=multi-user.target\n"
		switch i % 10 {
		case 1:
			name = fmt.Sprintf("unit%05d@.service", i)
			text += "DefaultInstance=one\n"
		case 2:
			text = "[Unit]\nDescription=Static\n"
		case 3:
			text += fmt.Sprintf("Alias=alias%05d.service\n", i)
		}
		err = write(dir+name, text)
		if i%10 > 5 && err == nil {
			err = os.Symlink("/usr/lib/systemd/system/"+name, etc+name)
		}
	}
	if err == nil {
		err = write(presets+"/90.preset", "enable unit*3.service\nenable unit*7.service\ndisable unit*9.service\nenable *\n")
	}
	return err
}

// compare runs both programs in turn and prints their medians.
func (b *bench) compare(r row) (ctl float64, err error) {
	var times [2][]float64
	programs := [2]oracle.Program{b.ref, b.ctl}
	runs := r.runs
	ours := max(runs, 15)
	for i := range ours {
		for k, p := range programs {
			if k == 0 && i >= runs {
				continue
			}
			if r.undo != nil {
				if _, err := once(b.ctl, r.undo); err != nil {
					return 0, err
				}
			}
			d, err := once(p, r.args)
			if err != nil {
				return 0, err
			}
			times[k] = append(times[k], d)
		}
	}
	ref, ctl := median(times[0]), median(times[1])
	mark := ""
	switch {
	case r.bound == 0:
	case ctl/ref > r.bound:
		mark = fmt.Sprintf(" (at most %g: over)", r.bound)
	default:
		mark = fmt.Sprintf(" (at most %g: ok)", r.bound)
	}
	fmt.Printf("  %-16s systemctl %9.2f  ctl %8.2f  ratio %.4f%s\n", r.name, ref, ctl, ctl/ref, mark)
	return ctl, nil
}

func median(l []float64) float64 {
	slices.Sort(l)
	return l[len(l)/2]
}

// once is the time of one call in milliseconds. Its exit status does not matter.
func once(p oracle.Program, args []string) (float64, error) {
	argv := p.Argv(args...)
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	cmd := exec.Cmd{Path: argv[0], Args: argv, Env: []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}, Stdin: null, Stdout: null, Stderr: null}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_ = cmd.Wait()
	return float64(time.Since(start).Microseconds()) / 1000, nil
}

// empty is what it costs here to start a program that does nothing.
func (b *bench) empty() string {
	var l []float64
	for range 50 {
		d, err := once(oracle.Installed("/bin/true"), nil)
		if err != nil {
			return "?"
		}
		l = append(l, d)
	}
	return fmt.Sprintf("%.2f", median(l))
}

// memory is the peak of ctl's resident set in MiB, getrusage(2).
func (b *bench) memory(args ...string) float64 {
	argv := b.ctl.Argv(args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	_ = cmd.Run()
	u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return float64(u.Maxrss) / 1024
}
