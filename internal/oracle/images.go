package oracle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// imageTools are the programs that make images, by their packages.
var imageTools = [...][2]string{{"sfdisk", "fdisk"}, {"mkfs.ext4", "e2fsprogs"}, {"mksquashfs", "squashfs-tools"}, {"mkfs.erofs", "erofs-utils"}, {"mkfs.btrfs", "btrfs-progs"}}

// Images makes disk images of the small tree: whole ones, partitioned ones, bad ones, and whole/system.raw of SpawnTree. They are in the
// directory that it returns, which is /ctl/images on the host, and not to be changed.
func (h *Host) Images(t testing.TB) string {
	t.Helper()
	for _, tool := range imageTools {
		PackageTool(t, tool[0], tool[1])
	}
	dir, err := h.images()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (h *Host) images() (string, error) {
	dir := filepath.Join(h.bin, "images")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	cmd := exec.Command("sh", "-ec", makeImages)
	cmd.Env = append(os.Environ(), "TREE="+h.tree, "SMALL="+h.small, "DIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("make images: %w: %s", err, tail(out))
	}
	return dir, nil
}

// ImageSetup is what a host needs for images: the kernel's devices, of which those of loops come and go, and the images.
const ImageSetup = `mount -t devtmpfs devices /dev; mount -t devpts devpts /dev/pts -o ptmxmode=666
cp --sparse=always /ctl/images/*.raw .
`

// makeImages makes them. disk makes a partitioned one of lines "SIZE FILE TYPE NAME ATTRIBUTES", the file being what is in the partition.
const makeImages = `PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$DIR"; cd "$DIR"
mkdir w; cp -a "$SMALL" w/tree
printf '[Install]\nWantedBy=multi-user.target\nAlias=other.service\n' >w/a.service
mkdir -p w/tree/usr/lib/systemd/system; cp w/a.service w/tree/usr/lib/systemd/system
mkdir w/data; echo data >w/data/file
cp -a w/tree w/bare; rm -rf w/bare/home w/bare/srv
ext4() { truncate -s 64M $1; mkfs.ext4 -q -F -d $2 $1; }
ext4 w/root w/tree; ext4 w/usr w/tree/usr; ext4 w/data.fs w/data; ext4 w/bare.fs w/bare; truncate -s 8M w/nothing
disk() {
	out=$1; truncate -s ${SIZE:-300M} $out
	cat >w/lines
	{ echo label: gpt; while read size file type name attrs; do echo "size=$size, type=$type, name=$name${attrs:+, attrs=\"$attrs\"}"; done <w/lines; } |
		sfdisk -q --wipe never --wipe-partitions never $out
	sfdisk -d $out | sed -n 's/.*start= *\([0-9]*\),.*/\1/p' >w/starts
	paste -d' ' w/starts w/lines | while read start size file rest; do
		dd if=w/$file of=$out bs=1M seek=$((start * 512)) oflag=seek_bytes conv=notrunc,sparse status=none; done
}
ROOT=4f68bce3-e8cd-4db1-96e7-fbcaf984b709 USR=8484680c-9521-48c6-9c11-b0720656f69e HOMES=933ac7e1-2eb4-4f13-b844-0e14e2aef915
SRV=3b8f8425-20e0-4f3b-907f-1a25a76f98e8 VAR=4d21b016-b534-45c2-a9fb-5c16e091fd2d TMP=7ec6f557-3bc5-4aca-b293-16ef5df639d1
ARM=b921b045-1df0-41c3-af44-4c6f280d3fae LINUX=0fc63daf-8483-4772-8e79-3d69d8477de4
[ $(uname -m) = x86_64 ] || exit 0
disk gpt.raw <<END
64M root $ROOT root
64M data.fs $HOMES home
64M data.fs $SRV srv
END
disk tworoots.raw <<END
64M root $ROOT system_9
64M bare.fs $ROOT system_10
END
disk twohomes.raw <<END
64M root $ROOT root
64M data.fs $HOMES home_2
64M nothing $HOMES home_1
END
disk flags.raw <<END
64M root $ROOT root GUID:60
64M data.fs $HOMES home GUID:63
64M data.fs $SRV srv GUID:59
END
disk usr.raw <<END
64M usr $USR usr
END
disk rootusr.raw <<END
64M bare.fs $ROOT root
64M usr $USR usr
64M data.fs $VAR var
64M data.fs $TMP tmp
END
disk made.raw <<END
64M bare.fs $ROOT root
64M data.fs $HOMES home
END
disk generic.raw <<END
64M root $LINUX root
END
disk generics.raw <<END
64M root $LINUX root
64M root $LINUX root
END
disk other.raw <<END
64M root $ARM root
END
disk noroot.raw <<END
64M data.fs $HOMES home
END
disk garbage.raw <<END
64M nothing $ROOT root
END
disk garbagehome.raw <<END
64M root $ROOT root
64M nothing $HOMES home
END
head -c 30M gpt.raw >cut.raw
cp --sparse=always gpt.raw broken.raw; printf x | dd of=broken.raw bs=1 seek=520 conv=notrunc status=none
cp --sparse=always w/root bare.raw
truncate -s 100M mbr.raw; echo 'size=64M, type=83, bootable' | sfdisk -q mbr.raw; dd if=w/root of=mbr.raw bs=1M seek=1 conv=notrunc,sparse status=none
truncate -s 100M mbrplain.raw; echo 'size=64M, type=83' | sfdisk -q mbrplain.raw; dd if=w/root of=mbrplain.raw bs=1M seek=1 conv=notrunc,sparse status=none
mksquashfs w/tree squash.raw -quiet -no-progress; mkfs.erofs erofs.raw w/tree >/dev/null
truncate -s 200M btrfs.raw; mkfs.btrfs -q -r w/tree btrfs.raw
truncate -s 20M ext2.raw; mkfs.ext2 -q -F ext2.raw
mkdir whole; mkfs.erofs whole/system.raw "$TREE" >/dev/null
truncate -s 0 empty.raw; truncate -s 1M zero.raw
rm -rf w
`
