package managertest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
	"ctl/internal/unit"
)

// A section is one of a unified kernel image.
type section struct{ name, text string }

const osRelease = "ID=deb\nNAME=Deb\nPRETTY_NAME=\"Deb X\"\nVERSION_ID=5\n"

// images are unified kernel images, and what is none.
func images() map[string][]byte {
	release, cmdline, kernel := section{".osrel", osRelease}, section{".cmdline", "base"}, section{".linux", "K"}
	profile := func(s string) section { return section{".profile", s} }
	of := func(release string) []section { return []section{{".osrel", release}, kernel} }
	all := map[string][]byte{
		"garbage": []byte(strings.Repeat("garbage", 100)), "short": []byte("MZ"),
		"sub3": program(amd64, 3, true, release, kernel), "mach": program(0xaa64, application, true, release, kernel),
		"noopt": program(amd64, application, false, release, kernel),
	}
	for name, l := range map[string][]section{
		"good":  {release, {".cmdline", "  quiet x=1 \n"}, kernel, {".initrd", "I"}},
		"nocmd": {release, kernel}, "nolinux": {release, cmdline}, "noosrel": {cmdline, kernel}, "onlylinux": {kernel},
		"nul": {{".osrel", osRelease + "\x00junk"}, kernel}, "nl": {release, {".cmdline", "a\nb  c\n\n"}, kernel}, "ctl": {release, {".cmdline", "a\x01b"}, kernel},
		"badosrel": of("FOO=1\n"), "image": of("ID=deb\nIMAGE_ID=img\nIMAGE_VERSION=7\nPRETTY_NAME=P\n"),
		"nopretty": of("ID=deb\nNAME=Deb\nVERSION_ID=5\n"), "noid": of("NAME=Deb\nVERSION_ID=5\n"), "noname": of("ID=Deb\nVERSION_ID=5\n"), "nover": of("ID=deb\n"),
		"vers": of("ID=deb\nVERSION=\"9 (x)\"\nVERSION_ID=1\nBUILD_ID=b"), "imgv": of("ID=deb\nVERSION=9\nIMAGE_VERSION=100"), "badenv": of("ID=deb\nNAME=\"Deb\n"),
		"profiles": {release, cmdline, kernel, profile("ID=main\nTITLE=Main\n"), profile("ID=alt\n"), {".cmdline", "alt"}},
		"p1":       {release, cmdline, kernel, profile("ID=a\n"), {".cmdline", "a"}, profile("ID=z\n"), {".cmdline", "z"}},
		"p2":       {release, cmdline, kernel, profile("TITLE=a\n"), {".cmdline", "a"}, profile("TITLE=z\n"), {".cmdline", "z"}},
		"p3":       {release, cmdline, kernel, profile("")},
		"p4":       {release, cmdline, kernel, profile("ID=a/b\n"), {".cmdline", "a"}, profile("ID=x\n"), {".linux", "Z"}},
		"p5":       {release, profile("ID=a\n"), {".cmdline", "a"}, kernel},
		"p6":       {release, cmdline, kernel, profile("ID=a\n"), profile("ID=b\n"), profile("ID=a\n"), {".cmdline", "3"}},
		"p7":       {release, cmdline, kernel, profile("ID=a\n"), {".osrel", "ID=zzz\nPRETTY_NAME=q\n"}},
	} {
		all[name] = program(amd64, application, true, l...)
	}
	return all
}

// What PE calls an architecture and what a program is for.
const (
	amd64       = 0x8664
	application = 10
)

// program is a PE file of these sections.
func program(machine, subsystem uint16, optional bool, sections ...section) []byte {
	le := binary.LittleEndian
	const start, align = 64, 512
	dos := make([]byte, start)
	copy(dos, "MZ")
	le.PutUint32(dos[60:], start)
	header := make([]byte, 240)
	if !optional {
		header = nil
	} else {
		le.PutUint16(header, 0x20b) // of 64 bits
		le.PutUint16(header[68:], subsystem)
		le.PutUint32(header[108:], 16) // directories
	}
	b := append(dos, "PE\x00\x00"...)
	b = le.AppendUint16(b, machine)
	b = le.AppendUint16(b, uint16(len(sections)))
	b = append(b, make([]byte, 12)...)
	b = le.AppendUint16(b, uint16(len(header)))
	b = append(le.AppendUint16(b, 0x22), header...)
	at := align * ((len(b) + 40*len(sections) + align - 1) / align)
	var data []byte
	for i, s := range sections {
		b = append(b, (s.name + "\x00\x00\x00\x00\x00\x00\x00\x00")[:8]...)
		for _, n := range [...]int{len(s.text), 4096 * (i + 1), align, at + len(data), 0, 0, 0, 0x40000040} {
			b = le.AppendUint32(b, uint32(n))
		}
		data = append(data, (s.text + strings.Repeat("\x00", align))[:align]...)
	}
	return append(append(b, make([]byte, at-len(b))...), data...)
}

