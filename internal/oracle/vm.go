package oracle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Kernels that a VM may have: the one of systemd 262's Debian, and an older one.
const (
	KernelNow = forky
	KernelOld = "bookworm"
)

// vmLimit is how long a VM may take, which no hardware helps.
const vmLimit = 15 * time.Minute

// VMTree is what is in a VM: the reference, and what it needs for images that are protected.
var VMTree = sync.OnceValues(func() (string, error) {
	return makeTree(forky, "vmtree", "systemd,systemd-sysv,systemd-container,systemd-repart,dbus,udev,kmod,procps,iproute2,util-linux,"+
		"cryptsetup-bin,libcryptsetup12,openssl,squashfs-tools,erofs-utils,e2fsprogs,fdisk,busybox-static,attr")
})

// takeKernel takes Debian's kernel for virtual machines. The initial file system has the modules that find the disks and mount them.
const takeKernel = `package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p')
version=${package#linux-image-}
# Later releases have it in parts.
apt-get -q download $package $(apt-cache depends $package | sed -n "s/.*Depends: \(linux-\(binary\|modules\)-$version\)\$/\1/p")
for f in linux-*.deb; do dpkg-deb -x $f x; done
mkdir -p x/usr/lib
[ ! -d x/lib ] || { cp -r x/lib/. x/usr/lib; rm -r x/lib; }
ln -s usr/lib x/lib
modules=x/usr/lib/modules
depmod -b x $version 2>/dev/null # which warns that it does not know what is built in
mkdir -p i/m i/bin i/proc i/sys i/dev i/lower i/upper i/root "$DIR.new"
cp "$BUSYBOX" i/bin/busybox
for m in virtio_pci virtio_blk erofs overlay; do modprobe -d x -S $version -D $m 2>/dev/null || true; done |
	sed -n 's/^insmod //p' | awk '!seen[$0]++' >list
while read -r m; do
	case $m in
	*.xz) xz -dc <$m >i/m/$(basename $m .xz); basename $m .xz;;
	*.zst) zstd -qdc <$m >i/m/$(basename $m .zst); basename $m .zst;;
	*) cp $m i/m; basename $m;;
	esac
done <list >i/m/order
cat >i/init <<'EOF'
#!/bin/busybox sh
busybox() { /bin/busybox "$@"; }
busybox mount -t proc proc /proc; busybox mount -t sysfs sysfs /sys; busybox mount -t devtmpfs dev /dev
while read -r m; do busybox insmod /m/$m; done </m/order
until [ -b /dev/vdc ]; do busybox sleep 0.1; done
busybox mount -t erofs -o ro /dev/vda /lower
busybox mount -t tmpfs -o size=75% upper /upper; busybox mkdir /upper/u /upper/w
busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/u,workdir=/upper/w vm /root
busybox mkdir -p /root/usr/lib/modules /root/ctl; busybox mount -t erofs -o ro /dev/vdb /root/usr/lib/modules
busybox mount -t erofs -o ro /dev/vdc /root/ctl
for d in proc sys dev; do busybox mount -o move /$d /root/$d; done
exec /bin/busybox switch_root /root /bin/sh /ctl/init
EOF
chmod +x i/init
(cd i; find . | cpio -o -H newc --quiet) | gzip -1 >"$DIR.new/initrd"
cp x/boot/vmlinuz-$version "$DIR.new/vmlinuz" 2>/dev/null || cp $modules/$version/vmlinuz "$DIR.new/vmlinuz"
mkfs.erofs --quiet "$DIR.new/modules" $modules 2>/dev/null || mkfs.erofs "$DIR.new/modules" $modules >/dev/null
`

// vmInit is the first process of a VM: what a host has that systemd has booted, without it.
const vmInit = `mount -t devpts devpts /dev/pts -o ptmxmode=666,mode=620,gid=5 2>/dev/null || { mkdir -p /dev/pts; mount -t devpts devpts /dev/pts -o ptmxmode=666; }
mkdir -p /dev/shm; mount -t tmpfs shm /dev/shm; mount -t tmpfs run /run -o mode=755; mount -t tmpfs tmp /tmp; mount -t tmpfs machines /var/lib/machines
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared /
export PATH=/usr/sbin:/usr/bin HOME=/root
hostname host; ip link set lo up; echo 0123456789abcdef0123456789abcdef >/etc/machine-id
mkdir /sys/fs/cgroup/init; echo $$ >/sys/fs/cgroup/init/cgroup.procs
for c in $(cat /sys/fs/cgroup/cgroup.controllers); do echo +$c >/sys/fs/cgroup/cgroup.subtree_control; done 2>/dev/null
modprobe -qa loop dm-mod tun
cp -a /ctl/small /var/lib/machines/t; cd /var/lib/machines
stty -F /dev/ttyS1 raw
sh /ctl/script >/dev/ttyS1 2>&1 </dev/null
echo "exit $?" >/dev/ttyS1
busybox poweroff -f
`

