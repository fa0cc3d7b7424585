package control

import "ctl/internal/cli"

// versionText is what --version prints: scripts read the number, which is that
// of the systemctl whose behaviour ctl has, and a list of what it was built with.
const versionText = cli.Version +
	"-PAM -AUDIT -SELINUX -APPARMOR -IMA -IPE -SMACK -SECCOMP -GNUTLS -OPENSSL -ACL -BLKID -CURL -ELFUTILS -FIDO2 -IDN2 " +
	"-KMOD -LIBCRYPTSETUP -LIBCRYPTSETUP_PLUGINS -LIBFDISK -PCRE2 -PWQUALITY -P11KIT -QRENCODE -TPM2 -BZIP2 -LZ4 -XZ " +
	"-ZLIB -ZSTD -BPF_FRAMEWORK -BTF -XKBCOMMON -UTMP -LIBARCHIVE\n"
