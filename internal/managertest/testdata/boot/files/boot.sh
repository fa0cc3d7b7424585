# What the lists of boot loader entries are made with. /e is the EFI system partition, /x the extended boot loader partition.
export SYSTEMD_ESP_PATH=/e SYSTEMD_XBOOTLDR_PATH=/x
mkdir -p /x /e
mountpoint -q /x || mount -t tmpfs x /x
mountpoint -q /e || mount -t tmpfs e /e

# c clears both. e DIR FILE LINE... is an entry, u DIR IMAGE FILE a unified kernel image, d what is in loader.conf.
c() { rm -rf /e/* /x/*; mkdir -p /e/loader; }
e() { to=$1/loader/entries/$2; mkdir -p "$1/loader/entries"; printf 'linux /vmlinuz\noptions %s\n' "$2" >"$to"; shift 2; for l; do echo "$l" >>"$to"; done; }
u() { mkdir -p "$1/EFI/Linux"; cp "/images/$2.efi" "$1/EFI/Linux/${3:-$2.efi}"; }
d() { echo "default $1" >/e/loader/loader.conf; }
# t shows what would be loaded; k has /usr/sbin/kexec load it. The reference says of an image 256 times that it is none.
t() { $S kexec --dry-run 2>&1 | uniq; c; }
k() { $S kexec "$@" 2>&1 | uniq; c; }
c