// A vmKernel has the files of one.
func vmKernel(release string) (string, error) {
	for _, p := range [][2]string{{"cpio", "cpio"}, {"depmod", "kmod"}, {"mkfs.erofs", "erofs-utils"}, {"zstd", "zstd"}, {"xz", "xz-utils"}} {
		if _, err := installPackage(p[0], p[1]); err != nil {
			return "", err
		}
	}
	tree, err := VMTree()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(Cache(), "kernel-"+release)
	return dir, download(dir, release, "BUSYBOX="+tree+"/usr/bin/busybox\n"+takeKernel)
}

// vmDisk is the disk with VMTree.
var vmDisk = sync.OnceValues(func() (string, error) {
	tree, err := VMTree()
	if err != nil {
		return "", err
	}
	disk := tree + ".erofs"
	lock, err := lockCache()
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if _, err := os.Stat(disk); err == nil {
		return disk, nil
	}
	if out, err := exec.Command("mkfs.erofs", disk+".new", tree).CombinedOutput(); err != nil {
		return "", fmt.Errorf("mkfs.erofs: %w: %s", err, tail(out))
	}
	return disk, os.Rename(disk+".new", disk)
})

// VM boots a kernel in a virtual machine whose processor is software, has it run a shell script as root, and returns what that said and its exit
// status. All of the kernel is the script's: it has the unified hierarchy of cgroups with all controllers, and no manager. The machine has the
// reference, ctl and systemd-nspawn in /ctl, and the small tree at ./t. It takes some 20 seconds, and is there only where nothing is to be
// left out (All).
func (h *Host) VM(t testing.TB, kernel, script string) Result {
	t.Helper()
	if !all {
		t.Skip("virtual machines are started with CTL_ALL=1 (make vm)")
	}
	if runtime.GOARCH != "amd64" {
		Require(t, errors.New("virtual machines are made for amd64 alone"))
	}
	qemu, err := installPackage("qemu-system-x86_64", "qemu-system-x86")
	Require(t, err)
	r, err := h.vm(qemu, kernel, t.TempDir(), script)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (h *Host) vm(qemu, kernel, dir, script string) (r Result, err error) {
	files, err := vmKernel(kernel)
	if err != nil {
		return r, err
	}
	disk, err := vmDisk()
	if err != nil {
		return r, err
	}
	top, own, said := dir+"/top", dir+"/own", dir+"/said"
	if out, err := exec.Command("sh", "-ec", `mkdir "$1"; cp -a "$2/." "$1"; cp -a "$3" "$1/small"`, "sh", top, h.bin, h.small).CombinedOutput(); err != nil {
		return r, fmt.Errorf("files of a virtual machine: %w: %s", err, tail(out))
	}
	if err := os.RemoveAll(top + "/images"); err != nil {
		return r, err
	}
	for name, text := range map[string]string{"init": vmInit, "script": script} {
		if err := os.WriteFile(filepath.Join(top, name), []byte(text), 0o644); err != nil {
			return r, err
		}
	}
	if out, err := exec.Command("mkfs.erofs", own, top).CombinedOutput(); err != nil {
		return r, fmt.Errorf("mkfs.erofs: %w: %s", err, tail(out))
	}
	args := []string{"-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "max", "-m", "1536", "-smp", "2", "-nodefaults", "-no-user-config",
		"-no-reboot", "-display", "none", "-serial", "stdio", "-serial", "file:" + said, "-kernel", files + "/vmlinuz", "-initrd", files + "/initrd",
		"-append", "console=ttyS0 quiet panic=-1"}
	for _, d := range []string{disk, files + "/modules", own} {
		args = append(args, "-drive", "format=raw,if=virtio,readonly=on,file="+d)
	}
	var console, data []byte
	for range 3 { // such a processor has been seen to fail a kernel while that starts
		ctx, cancel := context.WithTimeout(context.Background(), vmLimit)
		console, err = exec.CommandContext(ctx, qemu, args...).CombinedOutput()
		cancel()
		if err != nil {
			return r, fmt.Errorf("qemu: %w: %s", err, tail(console))
		}
		if data, err = os.ReadFile(said); err != nil {
			return r, err
		}
		if len(data) > 0 || !strings.Contains(string(console), "Kernel panic") {
			break
		}
	}
	text := strings.ReplaceAll(string(data), "\r", "")
	i := strings.LastIndex(text, "exit ")
	if i < 0 {
		return r, fmt.Errorf("the virtual machine ended early: %s\n%s", tail(data), tail(console))
	}
	r.Stdout = text[:i]
	r.Exit, err = strconv.Atoi(strings.TrimSpace(text[i+len("exit "):]))
	return r, err
}
