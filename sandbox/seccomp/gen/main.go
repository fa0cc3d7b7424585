// Command gen writes the tables of sandbox/seccomp: what libseccomp of the reference's Debian release knows of system calls,
// and the groups that the reference makes of them. It asks both in a tree that it makes for it, which takes root.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ctl/internal/oracle"
)

// abis are libseccomp's names of the ABIs, in the order of the package's constants.
var abis = []string{"x86_64", "x86", "x32", "aarch64", "arm", "riscv64", "ppc64le", "ppc64", "ppc", "s390x", "s390", "loongarch64"}

// Where numbers of system calls are looked for: from 0, and from where arm and x32 have some of their own.
const (
	last       = 700
	armPrivate = 0xf0000
	x32Bit     = 1 << 30
)

// muxes are the calls that some ABIs also have as calls of socketcall(2) and ipc(2), each at its number there (linux/net.h, linux/ipc.h).
var muxes = [...]struct {
	name  string
	first int
	calls string
}{
	{"socketcall", 1, "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg"},
	{"ipc", 1, "semop semget semctl semtimedop"},
	{"ipc", 11, "msgsnd msgrcv msgget msgctl"},
	{"ipc", 21, "shmat shmdt shmget shmctl"},
}

// A call is a system call: its number of each ABI that has it, and the groups whose own member it is.
type call struct {
	numbers map[string]int
	groups  []string
}

func main() {
	if err := write("tables.go"); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func write(path string) error {
	dir, err := os.MkdirTemp("", "ctl-seccomp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tree := filepath.Join(dir, "tree")
	if err := oracle.Debootstrap(tree, "systemd,seccomp"); err != nil {
		return err
	}
	groups, err := readGroups(tree)
	if err != nil {
		return err
	}
	calls, err := readCalls(tree, groups)
	if err != nil {
		return err
	}
	src, err := format.Source(source(groups, calls))
	if err != nil {
		return err
	}
	return os.WriteFile(path, src, 0o644)
}

// A group is a group of calls, with what it is made of.
type group struct {
	name    string
	members []string
}

func readGroups(tree string) ([]group, error) {
	out, err := exec.Command("chroot", tree, "systemd-analyze", "--no-pager", "syscall-filter").Output()
	if err != nil {
		return nil, err
	}
	var groups []group
	for line := range strings.Lines(string(out)) {
		word := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "@"):
			groups = append(groups, group{name: word})
		case word != "" && word[0] != '#' && strings.HasPrefix(line, " "):
			groups[len(groups)-1].members = append(groups[len(groups)-1].members, word)
		}
	}
	if len(groups) < 20 {
		return nil, fmt.Errorf("%d groups", len(groups))
	}
	return groups, nil
}

// resolve asks libseccomp for lines "ABI NUMBER NAME" of all numbers, and "NAME NUMBER" of the names.
const resolve = `
for a in $ABIS; do
	for n in $NUMBERS; do
		[ $a = x32 ] && n=$((n + X32))
		echo $a $n $(scmp_sys_resolver -a $a $n)
	done
done
for s in $NAMES; do echo $s $(scmp_sys_resolver -a x86_64 $s); done
`

func readCalls(tree string, groups []group) (map[string]*call, error) {
	var numbers, names []string
	for i := range last {
		numbers = append(numbers, strconv.Itoa(i))
	}
	for i := range 16 {
		numbers = append(numbers, strconv.Itoa(armPrivate+i))
	}
	for _, g := range groups {
		names = append(names, g.members...)
	}
	cmd := exec.Command("chroot", tree, "sh", "-c", resolve)
	cmd.Env = append(os.Environ(), "ABIS="+strings.Join(abis, " "), "NUMBERS="+strings.Join(numbers, " "),
		"NAMES="+strings.Join(names, " "), "X32="+strconv.Itoa(x32Bit))
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	calls := make(map[string]*call)
	add := func(name string) *call {
		if calls[name] == nil {
			calls[name] = &call{numbers: make(map[string]int)}
		}
		return calls[name]
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[2] != "UNKNOWN" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				return nil, err
			}
			add(f[2]).numbers[f[0]] = n
		} else if len(f) == 2 && f[0][0] != '@' && f[1] != "-1" {
			add(f[0]) // the library knows it, although none of our ABIs has it
		}
	}
	for _, g := range groups {
		for _, m := range g.members {
			if c := calls[m]; c != nil {
				c.groups = append(c.groups, g.name)
			}
		}
	}
	return calls, nil
}

// constant is the name of the bit of a group.
func constant(group string) string {
	name := "in"
	for part := range strings.SplitSeq(group[1:], "-") {
		name += strings.ToUpper(part[:1]) + part[1:]
	}
	return name
}

func constants(groups []string) string {
	var names []string
	for _, g := range groups {
		names = append(names, constant(g))
	}
	if names == nil {
		return "0"
	}
	return strings.Join(names, "|")
}

func source(groups []group, calls map[string]*call) []byte {
	var b bytes.Buffer
	b.WriteString("// Code generated by sandbox/seccomp/gen from libseccomp and systemd-analyze(1) of Debian forky. DO NOT EDIT.\n\npackage seccomp\n\n")
	b.WriteString("// The groups of system calls, a bit each.\nconst (\n")
	for i, g := range groups {
		if i == 0 {
			fmt.Fprintf(&b, "%s uint32 = 1 << iota\n", constant(g.name))
		} else {
			fmt.Fprintf(&b, "%s\n", constant(g.name))
		}
	}
	b.WriteString(")\n\n// groups are the names of the groups and the groups in them.\nvar groups = [...]group{\n")
	for _, g := range groups {
		nested := slices.DeleteFunc(slices.Clone(g.members), func(m string) bool { return m[0] != '@' })
		fmt.Fprintf(&b, "{%q, %s},\n", g.name, constants(nested))
	}
	names := make([]string, 0, len(calls))
	for name := range calls {
		names = append(names, name)
	}
	slices.Sort(names)
	b.WriteString("}\n\n// Calls whose rules are special.\nconst (\n")
	for i, name := range names {
		if name == "ipc" || name == "socketcall" {
			fmt.Fprintf(&b, "%sCall = %d\n", name, i)
		}
	}
	b.WriteString(")\n\n// calls are the system calls by name. The numbers stand in the order of the ABIs.\nvar calls = [...]call{\n")
	for _, name := range names {
		c := calls[name]
		var numbers []string
		for _, abi := range abis {
			numbers = append(numbers, number(c, abi))
		}
		fmt.Fprintf(&b, "{%q, %d, %s, numbers{%s}},\n", name, mux(name), constants(c.groups), strings.Join(numbers, ", "))
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// mux is the number of a call in socketcall, or 100 more than that in ipc.
func mux(name string) int {
	for _, m := range muxes {
		if i := slices.Index(strings.Fields(m.calls), name); i >= 0 {
			if m.name == "ipc" {
				i += 100
			}
			return m.first + i
		}
	}
	return 0
}

// number writes the number of a call so that it has 16 bits.
func number(c *call, abi string) string {
	n, ok := c.numbers[abi]
	switch {
	case !ok:
		return "no"
	case abi == "x32":
		n -= x32Bit
	case n >= armPrivate:
		return fmt.Sprintf("arm + %d", n-armPrivate)
	}
	return strconv.Itoa(n)
}
