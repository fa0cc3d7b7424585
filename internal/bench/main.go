// Bench measures ctl and the real systemctl side by side in one run: medians of
// interleaved runs, on a real Debian tree, on made ones of 1,000 and 10,000 units, and in a
// container that was booted from that tree. It prints ratios beside the bounds that the project has set itself; it never fails.
package main

import (
	"encoding/binary"
	"flag"
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
	inside := flag.Bool("inside", false, "measure in the container in which this runs")
	booted := flag.Bool("booted", false, "measure in a container only")
	spawn := flag.Bool("spawn", false, "measure the start of containers only")
	flag.Parse()
	measure := run
	spec := os.Getenv(spawnEnv)
	switch {
	case *spawn && spec != "":
		measure = func() error { return spawnInside(spec) }
	case *spawn:
		measure = runSpawn
	case *inside:
		measure = runInside
	case *booted:
		measure = runBooted
	}
	err := measure()
	oracle.CleanUp()
	if err != nil {
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
	// what it costs to start a program that does nothing: one of a few instructions, and one in Go
	nothing, emptyGo float64
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
	dir, err := os.MkdirTemp("", "ctl-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := bench{ref: oracle.Reference(tree), ctl: oracle.Installed(bin), dir: dir}

	real := dir + "/debian"
	for _, d := range []string{"/etc/systemd", "/usr/lib/systemd/system", "/usr/lib/systemd/system-preset"} {
		if err := os.MkdirAll(filepath.Dir(real+d), 0o755); err != nil {
			return err
		}
		if out, err := exec.Command("cp", "-a", tree+d, real+d).CombinedOutput(); err != nil {
			return fmt.Errorf("copy: %w: %s", err, out)
		}
	}
	if err := b.floor(); err != nil {
		return err
	}
	fmt.Println("Debian's tree; milliseconds, medians of interleaved runs")
	fmt.Printf("  an empty static program %.2f, an empty Go program %.2f: what starting costs here; \"net\" is the ratio less the former\n", b.nothing, b.emptyGo)
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
	if err := runBooted(); err != nil {
		return err
	}
	return runSpawn()
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
	ours := max(runs, 30)
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
	net := ""
	if b.nothing > 0 {
		net = fmt.Sprintf("  net %.4f", (ctl-b.nothing)/(ref-b.nothing))
	}
	fmt.Printf("  %-16s systemctl %9.2f (%d)  ctl %8.2f (%d)  ratio %.4f%s%s\n", r.name, ref, len(times[0]), ctl, len(times[1]), ctl/ref, net, mark)
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

// floor measures what starting costs, without what is started: by a launcher that
// shares its memory with the child until that runs, as os/exec does (vfork(2)).
func (b *bench) floor() error {
	start := func(p string) (float64, error) {
		var l []float64
		for range 100 {
			d, err := once(oracle.Installed(p), nil)
			if err != nil {
				return 0, err
			}
			l = append(l, d)
		}
		return median(l), nil
	}
	dir := filepath.Join(b.dir, "empty")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/main.go", []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", dir+"/empty", dir+"/main.go")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	if err := os.WriteFile(dir+"/nothing", nothing(), 0o755); err != nil {
		return err
	}
	var err error
	if b.emptyGo, err = start(dir + "/empty"); err != nil {
		return err
	}
	if b.nothing, err = start(dir + "/nothing"); err != nil {
		// This machine is no amd64: what is next to nothing then.
		b.nothing, err = start("/bin/true")
	}
	return err
}

// nothing is an amd64 program, elf(5), of one system call: exit(2).
func nothing() []byte {
	code := []byte{0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05} // mov $60, %eax; xor %edi, %edi; syscall
	const base, headers = 0x400000, 64 + 56
	b := append([]byte("\x7fELF"), 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	u16 := func(v ...uint16) {
		for _, v := range v {
			b = binary.LittleEndian.AppendUint16(b, v)
		}
	}
	u32 := func(v uint32) { b = binary.LittleEndian.AppendUint32(b, v) }
	u64 := func(v ...uint64) {
		for _, v := range v {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	u16(2, 62) // an executable for amd64
	u32(1)
	u64(base+headers, 64, 0)
	u32(0)
	u16(64, 56, 1, 64, 0, 0)
	size := uint64(headers + len(code))
	u32(1) // loaded,
	u32(5) // readable and executable
	u64(0, base, base, size, size, 0x1000)
	return append(b, code...)
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