// TestBoot finds kernels for kexec on the partitions of boot loaders.
func TestBoot(t *testing.T) {
	files := t.TempDir()
	oracle.Require(t, os.CopyFS(files, os.DirFS("testdata/boot/files")))
	oracle.Require(t, os.Mkdir(files+"/images", 0o755))
	for name, image := range images() {
		oracle.Require(t, os.WriteFile(files+"/images/"+name+".efi", image, 0o644))
	}
	m := oracle.Boot(t, files)
	compareLists(t, m, "testdata/boot/*.txt")
	t.Run("versions", func(t *testing.T) { compareVersions(t, m) })
}

// compareVersions has systemd-analyze(1) compare random versions.
func compareVersions(t *testing.T, m *oracle.Machine) {
	t.Helper()
	const pairs = 300
	r := rand.New(rand.NewPCG(1, 2))
	version := func() string {
		var b strings.Builder
		for range r.IntN(6) {
			b.WriteString([...]string{"1", "2", "9", "10", "01", "0", "a", "b", "ab", "Z", ".", "-", "~", "^", "_", "+", "rc", "ä"}[r.IntN(18)])
		}
		return b.String()
	}
	script, want := "", ""
	for range pairs {
		a, b := version(), version()
		script += fmt.Sprintf("systemd-analyze compare-versions -- '%s' '%s'\n", a, b)
		sign := "=="
		switch n := unit.CompareVersions(a, b); {
		case n < 0:
			sign = "<"
		case n > 0:
			sign = ">"
		}
		none := func(s string) string {
			if s == "" {
				return "''"
			}
			return s
		}
		want += none(a) + " " + sign + " " + none(b) + "\n"
	}
	got := m.Run(t, script)
	if d := cmp.Diff(got.Stdout, want); d != "" {
		t.Errorf("- systemd-analyze compare-versions, + ctl\n%s%s", d, got.Stderr)
	}
}

// onEFI has the two look for kernels on a machine that EFI seems to have started, whose variables say which.
const onEFI = `set -e
mount -t tmpfs t "$DIR"
cd "$DIR"
mkdir up work root
mount -t overlay -o "lowerdir=$TREE,upperdir=up,workdir=work" o root
mount -t proc p root/proc
mount --rbind /sys root/sys
mount -t tmpfs f root/sys/firmware
mount -t tmpfs k root/sys/kernel
vars=root/sys/firmware/efi/efivars
mkdir -p "$vars" root/e/loader/entries root/ctl
cp "$CTL" root/ctl/systemctl
for n in a b c d e f; do printf "linux /$n\n" >root/e/loader/entries/$n.conf; done
v() { { printf '\006\000\000\000'; printf %s "$2" | sed 's/./&\x00/g'; printf '\000\000'; } >"$vars/$1-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"; }
r() { echo "- $*"; for p in /usr/bin /ctl; do SYSTEMD_ESP_PATH=$esp SYSTEMD_IGNORE_CHROOT=1 chroot root $p/systemctl kexec "$@" >$(basename $p) 2>&1 || true; done; cat bin; diff bin ctl; }
unset SYSTEMD_ESP_PATH
for p in /usr/bin /ctl; do SYSTEMD_IGNORE_CHROOT=1 chroot root $p/systemctl kexec --dry-run >$(basename $p) 2>&1 || true; done; diff bin ctl
esp=/e
r --dry-run
v LoaderEntrySelected e.conf; r --dry-run
echo 'default @saved' >root/e/loader/loader.conf; r --dry-run
echo 'default a.conf' >root/e/loader/loader.conf; r --dry-run
v LoaderEntryDefault 'b*'; r --dry-run
printf 'default a.conf\npreferred c*\n' >root/e/loader/loader.conf; r --dry-run
v LoaderEntryPreferred d.conf; r --dry-run
for one in f.conf none.conf '' @saved; do v LoaderEntryOneShot "$one"; r --dry-run; done
rm "$vars"/LoaderEntryOneShot*
v LoaderEntryPreferred @saved; r --dry-run
echo 1 >root/sys/kernel/kexec_loaded
for o in --kernel-cmdline=x --kernel-cmdline-reuse '--kernel-cmdline=x --dry-run' '--kernel-cmdline=x --force' '--kernel-cmdline= --dry-run'; do r $o; done
`

// TestBootVariables compares which kernel the variables of EFI choose.
func TestBootVariables(t *testing.T) {
	oracle.NeedRoot(t, "a mount namespace")
	tree, err := oracle.Tree()
	oracle.Require(t, err)
	bin, err := oracle.Ctl()
	oracle.Require(t, err)
	cmd := exec.Command("unshare", "-m", "sh", "-c", onEFI)
	cmd.Env = append(os.Environ(), "DIR="+t.TempDir(), "TREE="+tree, "CTL="+bin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: the reference, < the reference, > ctl:\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
}
